"""docs/accelerators.md, generated from the models and from the accelerators' files.

Run as `python -m portside.reference.accelerators` to write it; a test fails when it is stale.
"""

from pathlib import Path

from portside.accelerators.accelerator import UNLIMITED, AcceleratorProfile
from portside.accelerators.load import accelerator_names, load_accelerator
from portside.common.outputs import write_text
from portside.common.progress import human_bytes
from portside.reference.recipe import model_sections

HEAD = """# Accelerators

Generated from `portside/accelerators/` by `python -m portside.reference.accelerators`; edit the models and the YAML
files there, not this file.

A recipe names its accelerator (`accelerator.name`). What that means for a host and for a container is data: one file
`portside/accelerators/NAME.yaml`, in which comments say where its facts come from. To add an accelerator, add a file
and run that command; nothing else changes. A project has accelerators of its own in `accelerators/NAME.yaml` beside its
`recipes/`; see [configuration.md](configuration.md#projects).

**No card was at hand when this was written.** Node names, variables and files come from the public sources that the
files name (drivers, device plugins, manuals). They are tested on made-up hosts of real shapes, and with other device
nodes of a real Linux in the cards' place. If yours differ, the files are where to correct it, and `invoke doctor` and
`invoke run-container --dry-run` show what Portside makes of them.

## What a container gets

Without a card: nothing of the host. With cards: the control nodes, the nodes of exactly those cards, the tools and
libraries below (read-only, where the host has them), the variables, and the limits. Nodes keep their names and can be
read and written, not made (`rw`, without `m`).

**Numbers.** `--devices 8,9` means the nodes with 8 and 9 in their names on the host. In the container programs count
the cards that they have from 0: `mlu:0` and `mlu:1`. The variable that chooses among the cards is therefore set to
`0,1`, never to the host's numbers. It is set at all because launch scripts count cards by it. For NVIDIA this
numbering is documented; for Cambricon it is our reading of the device plugin, which passes nodes and sets nothing. If
a driver should count otherwise, `--env MLU_VISIBLE_DEVICES=8,9` wins over what Portside sets. Where a vendor's tools
misread the variable in a container with some of the host's cards, the accelerator's file says `unset`.
"""


def document_text() -> str:
    """The whole file."""
    known = [load_accelerator(name) for name in accelerator_names()]
    sections = [_section(accelerator) for accelerator in known]
    return "\n".join([HEAD, *sections, *model_sections(AcceleratorProfile.model_json_schema(), "Keys of a file")])


def _section(accelerator: AcceleratorProfile) -> str:
    lines = [f"## {accelerator.name}", "", f"{accelerator.description[0].upper()}{accelerator.description[1:]}.", ""]
    rows = _rows(accelerator)
    if rows:
        lines += ["| what | value |", "| --- | --- |", *(f"| {what} | {value} |" for what, value in rows), ""]
    return "\n".join(lines)


def _rows(accelerator: AcceleratorProfile) -> list[tuple[str, str]]:
    cards, visible, driver = accelerator.cards, accelerator.visible, accelerator.driver
    if cards is None:
        return []
    rows = [("a card's node", f"`{cards.node}`")]
    if cards.beside:
        rows.append(("beside it, where present", _codes(cards.beside)))
    rows += [
        (f"control node{'' if node.required else ', where present'}", f"`{node.path}`") for node in accelerator.control
    ]
    if visible:
        how = "`0,1,…` for the cards passed" if visible.numbering == "container" else "never set"
        rows.append(("variable that chooses cards", f"`{visible.variable}`: {how}"))
    rows += [("variable", f"`{name}={value}`") for name, value in sorted(accelerator.variables.items())]
    for file in accelerator.files:
        target = f", at `{file.target or file.paths[0]}`" if len(file.paths) > 1 or file.target else ""
        rows.append(("of the host, read-only", " or ".join(f"`{path}`" for path in file.paths) + target))
    if accelerator.shm_size:
        rows.append(("/dev/shm", f"at most {human_bytes(accelerator.shm_size)}"))
    for name, limit in sorted(accelerator.ulimits.items()):
        rows.append((f"limit {name}", "unlimited" if limit == UNLIMITED else str(limit)))
    if driver:
        rows.append(("driver's version", f"from `{driver.file}`, a line like `{driver.pattern}`".replace("|", "\\|")))
        if driver.versions:
            rows.append(("driver wanted, unless the recipe says", f"`{driver.versions}`"))
    return rows


def _codes(values: tuple[str, ...]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def main() -> None:
    write_text(Path(__file__).parents[2] / "docs" / "accelerators.md", document_text())


if __name__ == "__main__":
    main()
