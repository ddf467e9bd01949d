"""This machine's cards as a file, for a dry run or the doctor elsewhere."""

from pathlib import Path

from portside.accelerators import Host, accelerator_names, load_accelerator
from portside.accelerators.describe import describe, to_yaml
from portside.common.outputs import write_text
from portside.common.progress import say


def write_description(host: Host, target: Path, root: Path | None) -> None:
    """root: of the project, which may describe accelerators of its own. Raises StoreError."""
    known = [load_accelerator(name, root=root) for name in accelerator_names(root=root)]
    found = describe(host, known, f"cards of a machine, written to {target.name} by the doctor")
    write_text(target, to_yaml(found))
    say(f"{target}: {len(found.nodes)} device node(s), {len(found.files)} file(s); read it before you give it away")
