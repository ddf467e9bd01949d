"""Is it really on the card? The vendor's tool, a tensor operation and a collective, in a container with the cards.

What cannot be run is said as plainly as what fails: an image without PyTorch proves nothing by being silent.
"""

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from portside.accelerators import AcceleratorProfile, Host, driver_version, for_host, load_accelerator
from portside.accelerators.probe import chip_name
from portside.accelerators.ways import ways_of
from portside.common.outputs import write_text
from portside.common.progress import say
from portside.common.version import __version__
from portside.engines import Engine, Mount, RunSpec
from portside.errors import CheckError, RecipeError
from portside.plan.model import Plan
from portside.runtime import container_spec, read_intent
from portside.runtime.devices import choose_cards

PROGRAM = Path(__file__).with_name("card_program.py")
INSIDE = "/run/portside/card_program.py"
_TAIL = 40

Status = Literal["ok", "failed", "not run"]


@dataclass(frozen=True)
class CardCheck:
    """check: what was tried. detail: what came of it, for people."""

    check: str
    status: Status
    detail: str


def check_cards(
    plan: Plan, engine: Engine, host: Host, devices: str, *, access: str = "raw", layer: str = "weights"
) -> list[CardCheck]:
    """Try the cards in a container of a recipe's image. devices: as for `run-container`.

    Raises RecipeError for a recipe without cards, and what starting a container raises.
    """
    recipe = plan.recipe
    accelerator = for_host(
        load_accelerator(recipe.model.accelerator.name, root=recipe.root), host, recipe.model.accelerator.variant
    )
    if accelerator.cards is None:
        raise RecipeError(f"the accelerator '{accelerator.name}' has no cards to check", "Leave --devices out.")
    intent = read_intent(recipe, layer=layer, command="true", devices=devices, access=access)
    spec = container_spec(intent, host, accelerator=accelerator)
    spec = replace(spec, name=None, detach=False, terminal=False, stdin=False, labels={}, entrypoint=())
    cards = len(choose_cards(accelerator, host, intent.devices, None, say))
    if not cards:
        raise RecipeError("--devices names no card", "Say which: --devices 0,1")
    return [*_verify(accelerator, spec, engine), *_compute(accelerator, plan, spec, engine, cards)]


def _verify(accelerator: AcceleratorProfile, spec: RunSpec, engine: Engine) -> Iterator[CardCheck]:
    verify = accelerator.verify
    if verify is None:
        yield CardCheck("the vendor's tool", "not run", f"Portside knows none for {accelerator.name}")
        return
    line = shlex.join(verify.command)
    code, out, err = _run(engine, replace(spec, command=("/bin/sh", "-c", line)))
    tail = "\n".join((out or err).splitlines()[-_TAIL:])
    if code == 127:
        yield CardCheck(line, "not run", "neither the image nor the host's driver files have it")
    else:
        yield CardCheck(line, "failed" if code else "ok", tail or f"exit code {code}")


def _compute(
    accelerator: AcceleratorProfile, plan: Plan, spec: RunSpec, engine: Engine, cards: int
) -> Iterator[CardCheck]:
    framework = accelerator.framework
    if framework is None:
        yield CardCheck("PyTorch", "not run", f"Portside knows no plug-in of PyTorch for {accelerator.name}")
        return
    orders: dict[str, Any] = {
        "module": framework.module,
        "device": framework.device,
        "collective": framework.collective,
        "cards": cards,
    }
    mounts = (*spec.mounts, Mount(str(PROGRAM), INSIDE, read_only=True))
    command = (_interpreter(plan), "-B", INSIDE, json.dumps(orders))
    code, out, err = _run(engine, replace(spec, command=command, mounts=mounts))
    found = list(_rows(out))
    yield from found
    if not found or (code and not any(row.status == "failed" for row in found)):
        tail = "\n".join(err.splitlines()[-_TAIL:])
        yield CardCheck("the image's Python", "failed", tail or f"exit code {code}, and it said nothing")


def _interpreter(plan: Plan) -> str:
    return next((s.interpreter for s in reversed(plan.recipe.stages) if s.interpreter is not None), "python3")


def _rows(out: str) -> Iterator[CardCheck]:
    for line in out.splitlines():
        try:
            row = json.loads(line)
            yield CardCheck(str(row["check"]), row["status"], str(row["detail"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            continue  # frameworks write there too


def _run(engine: Engine, spec: RunSpec) -> tuple[int, str, str]:
    out, err = bytearray(), bytearray()

    def collect(stdout: bytes, stderr: bytes) -> None:
        out.extend(stdout)
        err.extend(stderr)

    code = engine.run(spec, collect)
    return code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


def tell(checks: Sequence[CardCheck]) -> None:
    """Say every check. Raises CheckError where one failed."""
    for row in checks:
        head, *rest = row.detail.splitlines() or [""]
        say(f"{row.status:8} {row.check}: {head}" + "".join(f"\n         {line}" for line in rest))
    if failed := [row.check for row in checks if row.status == "failed"]:
        raise CheckError(
            f"not on the card as it should be: {', '.join(failed)}",
            "invoke doctor says what the host has; --report FILE writes all of this for somebody else to look at.",
        )


def write_report(plan: Plan, engine: Engine, host: Host, checks: Sequence[CardCheck], target: Path) -> None:
    """All of it as JSON, for a person to send to somebody. Raises StoreError where it cannot be written."""
    recipe = plan.recipe
    accelerator = load_accelerator(recipe.model.accelerator.name, root=recipe.root)
    value = {
        "portside": __version__,
        "recipe": recipe.name,
        "accelerator": accelerator.name,
        "chip": chip_name(accelerator, host),
        "driver": driver_version(accelerator, host),
        "ways": ways_of(accelerator, host),
        "engine": engine.describe(),
        "machine": host.machine,
        "checks": [asdict(row) for row in checks],
    }
    write_text(target, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    say(f"{target}: read it before you send it to anybody; docs/running.md says where to")
