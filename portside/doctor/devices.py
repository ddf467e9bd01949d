"""Cards and drivers: what a host has against what a recipe needs."""

import re
from collections.abc import Iterator
from pathlib import Path

from portside.accelerators import (
    AcceleratorProfile,
    Host,
    accelerator_names,
    control_nodes,
    driver_version,
    find_cards,
    for_host,
    load_accelerator,
    version_fits,
)
from portside.accelerators.ways import TOOLKIT, ways_of
from portside.doctor.findings import Finding
from portside.recipe import Recipe
from portside.runtime.devices import driver_range


def examine_devices(
    host: Host, recipe: Recipe | None, accelerator: AcceleratorProfile | None, root: Path | None = None
) -> Iterator[Finding]:
    """With a recipe: its accelerator. Without: every accelerator that this host has something of.

    root: of the project, which may describe accelerators of its own.
    """
    if recipe is not None:
        chosen = accelerator or load_accelerator(recipe.model.accelerator.name, root=recipe.root)
        chosen = for_host(chosen, host, recipe.model.accelerator.variant)
        yield from _examine(chosen, host, driver_range(recipe, chosen), recipe)
        return
    there = {}
    for name in accelerator_names(root=root):
        known = for_host(load_accelerator(name, root=root), host)
        if find_cards(known, host) or driver_version(known, host):
            there[name] = known
    for known in there.values():
        # The same nodes, of a family that has the more general name.
        if known.extends not in there:
            yield from _examine(known, host, None, None)
    if not there:
        yield Finding("ok", "devices", "no accelerator that Portside knows")


def _examine(
    accelerator: AcceleratorProfile, host: Host, versions: str | None, recipe: Recipe | None
) -> Iterator[Finding]:
    if accelerator.cards is None:
        yield Finding("ok", "devices", f"{accelerator.name} needs none")
        return
    cards = find_cards(accelerator, host)
    version = driver_version(accelerator, host)
    yield _cards(accelerator, host, version)
    yield _driver(accelerator, version, versions)
    _, missing = control_nodes(accelerator, host)
    if cards and missing:
        yield Finding(
            "problem",
            "control nodes",
            f"no {' and no '.join(missing)}",
            f"Load the driver again, or {_install(accelerator)}",
        )
    needed = max((target.devices or 0 for target in recipe.model.run.targets.values()), default=0) if recipe else 0
    if 0 < len(cards) < needed:
        yield Finding(
            "warning", "devices", f"a target needs {needed} cards, this host has {len(cards)}", "The others can run."
        )
    for file in accelerator.files:
        if cards and not any(host.exists(path) for path in file.paths):
            without = "no container with a card starts" if file.required else "containers go without it"
            yield Finding(
                "problem" if file.required else "warning",
                "host files",
                f"no {' or '.join(file.paths)}: {without}",
                _install(accelerator),
            )
    if cards:
        yield _access(accelerator, host)
    if accelerator.is_reported:
        yield Finding(
            "warning",
            "devices",
            f"{accelerator.name} is only reported: what containers get is known from one source",
            f"Compare docs/accelerators/{accelerator.name}.md with your vendor's manual, and tell us.",
        )


def _access(accelerator: AcceleratorProfile, host: Host) -> Finding:
    """The ways to pass cards that this host has."""
    ways = ways_of(accelerator, host)
    toolkit = accelerator.toolkit
    least = f" (Portside knows {toolkit.minimum} and newer)" if toolkit and toolkit.minimum and TOOLKIT in ways else ""
    return Finding("ok", "access", f"{accelerator.name} cards can be passed by {', '.join(ways)}{least}")


def _cards(accelerator: AcceleratorProfile, host: Host, version: str | None) -> Finding:
    cards = find_cards(accelerator, host)
    assert accelerator.cards is not None
    pattern = re.sub(r"\{[^}]*\}", "N", accelerator.cards.node)
    if cards:
        numbers = ", ".join(str(card.index) for card in cards)
        return Finding("ok", "devices", f"{len(cards)} {accelerator.name} card(s): {numbers}")
    if version is not None:
        return Finding(
            "problem",
            "devices",
            f"the {accelerator.name} driver {version} is there, but no {pattern}",
            "Is the card seated (lspci)? Look at the kernel's log (dmesg), load the driver again or reboot.",
        )
    return Finding(
        "problem",
        "devices",
        f"no {accelerator.name} card: neither {pattern} nor a driver; images can be built here, not run on a card",
        _install(accelerator),
    )


def _driver(accelerator: AcceleratorProfile, version: str | None, versions: str | None) -> Finding:
    if accelerator.driver is None:
        return Finding("ok", "driver", f"not looked at: nobody says where {accelerator.name}'s tells its version")
    wanted = f", wanted {versions}" if versions else ""
    if version is None:
        return Finding("problem", "driver", f"no {accelerator.name} driver is loaded{wanted}", _install(accelerator))
    text = f"{accelerator.name} driver {version}{wanted}"
    if versions is None:
        return Finding("ok", "driver", text)
    fits = version_fits(version, versions)
    if fits is None:
        return Finding("warning", "driver", f"{text}: cannot be compared", "Compare them yourself.")
    if not fits:
        return Finding("problem", "driver", text, _install(accelerator))
    return Finding("ok", "driver", text)


def _install(accelerator: AcceleratorProfile) -> str | None:
    driver = accelerator.driver
    if driver is None:
        return None
    return driver.install[0].upper() + driver.install[1:]
