"""Which cards a container gets, and everything of the host that comes with them."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from portside.accelerators import (
    AcceleratorProfile,
    Card,
    Host,
    control_nodes,
    driver_version,
    find_cards,
    version_fits,
)
from portside.accelerators.accelerator import INDEX
from portside.engines import Mount
from portside.errors import EngineError, RecipeError
from portside.recipe import Recipe
from portside.runtime.lacking import Lacking, refuse

ALL = "all"
NONE = "none"


@dataclass(frozen=True)
class Passed:
    """What of an accelerator a container gets; everything is empty without a card."""

    nodes: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    files: tuple[Mount, ...] = ()


def parse_devices(text: str) -> Sequence[int] | str:
    """`0,1` or `0-3,8` as numbers; `all` and `none` as they are. Raises RecipeError."""
    if text in (ALL, NONE):
        return text
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,4})(?:-([0-9]{1,4}))?", part.strip())
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise RecipeError(f"not a list of devices: {text!r}", "Expected 0,1 or 0-3, or all, or none.")
        numbers += range(int(match[1]), int(match[2] or match[1]) + 1)
    return numbers


def choose_cards(
    accelerator: AcceleratorProfile,
    host: Host,
    asked: Sequence[int] | str | None,
    needed: int | None,
    warn: Callable[[str], None],
    lacking: Lacking = refuse,
) -> list[Card]:
    """The cards for one container, by number.

    asked: by the person. needed: as the target says. If neither says anything it is the first card, where there is
    one. lacking: called with RecipeError for cards that do not exist, with EngineError for too few; cards that are
    taken as there have their own node and no other.
    """
    if accelerator.cards is None:
        if asked not in (None, NONE, ALL) and len(asked or ()):
            raise RecipeError(
                f"the accelerator '{accelerator.name}' has no devices", "Leave --devices out, or say --devices none."
            )
        return []
    if asked == NONE or (asked is None and needed == 0):
        return []
    cards = find_cards(accelerator, host)
    if asked is None:
        if needed is None and not cards:
            warn(f"no {accelerator.name} card on this host: the container starts without one (see invoke doctor)")
        if needed is not None and len(cards) < needed:
            lacking(
                EngineError(
                    f"{needed} {accelerator.name} card(s) are needed, this host has {_numbers(cards)}",
                    "invoke doctor says what is missing; --devices says which cards to take.",
                )
            )
            there = {card.index for card in cards}
            more = [index for index in range(needed) if index not in there][: needed - len(cards)]
            cards = sorted([*cards, *_assumed(accelerator.cards.node, more)], key=lambda card: card.index)
        return cards[: needed or 1]
    if asked == ALL:
        if not cards:
            lacking(EngineError(f"this host has no {accelerator.name} card", "invoke doctor says what is missing."))
        return cards or _assumed(accelerator.cards.node, range(needed or 1))
    by_index = {card.index: card for card in cards}
    wanted = [int(index) for index in asked]
    if missing := [index for index in wanted if index not in by_index]:
        lacking(
            RecipeError(
                f"no {accelerator.name} card {', '.join(map(str, missing))} on this host",
                f"It has {_numbers(cards)}. invoke doctor says more.",
            )
        )
        by_index |= {card.index: card for card in _assumed(accelerator.cards.node, missing)}
    if len(set(wanted)) != len(wanted):
        raise RecipeError("a device is named twice", "Name each once.")
    if needed is not None and len(wanted) < needed:
        raise RecipeError(f"the target needs {needed} cards, --devices names {len(wanted)}", "Name more.")
    return [by_index[index] for index in sorted(wanted)]


def _assumed(node: str, indexes: Iterable[int]) -> list[Card]:
    return [Card(index, node.replace(INDEX, str(index)), ()) for index in indexes]


def _numbers(cards: Sequence[Card]) -> str:
    return ", ".join(str(card.index) for card in cards) if cards else "none"


def pass_cards(accelerator: AcceleratorProfile, cards: Sequence[Card], host: Host, lacking: Lacking = refuse) -> Passed:
    """Everything that comes with these cards. lacking: called with EngineError where a control node is missing."""
    if not cards:
        return Passed()
    control, missing = control_nodes(accelerator, host)
    if missing and any(host.has_node(card.node) for card in cards):
        lacking(
            EngineError(
                f"this host has {accelerator.name} cards, but no {' and no '.join(missing)}",
                "The driver is not loaded whole; invoke doctor says more.",
            )
        )
    nodes = [*control, *missing, *(node for card in cards for node in (card.node, *card.beside))]
    env = dict(accelerator.variables)
    if accelerator.visible and accelerator.visible.numbering == "container":
        env[accelerator.visible.variable] = ",".join(str(number) for number in range(len(cards)))
    files: list[Mount] = []
    for file in accelerator.files:
        source = next((path for path in file.paths if host.exists(path)), None)
        if source is not None:
            files.append(Mount(source, file.target or file.paths[0], read_only=True))
    return Passed(tuple(nodes), tuple(sorted(env.items())), tuple(files))


def driver_range(recipe: Recipe, accelerator: AcceleratorProfile) -> str | None:
    """The range of the host's driver that counts for a recipe: its own, else the accelerator's."""
    own = recipe.model.accelerator.driver
    return own or (accelerator.driver.versions if accelerator.driver else None)


def warn_of_driver(recipe: Recipe, accelerator: AcceleratorProfile, host: Host, warn: Callable[[str], None]) -> None:
    """Say it if the host's driver is known not to fit."""
    versions = driver_range(recipe, accelerator)
    version = driver_version(accelerator, host)
    if versions and version and version_fits(version, versions) is False:
        warn(f"the host's {accelerator.name} driver is {version}, {recipe.name} wants {versions} (see invoke doctor)")
