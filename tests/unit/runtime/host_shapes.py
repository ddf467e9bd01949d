"""Every family on made-up hosts, as text: what `run-container --dry-run` passes and says, and what the doctor finds.

`python tests/unit/runtime/host_shapes.py` writes `dry_runs/NAME.txt` anew; look at what changed.
"""

from collections.abc import Iterator
from pathlib import Path

from runtime_recipes import make_recipe

from portside.accelerators import AcceleratorProfile, Host, accelerator_names, load_accelerator
from portside.accelerators.described import Description, as_host, like
from portside.accelerators.ways import CDI, RAW, TOOLKIT
from portside.doctor.devices import examine_devices
from portside.errors import PortsideError
from portside.runtime import container_spec, noted, read_intent
from portside.runtime.documented import options_of_spec

FOLDER = Path(__file__).with_name("dry_runs")
PERSON = Host(user="li")


def families() -> list[str]:
    return [name for name in accelerator_names() if load_accelerator(name).cards is not None]


def shapes(accelerator: AcceleratorProfile) -> Iterator[tuple[str, Description, str, str]]:
    """(title, host, devices, access) of the hosts of a family."""
    nothing = Description(description="no card and no driver", machine="x86_64")
    yield "no card here, two asked for", nothing, "0,1", RAW
    yield "one card", like(accelerator, 1), "all", RAW
    yield "two of eight", like(accelerator, 8), "4,5", RAW
    yield "sixteen", like(accelerator, 16), "all", RAW
    full = like(accelerator, 2)
    yield "no driver's files", full.model_copy(update={"there": (), "files": _found_by(accelerator, full)}), "0", RAW
    control = {node.path for node in accelerator.control}
    if control:
        bare = {path: node for path, node in full.nodes.items() if path not in control}
        yield "no control nodes", full.model_copy(update={"nodes": bare}), "0", RAW
    for way in [way for way, known in ((TOOLKIT, accelerator.toolkit), (CDI, accelerator.cdi)) if known]:
        yield f"{way} where the host has it", like(accelerator, 8, None, f"+{way}"), "4,5", way
        yield f"{way} where it has none", like(accelerator, 8), "4,5", way
    for name, variant in accelerator.variants.items():
        first = variant.cards.like.get("index", 0) if variant.cards else 0
        yield f"variant {name}", like(accelerator, 2, name), str(first), RAW


def _found_by(accelerator: AcceleratorProfile, full: Description) -> dict[str, str]:
    """The kernel's files by which cards are found, and not those of the driver's own packages."""
    driver = accelerator.driver.file.partition("*")[0] if accelerator.driver else "/"
    return {
        path: text for path, text in full.files.items() if path.startswith("/sys/bus") or not path.startswith(driver)
    }


def text_of(name: str) -> str:
    accelerator = load_accelerator(name)
    out: list[str] = []
    for title, description, devices, access in shapes(accelerator):
        out.append(f"== {title}")
        out += _one(accelerator, as_host(description, PERSON), devices, access)
        out.append("")
    return "\n".join(out)


def _one(accelerator: AcceleratorProfile, host: Host, devices: str, access: str) -> Iterator[str]:
    said: list[str] = []
    recipe = make_recipe(accelerator=accelerator.name)
    intent = read_intent(recipe, command="true", devices=devices, access=access)
    try:
        spec = container_spec(intent, host, accelerator=accelerator, lacking=noted(said.append), warn=said.append)
    except PortsideError as error:
        yield f"refused: {error.problem}"
        return
    yield from (f"  {option}" for option in sorted(options_of_spec(spec, host)))
    yield from (f"said: {text}" for text in said)
    for finding in examine_devices(host, recipe, accelerator):
        if finding.status != "ok":
            yield f"doctor: {finding.status}: {finding.subject}: {finding.text}"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in families():
        (FOLDER / f"{each}.txt").write_text(text_of(each), encoding="utf-8")
