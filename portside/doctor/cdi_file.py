"""Where a specification of the Container Device Interface goes: to stdout, or a file that engines read."""

from pathlib import Path

from portside.accelerators import AcceleratorProfile, Host
from portside.accelerators.cdi import specification
from portside.accelerators.ways import specifications
from portside.common.outputs import write_text
from portside.common.progress import say
from portside.errors import RecipeError

SUFFIXES = (".json", ".yaml", ".yml")


def cdi_text(accelerator: AcceleratorProfile, host: Host) -> str:
    """The specification as JSON. Raises RecipeError or EngineError."""
    return specification(accelerator, host).to_json()


def write_cdi(accelerator: AcceleratorProfile, host: Host, target: Path) -> None:
    """Write the specification. Raises RecipeError for a name that no engine reads, and where another file of the host
    has the same devices: engines take neither of two; StoreError where the file cannot be written."""
    if target.suffix not in SUFFIXES:
        raise RecipeError(f"{target}: engines read {', '.join(SUFFIXES)}", f"Call it {target}.json.")
    text = cdi_text(accelerator, host)
    assert accelerator.cdi is not None
    kind = accelerator.cdi.kind
    others = [path for path in specifications(host).get(kind, []) if Path(path) != target.absolute()]
    if others and any(target.absolute().parent == Path(folder) for folder in ("/etc/cdi", "/var/run/cdi", "/run/cdi")):
        raise RecipeError(
            f"{others[0]} has devices of {kind} already, and of two with one name engines take none",
            "Use that one (--access cdi), or remove it first.",
        )
    write_text(target, text)
    say(f"{target}: devices of {kind}; try: invoke run-container --access cdi --devices 0 --dry-run")
