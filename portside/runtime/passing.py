"""Everything of the host that comes with the cards of a container, in each of the ways to pass them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from portside.accelerators import AcceleratorProfile, Card, Host, control_nodes
from portside.accelerators.facts import HostFile
from portside.accelerators.node_names import POSITION, fill
from portside.accelerators.probe import inside_of, nodes_of
from portside.accelerators.ways import CDI, RAW, TOOLKIT, chosen_way, has_toolkit, specifications
from portside.engines import Mount
from portside.errors import EngineError, PortsideError, RecipeError
from portside.runtime.lacking import Lacking, refuse

_EVERYBODY = 0o006
_GROUP = 0o060


@dataclass(frozen=True)
class Passed:
    """What of an accelerator a container gets; everything is empty without a card.

    nodes: path on the host -> path in the container. cdi: names of devices. groups: numbers, or names where no number
    is known.
    """

    nodes: Mapping[str, str] = field(default_factory=dict)
    cdi: tuple[str, ...] = ()
    runtime: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Mount, ...] = ()
    groups: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    seccomp: str | None = None
    ipc: str | None = None


def pass_cards(
    accelerator: AcceleratorProfile,
    cards: Sequence[Card],
    host: Host,
    lacking: Lacking = refuse,
    *,
    access: str = RAW,
    rdma: bool = False,
    asked: Mapping[str, str] | None = None,
) -> Passed:
    """Everything that comes with these cards.

    access: one of `ways.WAYS`. rdma: the host's RDMA nodes too. asked: the variables of the target and the person.
    lacking: called with EngineError for what the host lacks. Raises RecipeError for a way that these cards do not have,
    and for one that is asked for beside another.
    """
    if not cards:
        return Passed()
    way = chosen_way(accelerator, host, access)
    _check_way(accelerator, cards, way, asked or {})
    there = any(host.has_node(card.node) for card in cards)
    nodes = _nodes(accelerator, cards, host, there, lacking) if way == RAW else {}
    files = tuple(_files(accelerator.files, host, there, accelerator.name, lacking)) if way == RAW else ()
    if rdma:
        nodes |= _rdma(accelerator, host, lacking)
    env = {name: variable.value for name, variable in accelerator.variables.items()}
    if accelerator.visible and accelerator.visible.numbering == "container":
        env[accelerator.visible.variable] = ",".join(str(number) for number in range(len(cards)))
    toolkit = accelerator.toolkit
    if way == TOOLKIT:
        assert toolkit is not None
        # Of some toolkits no name of a file or runtime is known that would tell.
        if (toolkit.runtime or toolkit.files) and not has_toolkit(toolkit, host):
            lacking(
                EngineError(f"this host has no {toolkit.name}", "Install it, or say --access raw; see invoke doctor.")
            )
        env[toolkit.variable] = ",".join(fill(toolkit.value, card.values) for card in cards)
    elif toolkit is not None and toolkit.void is not None:
        env[toolkit.variable] = toolkit.void
    return Passed(
        nodes=nodes,
        cdi=tuple(_cdi_names(accelerator, cards, host, lacking)) if way == CDI else (),
        runtime=toolkit.runtime if way == TOOLKIT and toolkit else None,
        env=dict(sorted(env.items())),
        files=files,
        groups=tuple(_groups(accelerator, [node for card in cards for node in card.nodes], nodes, host, there)),
        capabilities=tuple(one.name for one in accelerator.capabilities),
        seccomp=accelerator.seccomp.profile if accelerator.seccomp else None,
        ipc=accelerator.ipc.mode if accelerator.ipc else None,
    )


def _check_way(accelerator: AcceleratorProfile, cards: Sequence[Card], way: str, asked: Mapping[str, str]) -> None:
    toolkit = accelerator.toolkit
    if way == TOOLKIT and toolkit is None:
        raise RecipeError(f"Portside knows no toolkit for {accelerator.name}", "Say --access raw.")
    if way == CDI and accelerator.cdi is None:
        raise RecipeError(f"Portside knows no CDI names for {accelerator.name}", "Say --access raw.")
    if way != RAW and any(card.part is not None for card in cards):
        raise RecipeError("a part of a card is passed by its nodes", "Say --access raw, or name a whole card.")
    if toolkit is not None and (own := asked.get(toolkit.variable)) not in (None, toolkit.void):
        by = "nodes" if way == RAW else "CDI" if way == CDI else "--devices"
        raise RecipeError(
            f"{toolkit.variable}={own} asks {toolkit.name} for cards, and {by} would pass them a second time",
            "Leave the variable out; --devices chooses the cards, --access toolkit the vendor's way.",
        )


def _nodes(
    accelerator: AcceleratorProfile, cards: Sequence[Card], host: Host, there: bool, lacking: Lacking
) -> dict[str, str]:
    control, missing = control_nodes(accelerator, host)
    if missing and there:
        lacking(
            EngineError(
                f"this host has {accelerator.name} cards, but no {' and no '.join(missing)}",
                "The driver is not loaded whole; invoke doctor says more.",
            )
        )
    inside = inside_of(accelerator.control)
    nodes = {path: inside.get(path, path) for path in (*control, *(path for path in missing if "*" not in path))}
    for position, card in enumerate(cards):
        for path in card.nodes:
            template = card.inside.get(path, path)
            nodes[path] = fill(template, {**card.values, POSITION: str(position)})
    return nodes


def _rdma(accelerator: AcceleratorProfile, host: Host, lacking: Lacking) -> dict[str, str]:
    if not accelerator.rdma:
        raise RecipeError(f"Portside knows no RDMA nodes for {accelerator.name}", "Leave --rdma out.")
    found = [path for node in accelerator.rdma for path in nodes_of(node, host)]
    if not found:
        wanted = " or ".join(node.path for node in accelerator.rdma)
        lacking(
            EngineError(f"this host has no {wanted}", "Load the drivers of its network cards, or leave --rdma out.")
        )
    return {path: path for path in found}


def _files(files: Iterable[HostFile], host: Host, there: bool, name: str, lacking: Lacking) -> Iterable[Mount]:
    """The files that the host has; those that are required also where no card is, for another host has both."""
    for file in files:
        source = next((path for path in file.paths if host.exists(path)), None)
        if source is None and file.required:
            if there:
                lacking(
                    EngineError(
                        f"this host has {name} cards, but no {' and no '.join(file.paths)}",
                        "The driver is not installed whole; invoke doctor says more.",
                    )
                )
            source = file.paths[0]
        if source is not None:
            yield Mount(source, file.target or file.paths[0], read_only=True)


def _cdi_names(accelerator: AcceleratorProfile, cards: Sequence[Card], host: Host, lacking: Lacking) -> Iterable[str]:
    cdi = accelerator.cdi
    assert cdi is not None
    if cdi.kind not in specifications(host):
        lacking(_no_specification(accelerator, cdi.kind, given=cdi.given))
    return [f"{cdi.kind}={fill(cdi.device, card.values)}" for card in cards]


def _no_specification(accelerator: AcceleratorProfile, kind: str, *, given: bool) -> PortsideError:
    path = f"/etc/cdi/{kind.replace('/', '-')}.json"
    made = f"as root: invoke cdi --accelerator {accelerator.name} --output {path}"
    return EngineError(
        f"this host has no CDI specification of {kind}",
        f"The vendor's tools write one; or {made}" if given else f"Write it, {made}",
    )


def _groups(
    accelerator: AcceleratorProfile, of_cards: Iterable[str], nodes: Iterable[str], host: Host, there: bool
) -> list[str]:
    """The groups that the accelerator names, and those that own a node which not everybody may use."""
    found: list[str] = []
    for group in accelerator.groups:
        number = host.gid(group.name)
        if number is not None:
            found.append(str(number))
        elif not there:
            found.append(group.name)
    for path in (*nodes, *of_cards):
        owner = host.owner(path)
        closed = owner is not None and owner.mode & _EVERYBODY != _EVERYBODY and owner.mode & _GROUP == _GROUP
        if owner is not None and closed and owner.gid != 0:
            found.append(str(owner.gid))
    return list(dict.fromkeys(found))
