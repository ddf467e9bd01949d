"""Two file systems (or two layers) compared path by path; contents are only read where nothing else decides."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from portside.common.tree import Entry, encode_path
from portside.diff.sides import LayerFile, Side
from portside.layers.contents import with_hashes
from portside.layers.engine_layer import read
from portside.layers.layer import merge
from portside.layers.raw import RawLayer

WHITEOUT = "whiteout"
"""The kind that a layer shows for a path it removes."""

_ATTRIBUTES = ("mode", "uid", "gid", "size", "sha256", "link", "xattrs")


@dataclass(frozen=True)
class FileSystem:
    """What a side holds. entries: by path, with contents; files may lack their sha256. whiteouts: a layer's."""

    entries: Mapping[str, Entry]
    whiteouts: frozenset[str] = frozenset()

    def kind(self, path: str) -> str | None:
        entry = self.entries.get(path)
        if entry is not None:
            return entry.kind
        return WHITEOUT if path in self.whiteouts else None


@dataclass(frozen=True)
class FileChange:
    """One path that differs.

    left, right: its entries (None where a side has none; for files with sha256). kinds: of both sides, None where the
    path is absent. attributes: name -> both values as a person reads them (modes octal, times in seconds since 1970).
    """

    path: str
    change: Literal["added", "removed", "changed"]
    left: Entry | None
    right: Entry | None
    kinds: tuple[str | None, str | None]
    attributes: Mapping[str, tuple[str, str]]


class LayerReader:
    """Reads layers, each only once: a layer that both sides have gives both the same entries."""

    def __init__(self) -> None:
        self._layers: dict[str, RawLayer] = {}

    def read(self, file: LayerFile) -> RawLayer:
        if file.digest not in self._layers:
            self._layers[file.digest] = read(file.tar)
        return self._layers[file.digest]

    def files(self, side: Side) -> FileSystem:
        """Raises InputError for a layer that cannot be read."""
        if side.kind == "layer":
            raw = self.read(side.layers[0])
            removed = raw.whiteouts | {f"{path}/*" if path else "*" for path in raw.opaque}
            return FileSystem(raw.entries, frozenset(removed - raw.entries.keys()))
        state: Mapping[str, Entry] = {}
        for file in side.layers:
            raw = self.read(file)
            state = merge(state, raw.entries.values(), raw.whiteouts, raw.opaque)
        return FileSystem(state)


def compare(left: FileSystem, right: FileSystem, *, times: bool = False) -> list[FileChange]:
    """Every path that differs, in the order of the paths' bytes. times: a file's mtime counts too."""
    paths = left.entries.keys() | right.entries.keys() | left.whiteouts | right.whiteouts
    paths = {path for path in paths if _may_differ(path, left, right)}
    a, b = _complete(left.entries, paths), _complete(right.entries, paths)
    found = []
    for path in sorted(paths, key=encode_path):
        kinds = (left.kind(path), right.kind(path))
        one, other = a.get(path), b.get(path)
        attributes = _attributes(one, other, times) if one and other and one.kind == other.kind else {}
        if kinds[0] == kinds[1] and not attributes:
            continue
        change: Literal["added", "removed", "changed"] = (
            "added" if kinds[0] is None else "removed" if kinds[1] is None else "changed"
        )
        if kinds[0] and kinds[1] and kinds[0] != kinds[1]:
            attributes = {"kind": (kinds[0], kinds[1])}
        found.append(FileChange(path, change, one, other, kinds, attributes))
    return found


def _may_differ(path: str, left: FileSystem, right: FileSystem) -> bool:
    """Entries out of a layer that both sides have are the same objects; whatever their content, it is one."""
    one, other = left.entries.get(path), right.entries.get(path)
    if one is None and other is None:
        return (path in left.whiteouts) != (path in right.whiteouts)
    return one is not other


def _complete(entries: Mapping[str, Entry], wanted: Iterable[str]) -> dict[str, Entry]:
    """The wanted entries with their hashes; `link` of a file that shares its content is the first path that has it."""
    groups: dict[int, list[str]] = defaultdict(list)
    for path, entry in entries.items():
        if entry.kind == "file" and entry.content is not None:
            groups[id(entry.content)].append(path)
    first = {key: min(paths, key=encode_path) for key, paths in groups.items() if len(paths) > 1}
    chosen: Sequence[Entry] = [entries[path] for path in wanted if path in entries]
    done = {}
    for entry in with_hashes(chosen):
        target = first.get(id(entry.content))
        done[entry.path] = replace(entry, link=target) if target not in (None, entry.path) else entry
    return done


def _attributes(left: Entry, right: Entry, times: bool) -> dict[str, tuple[str, str]]:
    names = (*_ATTRIBUTES, "mtime") if times else _ATTRIBUTES
    return {
        name: (left.shown(name), right.shown(name)) for name in names if getattr(left, name) != getattr(right, name)
    }
