"""This machine as a description: what Portside looks at for its cards, and nothing else of it.

The same functions look at a host that notes what it was asked for, so a description has what they need. Of files only
the lines are kept by which a driver, a chip or a number is known: no serial numbers, no names of people.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from portside.accelerators.accelerator import AcceleratorProfile
from portside.accelerators.described import DescribedNode, Description
from portside.accelerators.facts import Cards, ControlNode
from portside.accelerators.host import Host, Owner
from portside.accelerators.node_names import as_glob
from portside.accelerators.probe import chip_name, driver_version, find_cards, nodes_of, with_variant
from portside.accelerators.ways import DAEMON, runtimes, specifications, ways_of

_WHOLE = ("/etc/os-release", "/proc/sys/kernel/osrelease")
_MEMORY = re.compile(r"^Mem(?:Total|Available):.*$", re.MULTILINE)
HEAD = "# What Portside looks at of this machine's cards: --host FILE makes dry runs and the doctor those of it.\n"


class _Lines(yaml.SafeDumper):
    """Text of several lines as such, as people write it."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Lines.add_representer(str, _text)


@dataclass(frozen=True)
class NotingHost(Host):
    """A host that notes the paths which it was asked for and has."""

    nodes: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    there: set[str] = field(default_factory=set)

    def has_node(self, absolute: str) -> bool:
        if found := super().has_node(absolute):
            self.nodes.add(absolute)
        return found

    def exists(self, absolute: str) -> bool:
        if found := super().exists(absolute):
            self.there.add(absolute)
        return found

    def read(self, absolute: str) -> str | None:
        if (text := super().read(absolute)) is not None:
            self.files.add(absolute)
        return text

    def glob(self, pattern: str) -> list[str]:
        found = super().glob(pattern)
        self.there.update(path for path in found if not path.startswith("/dev/"))
        return found


def describe(host: Host, accelerators: Iterable[AcceleratorProfile], text: str) -> Description:
    """What there is of these accelerators on this machine. text: one line for people."""
    notes = NotingHost(root=host.root, is_node=host.is_node, machine=host.machine)
    known = list(accelerators)
    for accelerator in known:
        for one in (accelerator, *(with_variant(accelerator, v) for v in accelerator.variants.values())):
            _look(one, notes)
        chip_name(accelerator, notes)
    runtimes(notes)
    specifications(notes)
    files = {path: _kept(path, host.read(path) or "", known) for path in sorted(notes.files)}
    files |= {path: host.read(path) or "" for path in _WHOLE if host.exists(path)}
    files["/proc/meminfo"] = "".join(f"{line}\n" for line in _MEMORY.findall(host.read("/proc/meminfo") or ""))
    owners = {path: host.owner(path) or Owner(0, 0o666) for path in sorted(notes.nodes)}
    files["/etc/group"] = _groups(host, known, {owner.gid for owner in owners.values()})
    return Description(
        description=text,
        machine=host.machine,
        nodes={path: DescribedNode(mode=f"{owner.mode:04o}", gid=owner.gid) for path, owner in owners.items()},
        files={path: text for path, text in files.items() if text},
        there=tuple(sorted(notes.there - files.keys() - owners.keys())),
    )


def to_yaml(description: Description) -> str:
    values = description.model_dump(mode="json", exclude_defaults=True)
    return HEAD + yaml.dump(values, Dumper=_Lines, allow_unicode=True, sort_keys=False, width=200)


def _look(accelerator: AcceleratorProfile, host: Host) -> None:
    """Whatever a dry run or the doctor may ask of it."""
    find_cards(accelerator, host)
    driver_version(accelerator, host)
    ways_of(accelerator, host)
    for path in _node_patterns(accelerator.cards):
        for node in host.glob(path):
            host.has_node(node)
    for control in (*accelerator.control, *accelerator.rdma):
        nodes_of(control, host)
        _every(control, host)
    for file in accelerator.files:
        for path in file.paths:
            host.exists(path)


def _every(control: ControlNode, host: Host) -> None:
    for path in control.paths:
        host.has_node(path)


def _node_patterns(cards: Cards | None) -> Iterator[str]:
    if cards is not None:
        yield as_glob(cards.node)
        yield from (as_glob(one.path) for one in cards.beside)
        if cards.parts:
            yield as_glob(cards.parts.node)


def _kept(path: str, text: str, known: Iterable[AcceleratorProfile]) -> str:
    """The lines of a file that something is read out of."""
    if path == DAEMON:
        try:
            names = json.loads(text)["runtimes"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return ""
        return json.dumps({"runtimes": {name: {} for name in names}}) + "\n"
    patterns = [re.compile(pattern) for one in known for pattern in _patterns(one)]
    if Path(path).parent.name == "cdi":
        patterns = [re.compile(r"""[\s{]*["']?kind["']?\s*:""")]
    return "".join(f"{line}\n" for line in text.splitlines() if any(pattern.search(line) for pattern in patterns))


def _patterns(accelerator: AcceleratorProfile) -> Iterator[str]:
    if accelerator.driver:
        yield accelerator.driver.pattern
    if accelerator.chip:
        yield accelerator.chip.pattern
    for cards in (accelerator.cards, *(variant.cards for variant in accelerator.variants.values())):
        yield from (look.pattern for look in (cards.look if cards else ()))


def _groups(host: Host, known: Iterable[AcceleratorProfile], numbers: set[int]) -> str:
    """The lines of groups that matter, without their members."""
    names = {group.name for accelerator in known for group in accelerator.groups}
    kept = []
    for line in (host.read("/etc/group") or "").splitlines():
        name, *fields = line.split(":")
        if len(fields) > 1 and fields[1].isdigit() and (name in names or int(fields[1]) in numbers - {0}):
            kept.append(f"{name}:x:{fields[1]}:\n")
    return "".join(kept)
