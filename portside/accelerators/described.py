"""Another machine's cards, as a file describes them: what a dry run and the doctor look at in place of this machine.

`invoke doctor --describe FILE` writes such a file; `like:8xmlu370` is one that is made up.
"""

import fnmatch
import json
import platform
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from portside.accelerators.accelerator import AcceleratorProfile
from portside.accelerators.host import Host, Owner
from portside.accelerators.load import load_accelerator
from portside.accelerators.node_names import can_fill, fill
from portside.accelerators.probe import Card, for_host, made_up_card
from portside.accelerators.ways import DAEMON
from portside.common.explain import explain
from portside.common.fields import Matching, Name, OneLine
from portside.common.yaml_file import FileLine, read_yaml
from portside.errors import RecipeError

LIKE = "like:"
_LIKE = re.compile(
    r"like:(?P<count>[0-9]{1,3})x(?P<name>[A-Za-z0-9._-]+?)(?:/(?P<variant>[A-Za-z0-9._-]+))?(?P<ways>(?:[+](?:toolkit|cdi))*)"
)
MOST = 256
"""Cards of a host that is made up."""
_EXPECTED = (
    "Expected a file that invoke doctor --describe wrote, or like:8xmlu370, like:1xascend/200i-soc, "
    "like:8xrocm+toolkit+cdi."
)

AbsolutePath = Annotated[str, Matching(r"^(/(?!\.{1,2}(/|$))[^/\x00-\x1f]+)+$", "an absolute path without '.' or '..'")]
Mode = Annotated[str, Matching(r"^0[0-7]{3}$", 'permission bits such as "0660", in quotes')]


class DescribedNode(BaseModel):
    """A device node."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode = "0666"
    gid: Annotated[int, Field(strict=True, ge=0)] = 0


class Description(BaseModel):
    """A machine, as far as Portside looks at it.

    files: path -> text. there: paths that exist, of which nothing is read. variants: accelerator -> the variant of its
    chips, where no file tells.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: OneLine
    machine: OneLine = "x86_64"
    nodes: dict[AbsolutePath, DescribedNode] = {}
    files: dict[AbsolutePath, str] = {}
    there: tuple[AbsolutePath, ...] = ()
    variants: dict[Name, Name] = {}


@dataclass(frozen=True)
class DescribedHost(Host):
    """A machine that only a description is known of. Nothing of this machine is looked at."""

    description: Description = field(default_factory=lambda: Description(description="nothing"))
    described: bool = True

    def exists(self, absolute: str) -> bool:
        return posixpath.normpath(absolute) in self._paths

    def has_node(self, absolute: str) -> bool:
        return absolute in self.description.nodes

    def is_folder(self, absolute: str) -> bool:
        return any(path.startswith(f"{absolute}/") for path in self._paths)

    def owner(self, absolute: str) -> Owner | None:
        node = self.description.nodes.get(absolute)
        return None if node is None else Owner(node.gid, int(node.mode, 8))

    def glob(self, pattern: str) -> list[str]:
        parts = [re.compile(fnmatch.translate(part)) for part in pattern.strip("/").split("/")]
        return sorted(path for path in self._paths if _matches(path, parts))

    def read(self, absolute: str) -> str | None:
        return self.description.files.get(absolute)

    @property
    def _paths(self) -> set[str]:
        named = (*self.description.nodes, *self.description.files, *self.description.there)
        return {path for name in named for path in _with_parents(name)}


def _with_parents(path: str) -> Iterable[str]:
    while path != "/":
        yield path
        path = posixpath.dirname(path)


def _matches(path: str, parts: list[re.Pattern[str]]) -> bool:
    names = path.strip("/").split("/")
    return len(names) == len(parts) and all(
        part.match(name) is not None for part, name in zip(parts, names, strict=True)
    )


def described_host(text: str, host: Host, root: Path | None = None) -> DescribedHost:
    """The machine that a person names: a file, or `like:COUNTxNAME[/VARIANT][+toolkit][+cdi]`.

    host: this machine, whose person and terminal stay. root: the project's. Raises RecipeError.
    """
    if not text.startswith(LIKE):
        return as_host(_read(Path(text)), host)
    match = _LIKE.fullmatch(text)
    if match is None or int(match["count"]) > MOST:
        raise RecipeError(f"not a host: {text!r}", _EXPECTED)
    return as_host(
        like(load_accelerator(match["name"], root=root), int(match["count"]), match["variant"], match["ways"]), host
    )


