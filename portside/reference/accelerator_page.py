"""docs/accelerators/NAME.md: what is known of one family of cards, who says so, and others' lines beside ours."""

from collections.abc import Iterator, Sequence

from portside.accelerators.accelerator import SINGLE, AcceleratorProfile
from portside.accelerators.facts import UNLIMITED, Cards, ControlNode, Fact, HostFile
from portside.common.progress import human_bytes

LEVELS = {"none": "", "confirmed": "confirmed", "reported": "reported"}


def level(accelerator: AcceleratorProfile) -> str:
    """A key of LEVELS."""
    if accelerator.cards is None:
        return "none"
    return "reported" if accelerator.is_reported else "confirmed"


def page_text(accelerator: AcceleratorProfile) -> str:
    """The whole page."""
    lines = [
        f"# {accelerator.name}: {accelerator.description}",
        "",
        f"Generated from `portside/accelerators/{accelerator.name}.yaml` by "
        "`python -m portside.reference.accelerators`. [accelerators.md](../accelerators.md) says what the words mean.",
        "",
    ]
    if accelerator.cards is None:
        return "\n".join([*lines, "The container gets no device of the host.", ""])
    if accelerator.is_reported:
        lines += [
            "**Only reported**: something that a container cannot do without is known from one source. Nobody here has "
            "seen such a card; compare it with your vendor's manual, and tell us.",
            "",
        ]
    lines += ["| what | value | said by |", "| --- | --- | --- |"]
    lines += [f"| {what} | {value} | {said_by(accelerator, fact)} |" for what, value, fact in rows(accelerator)]
    for name, variant in accelerator.variants.items():
        lines += ["", f"## Variant {name}", "", f"{variant.description}."]
        if variant.match:
            lines += ["", f"Chosen where the host's chip is called like `{variant.match}`."]
        else:
            lines += ["", f"A recipe chooses it: `accelerator: {{name: {accelerator.name}, variant: {name}}}`."]
        if variant.without:
            lines += ["", f"Without {', '.join(f'`{one}`' for one in variant.without)}."]
        found: list[tuple[str, str, Fact]] = [
            ("building without a card", f"`{name}={one.value}`", one) for name, one in variant.building.items()
        ]
        found += [*_cards(variant.cards), *_nodes(variant.control, "control node"), *_files(variant.files)]
        if found:
            lines += ["", "| what | value | said by |", "| --- | --- | --- |"]
            lines += [f"| {what} | {value} | {said_by(accelerator, fact)} |" for what, value, fact in found]
    lines += _lines(accelerator)
    lines += ["", "## Sources", "", "| name | by | what | date |", "| --- | --- | --- | --- |"]
    lines += [f"| {name} | {one.by} | {one.of} | {one.date} |" for name, one in accelerator.sources.items()]
    return "\n".join([*lines, ""])


def said_by(accelerator: AcceleratorProfile, fact: Fact) -> str:
    """The names of its sources; a fact that one alone says is marked."""
    names = ", ".join(fact.source)
    why = getattr(fact, "why", None)
    if not names:
        return str(why or "nobody")
    return names if len(accelerator.publishers(fact)) >= SINGLE else f"{names} *(one source)*"


