"""docs/accelerators.md and docs/accelerators/*.md, generated from the models and from the accelerators' files.

Run as `python -m portside.reference.accelerators` to write them; a test fails when one is stale.
"""

from collections.abc import Iterator
from pathlib import Path

from portside.accelerators.accelerator import AcceleratorProfile
from portside.accelerators.load import accelerator_names, load_accelerator
from portside.common.outputs import write_text
from portside.reference.accelerator_page import LEVELS, level, page_text
from portside.reference.recipe import model_sections

HEAD = """# Accelerators

Generated from `portside/accelerators/` by `python -m portside.reference.accelerators`; edit the models and the YAML
files there, not this file.

A recipe names its accelerator (`accelerator.name`). What that means for a host and for a container is data: one file
`portside/accelerators/NAME.yaml`, with who says so at every fact.

**No card was at hand when this was written.** Node names, variables and files come from public sources (drivers, device
plugins, manuals, and what people run). They are tested on made-up hosts of real shapes, and with other device nodes of
a real Linux in the cards' place. If yours differ, the files are where to correct it, and `invoke doctor` and
`invoke run-container --dry-run` show what Portside makes of them.

"""

WHAT = """
*Confirmed*: what a container cannot do without is said by two sources that do not know each other. *Reported*: by one;
`run-container` and `doctor` say so. A file of your own without `sources` is yours to answer for, and nothing is said.

## A card of your own

A project has accelerators of its own in `accelerators/NAME.yaml` beside its `recipes/`
([configuration.md](configuration.md#projects)); nothing else changes. The least that there is:

    name: mycard
    description: MyVendor MyCard 1
    cards: {node: "/dev/mycard{index}"}

and a file with all that most cards need, to take lines from:

    name: mycard
    description: MyVendor MyCard 1
    sources:
      manual: {by: MyVendor, of: "MyCard driver manual 2.3, chapter 4", date: "2026-05-01"}
    cards: {node: "/dev/mycard{index}", source: manual}
    control: [{path: /dev/mycard_ctl, source: manual}]
    visible: {variable: MYCARD_VISIBLE_DEVICES, numbering: container, source: manual}
    files: [{paths: [/usr/lib/mycard/libmycard.so], required: true, source: manual}]
    driver:
      file: /proc/mycard/version
      pattern: '^Driver: (?P<version>[0-9.]+)'
      install: install MyVendor's driver package
      source: manual

Then `accelerator: {name: mycard}` in a recipe, and

    invoke doctor --recipe NAME                       # what this host has of it
    invoke run-container --recipe NAME --devices 0,1 --dry-run
    invoke run-container --recipe NAME --devices 0,1

## What a container gets

Without a card: nothing of the host. With cards: the control nodes, the nodes of exactly those cards, the tools and
libraries (read-only), the groups that own nodes which not everybody may use, the variables, and the limits. Nodes keep
their names, unless `inside` says another, and can be read and written, not made (`rw`, without `m`). A file that is
`required` stands in a dry run on any machine: the line is for a machine that has it.

**Numbers.** `--devices 8,9` means the nodes with 8 and 9 in their names on the host, or what `number` says. In the
container programs count the cards that they have from 0: `mlu:0` and `mlu:1`. The variable that chooses among the cards
is therefore set to `0,1`, never to the host's numbers. It is set at all because launch scripts count cards by it. For
NVIDIA this numbering is documented; for Cambricon it is our reading of the device plugin, which passes nodes and sets
nothing. If a driver should count otherwise, `--env MLU_VISIBLE_DEVICES=8,9` wins over what Portside sets. Where a
vendor's tools misread the variable in a container with some of the host's cards, the file says `unset`. A toolkit's
variable, in contrast, has the host's numbers, for it acts on the host.

**Building without a card.** Some software wants a variable where no card is: torch loads a plug-in by itself and
fails without the driver, kernels are compiled for a chip that cannot be asked. What `building` says is seen by every
step that a build executes and by the checks; no image has it. It is part of the keys of what is executed, and stands
as `ARG` in the rendered Dockerfile. What differs between chips stands in a variant, which a recipe names:
`accelerator: {name: ascend, variant: 310p}`.

**Parts.** `--devices 0.1` is part 1 of card 0 (MIM, sMLU), where a family's cards have parts.

**Ways.** `--access raw`, the default, passes nodes and files one by one and needs nothing but the driver. `toolkit`
asks the vendor's runtime by its variable. `cdi` names devices of a specification on the host (Docker 25, Podman 4.1 and
newer); `auto` takes the last of these three that the host has. Cards never come in two ways at once: with nodes the
toolkit's variable is `void`, and one that asks for cards is refused.
"""


def documents() -> dict[str, str]:
    """Path below docs/ -> the whole file, of every page."""
    known = [load_accelerator(name) for name in accelerator_names()]
    pages = {f"accelerators/{accelerator.name}.md": page_text(accelerator) for accelerator in known}
    return {"accelerators.md": _index(known), **pages}


def _index(known: list[AcceleratorProfile]) -> str:
    sections = model_sections(AcceleratorProfile.model_json_schema(), "Keys of a file")
    return "\n".join([HEAD + "\n".join(_table(known)), WHAT, *sections])


def _table(known: list[AcceleratorProfile]) -> Iterator[str]:
    yield "| name | cards | known | ways | chips that need something else |"
    yield "| --- | --- | --- | --- | --- |"
    for one in known:
        ways = ["raw"] if one.cards else []
        ways += ["toolkit"] if one.toolkit else []
        ways += ["cdi"] if one.cdi else []
        cells = [f"[{one.name}](accelerators/{one.name}.md)", one.description, LEVELS[level(one)]]
        cells += [", ".join(ways), ", ".join(f"`{name}`" for name in one.variants)]
        yield f"| {' | '.join(cells)} |"


def main() -> None:
    docs = Path(__file__).parents[2] / "docs"
    (docs / "accelerators").mkdir(exist_ok=True)
    for path, text in documents().items():
        write_text(docs / path, text)


if __name__ == "__main__":
    main()