def as_host(description: Description, host: Host) -> DescribedHost:
    return DescribedHost(
        user=host.user,
        terminal=host.terminal,
        machine=description.machine,
        variants=description.variants,
        description=description,
    )


def _read(path: Path) -> Description:
    if not path.is_file():
        raise RecipeError(f"there is no file {path}", _EXPECTED)
    values, places = read_yaml(path)
    try:
        return Description.model_validate(values)
    except ValidationError as error:
        raise RecipeError("\n".join(explain(error, Description, places, FileLine(path, 1))), _EXPECTED) from None


def like(accelerator: AcceleratorProfile, count: int, variant: str | None = None, ways: str = "") -> Description:
    """A host with so many of these cards, and with everything that their data know.

    ways: `+toolkit`, `+cdi`, or both: with the vendor's toolkit, with a CDI specification. Raises RecipeError.
    """
    accelerator = for_host(accelerator, Host(root=Path("/nonexistent")), variant)
    if accelerator.cards is None:
        raise RecipeError(f"the accelerator '{accelerator.name}' has no cards", "Name another: like:8xmlu370.")
    first = accelerator.cards.like.get("index", 0)
    cards = [made_up_card(accelerator, first + number) for number in range(count)]
    nodes = [path for card in cards for path in card.nodes]
    nodes += [node.path.replace("*", str(n)) for node in accelerator.rdma for n in range(2 if "*" in node.path else 1)]
    nodes += [node.path for node in accelerator.control]
    files, there = _driver(accelerator), [path for file in accelerator.files for path in file.paths[:1]]
    for card in cards:
        files |= _of_card(accelerator, card)
    if accelerator.toolkit and "+toolkit" in ways:
        there += accelerator.toolkit.files
        files[DAEMON] = json.dumps(
            {"runtimes": {accelerator.toolkit.runtime: {}} if accelerator.toolkit.runtime else {}}
        )
    if accelerator.cdi and "+cdi" in ways:
        files["/etc/cdi/made-up.json"] = json.dumps({"kind": accelerator.cdi.kind})
    groups = {group.name: 40 + number for number, group in enumerate(accelerator.groups)}
    files["/etc/group"] = "root:x:0:\n" + "".join(f"{name}:x:{gid}:\n" for name, gid in groups.items())
    files["/etc/os-release"] = 'PRETTY_NAME="a host that is made up"\n'
    return Description(
        description=f"made up: {count} {accelerator.name}{f'/{variant}' if variant else ''}",
        machine=platform.machine(),
        nodes={path: DescribedNode() for path in nodes},
        files=files,
        there=tuple(dict.fromkeys(there)),
        variants={accelerator.name: variant} if variant else {},
    )


def _driver(accelerator: AcceleratorProfile) -> dict[str, str]:
    driver = accelerator.driver
    if driver is None or driver.example is None:
        return {}
    return {driver.file.replace("*", "0000:10:00.0"): driver.example + "\n"}


def _of_card(accelerator: AcceleratorProfile, card: Card) -> dict[str, str]:
    """The files by which a card and its numbers are found."""
    cards, files = accelerator.cards, dict[str, str]()
    assert cards is not None
    templates = [cards.find, *(one.find for one in cards.beside)]
    for template in filter(None, templates):
        if can_fill(template, card.values):
            files[fill(template, card.values).replace("*", "0")] = ""
    for look in cards.look:
        path = fill(look.file, card.values)
        files[path.replace("*", "0")] = (
            files.get(path, "") + (look.example or _line_of(look.pattern, card.values)) + "\n"
        )
    return {path: text for path, text in files.items() if path not in card.nodes}


def _line_of(pattern: str, values: Mapping[str, str]) -> str:
    """A line that a simple pattern with named groups matches: text, groups, and what stands for blanks."""
    line = re.sub(r"\(\?P<([a-z]+)>[^()]*\)", lambda group: values.get(group[1], "0"), pattern.strip("^$"))
    line = re.sub(r"\\s[*+]", " ", line)
    return re.sub(r"\\(.)", r"\1", line)
