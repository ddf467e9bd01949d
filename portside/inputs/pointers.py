"""Pointers of Git LFS in git sources: files that only say which file belongs in their place."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from portside.common.tree import decode_path, encode_path
from portside.common.values import FileName, Sha256, Size, TreeName
from portside.errors import InputError, StoreError
from portside.inputs.git_mirror import Blobs, Mirror
from portside.inputs.spool import Spool
from portside.lock.sources import LockedGitSource
from portside.net.suspect import POINTER_SIZES, Pointer, read_pointer

if TYPE_CHECKING:
    from portside.store import Store

KIND: Literal["pointers"] = "pointers"
"""The folder of the store that remembers what was found, by the name of a git tree, and in images by their parts."""


@dataclass(frozen=True)
class PointerFile:
    """A pointer at a path. sha256 (hex), size in bytes: of the file that it stands for."""

    path: str
    sha256: Sha256
    size: Size


def source_pointers(source: LockedGitSource, store: "Store") -> list[PointerFile] | None:
    """The pointers in a source's tree, by path; None where the store does not have the source.

    A repository is read once: what was found is remembered by the name of the tree.
    """
    found: list[PointerFile] = []
    for at, commit in source.placed():
        known = remembered(store, commit.tree)
        own = _read(commit, store) if known is None else known
        if own is None:
            return None
        found += [replace(file, path=f"{at}/{file.path}") for file in own] if at else own
    return sorted(found, key=lambda file: file.path)


def remembered(store: "Store", name: FileName) -> list[PointerFile] | None:
    """What was found before under a name; None where nobody has looked."""
    rows = store.record(KIND, name)
    return None if rows is None else [PointerFile(*row) for row in rows]


def remember(store: "Store", name: FileName, found: list[PointerFile]) -> None:
    with suppress(StoreError):  # who may only read the store looks again the next time
        store.keep(KIND, name, [(file.path, file.sha256, file.size) for file in found])


def pointer_file(path: str, pointer: Pointer) -> PointerFile:
    """A pointer at a path of any bytes, as a record can hold it."""
    return PointerFile(encode_path(path).decode("utf-8", "backslashreplace"), pointer.sha256, pointer.size)


def _read(source: LockedGitSource, store: "Store") -> list[PointerFile] | None:
    mirror = Mirror(source.url, None, store)
    try:
        if not mirror.has(source.commit):
            return None
        with store.workspace() as folder, Spool(folder) as spool, Blobs(mirror) as blobs:
            found = []
            for path, name in _small_files(mirror, source.tree):
                with blobs.read(name, spool)[0].open() as stream:
                    pointer = read_pointer(stream.read())
                if pointer is not None:
                    found.append(pointer_file(path, pointer))
    except (InputError, StoreError):  # a damaged mirror, no git, no right to write: who needs the source is told
        return None
    remember(store, source.tree, found)
    return found


def _small_files(mirror: Mirror, tree: TreeName) -> Iterator[tuple[str, str]]:
    """(path, object name) of every file that is as small as a pointer."""
    for row in mirror.git("ls-tree", "-r", "-l", "-z", "--full-tree", tree).split(b"\0")[:-1]:
        facts, _, path = row.partition(b"\t")
        mode, _, name, size = facts.decode("ascii").split()
        if mode.startswith("100") and int(size) in POINTER_SIZES:
            yield decode_path(path), name
