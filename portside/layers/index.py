"""What an image's file system holds: path by path, without the bytes."""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from portside.common.canonical import canonical_json
from portside.common.tree import Entry, encode_path
from portside.errors import StoreError
from portside.layers.layer import Layer, merge

_HEAD = ["portside index", 1]


class Index:
    """Path -> entry without content, in the order of the paths' bytes. Immutable.

    A hard link repeats all attributes of its file and names the group's first path in `link`.
    """

    __slots__ = ("_entries",)

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries = {entry.path: entry for entry in sorted(entries, key=lambda entry: encode_path(entry.path))}

    @classmethod
    def empty(cls) -> "Index":
        return cls()

    @classmethod
    def of(cls, layers: Iterable[Layer]) -> "Index":
        """The index of an image that consists of `layers`, lowest first."""
        index = cls()
        for layer in layers:
            index = index.apply(layer)
        return index

    @property
    def entries(self) -> Mapping[str, Entry]:
        return self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __contains__(self, path: str) -> bool:
        return path in self._entries

    def get(self, path: str) -> Entry | None:
        return self._entries.get(path)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Index) and self._entries == other._entries

    __hash__ = None  # type: ignore[assignment]

    def apply(self, layer: Layer) -> "Index":
        """The index of the image with one more layer on top."""
        state = merge(self._entries, layer.entries, frozenset(layer.whiteouts))
        bare = (entry if entry.content is None else replace(entry, content=None) for entry in state.values())
        index = Index(bare)
        index._found_groups_again(self)
        return index

    def _found_groups_again(self, below: "Index") -> None:
        """Where a layer took the first path of a group of hard links, the next one becomes the group's file."""
        first: dict[str, str] = {}
        for path, entry in self._entries.items():
            if entry.kind != "hardlink" or below._entries.get(path) is not entry:
                continue  # a link of the new layer is right as it is
            if self._entries.get(entry.link) is below._entries[entry.link]:
                continue
            target = first.setdefault(entry.link, path)
            if target == path:
                self._entries[path] = replace(entry, kind="file", link="")
            else:
                self._entries[path] = replace(entry, link=target)

    def dump(self) -> bytes:
        """The index as gzip'd JSON lines: a heading, then one row per path."""
        rows = [canonical_json(_HEAD)]
        for e in self:
            xattrs = [[name, value.hex()] for name, value in e.xattrs]
            row = [e.path, e.kind, e.mode, e.uid, e.gid, e.mtime, e.size, e.sha256, e.link, xattrs]
            rows.append(canonical_json(row))
        return gzip.compress(b"\n".join(rows), compresslevel=1, mtime=0)

    @classmethod
    def load(cls, data: bytes) -> "Index":
        """What `dump` wrote. Raises StoreError for anything else."""
        try:
            text = gzip.decompress(data).decode("utf-8", "surrogateescape")
            head, *rows = json.loads(f"[{text.replace(chr(10), ',')}]")  # one call is ten times faster than one a line
            if head != _HEAD:
                raise ValueError(f"it starts with {head!r}")
            index = cls()
            for path, kind, mode, uid, gid, mtime, size, sha256, link, pairs in rows:
                xattrs = tuple((name, bytes.fromhex(value)) for name, value in pairs)
                index._entries[path] = Entry(path, kind, mode, uid, gid, mtime, size, sha256, link, xattrs)
            return index
        except (ValueError, TypeError, IndexError, EOFError, OSError, zlib.error) as error:
            raise StoreError(f"not an index of a file system: {error}", "Remove it; it is made again.") from error