def rows(accelerator: AcceleratorProfile) -> Iterator[tuple[str, str, Fact]]:
    """(what it is, its value, the fact), in the order of the page."""
    yield from _cards(accelerator.cards)
    yield from _nodes(accelerator.control, "control node")
    yield from _nodes(accelerator.rdma, "with `--rdma`")
    if visible := accelerator.visible:
        how = "`0,1,…` for the cards passed" if visible.numbering == "container" else "never set"
        yield "variable that chooses cards", f"`{visible.variable}`: {how}", visible
    for name, variable in sorted(accelerator.variables.items()):
        yield "variable", f"`{name}={variable.value}`", variable
    for name, variable in sorted(accelerator.building.items()):
        yield "building without a card", f"`{name}={variable.value}`", variable
    yield from _files(accelerator.files)
    for group in accelerator.groups:
        yield "group", f"`{group.name}` of the host", group
    for capability in accelerator.capabilities:
        yield "capability", f"`{capability.name}`: {capability.why}", capability
    if seccomp := accelerator.seccomp:
        yield "seccomp", f"`{seccomp.profile}`: {seccomp.why}", seccomp
    if ipc := accelerator.ipc:
        yield "ipc", f"`{ipc.mode}`: {ipc.why}", ipc
    if accelerator.shm_size:
        yield "/dev/shm", f"at most {human_bytes(accelerator.shm_size.size)}", accelerator.shm_size
    for name, one in sorted(accelerator.ulimits.items()):
        yield f"limit {name}", "unlimited" if one.limit == UNLIMITED else str(one.limit), one
    if toolkit := accelerator.toolkit:
        runtime = f"`--runtime {toolkit.runtime}`, " if toolkit.runtime else ""
        least = f", {toolkit.minimum} or newer" if toolkit.minimum else ""
        void = f"; `{toolkit.void}` for none" if toolkit.void else ""
        yield (
            "`--access toolkit`",
            f"{toolkit.name}{least}: {runtime}`{toolkit.variable}={toolkit.value}`{void}",
            toolkit,
        )
    if cdi := accelerator.cdi:
        by = "the vendor's tools write the specification" if cdi.given else "`invoke cdi` writes the specification"
        yield "`--access cdi`", f"`{cdi.kind}={cdi.device}`; {by}", cdi
    if verify := accelerator.verify:
        yield "lists the cards", f"`{' '.join(verify.command)}`", verify
    if framework := accelerator.framework:
        plugin = f"`import {framework.module}`, " if framework.module else ""
        collective = f", collectives by `{framework.collective}`" if framework.collective else ""
        yield "PyTorch", f"{plugin}`{framework.device}:0`{collective}", framework
    if driver := accelerator.driver:
        yield "driver's version", f"from `{driver.file}`, a line like `{driver.pattern}`".replace("|", "\\|"), driver
        if driver.versions:
            yield "driver wanted, unless the recipe says", f"`{driver.versions}`", driver
    if chip := accelerator.chip:
        yield "chip's name", f"from `{chip.file}`, a line like `{chip.pattern}`".replace("|", "\\|"), chip


def _cards(cards: Cards | None) -> Iterator[tuple[str, str, Fact]]:
    if cards is None:
        return
    inside = f", in the container `{cards.inside}`" if cards.inside else ""
    yield "a card's node", f"`{cards.node}`{inside}", cards
    if cards.find:
        yield "cards are found by", f"`{cards.find}`", cards
    for look in cards.look:
        yield "further numbers", f"from `{look.file}`, a line like `{look.pattern}`".replace("|", "\\|"), look
    if cards.number != "{index}":
        yield "a card's number", f"`{cards.number}`", cards
    for node in cards.beside:
        where = f", found by `{node.find}`" if node.find else ""
        yield "beside it" if node.required else "beside it, where present", f"`{node.path}`{where}", node
    if cards.parts:
        yield "a part of it", f"`{cards.parts.node}`", cards.parts


def _nodes(nodes: Sequence[ControlNode], what: str) -> Iterator[tuple[str, str, Fact]]:
    for node in nodes:
        inside = f", in the container `{node.inside}`" if node.inside and node.instead else ""
        names = " or ".join(f"`{path}`" for path in node.paths)
        yield f"{what}{'' if node.required else ', where present'}", names + inside, node


def _files(files: Sequence[HostFile]) -> Iterator[tuple[str, str, Fact]]:
    for file in files:
        target = f", at `{file.target or file.paths[0]}`" if len(file.paths) > 1 or file.target else ""
        what = "of the host, required" if file.required else "of the host, where present"
        yield what, " or ".join(f"`{path}`" for path in file.paths) + target, file


def _lines(accelerator: AcceleratorProfile) -> list[str]:
    if not accelerator.documented:
        return []
    out = ["", "## What others run, and what is otherwise here", ""]
    out += [
        "Each line stands as in its source. A test compares it with what `run-container` does for the same cards on a "
    ]
    out[-1] += "made-up host; every difference has its reason."
    for line in accelerator.documented:
        out += ["", f"From {', '.join(line.source)} (`--access {line.access}`):", ""]
        out += [f"    {row}" for row in line.line.splitlines()]
        out += ["", "| otherwise here | why |", "| --- | --- |"]
        for one in line.differences:
            options = ", ".join(f"`{option}`" for option in one.options)
            out.append(f"| {options} | {one.why} |")
    return out
