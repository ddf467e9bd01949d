"""The one writer of layer tars; docs/canonical-layer.md, "The tar", says every byte."""

import hashlib
import struct
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from portside.common.canonical import CHUNK
from portside.common.tree import Entry, encode_path
from portside.common.values import DiffID, Size
from portside.errors import InputError
from portside.layers.contents import Reader
from portside.layers.engine_layer import read
from portside.layers.layer import Layer
from portside.layers.raw import WHITEOUT, Tar, TarLayer

BLOCK = 512
END = bytes(2 * BLOCK)
_NAME = 100
_SIZE_MAX = 0o77777777777
_ID_MAX = 0o7777777
_PAX_NAME = b"././@PaxHeader"
# name, mode, uid, gid, size, mtime, checksum, type, linkname, magic and version, uname and gname, devmajor, devminor,
# prefix and padding (POSIX.1-2017, pax, "ustar Interchange Format")
_HEADER = struct.Struct("100s 8s 8s 8s 12s 12s 8s c 100s 8s 64x 8s 8s 167x")
_ZERO = b"0000000\0"
_TYPES = {"file": b"0", "hardlink": b"1", "symlink": b"2", "dir": b"5", "fifo": b"6"}


@dataclass(frozen=True, slots=True)
class Written:
    """A layer tar: its diff ID (64 hex digits) and its bytes."""

    diff_id: DiffID
    size: Size


def write_layer(layer: Layer, out: BinaryIO | None) -> Written:
    """Write the layer's tar to `out`, or only compute what it would be (None).

    Streams: holds a few MiB, whatever the layer's size. Raises InputError where a content is missing or has changed.
    """
    sink = _Sink(out)
    with sink.pool, Reader() as reader:
        for head, entry in _members(layer):
            sink.write(head)
            if entry is not None:
                if entry.content is None or entry.content.size != entry.size:
                    raise InputError(f"the content of {entry.path} is missing or has changed")
                for chunk in reader.chunks(entry.content):
                    sink.write(chunk)
                sink.write(padding(entry.size))
        sink.write(END)
        return sink.finish()


def layer_size(layer: Layer) -> int:
    """The bytes of the layer's tar; reads no content."""
    members = (len(head) + (entry.size + len(padding(entry.size)) if entry else 0) for head, entry in _members(layer))
    return sum(members) + len(END)


def single_file_frame(layer: Layer) -> tuple[bytes, bytes]:
    """The tar's bytes before and after the content of its one file, which nothing but the end may follow.

    The file's content need not be there: what they are put around, when the tar is wanted, may lie anywhere.
    Raises ValueError for a layer of another shape.
    """
    members = list(_members(layer))
    if not members or [entry for _, entry in members if entry is not None] != [members[-1][1]]:
        raise ValueError("a frame needs a layer whose last entry is its only file")
    _, file = members[-1]
    assert file is not None
    return b"".join(head for head, _ in members), padding(file.size) + END


def read_layer(source: Path | Tar) -> Layer:
    """A tar that `write_layer` wrote, as a layer whose contents are ranges of it. source: a path is the tar's file.

    Raises InputError for what is no canonical layer tar.
    """
    from portside.layers.canonical import layer_of

    tar = TarLayer(source) if isinstance(source, Path) else source
    layer = layer_of(read(tar))
    if layer_size(layer) != tar.content.size:
        raise InputError.about(tar.path, "it is not a canonical layer", "Build it again.")
    return layer


class _Sink:
    """Collects small pieces, and hashes one batch while the next is read and written."""

    def __init__(self, out: BinaryIO | None) -> None:
        self.pool = ThreadPoolExecutor(max_workers=1)
        self._out = out
        self._digest = hashlib.sha256()
        self._hashing: Future[None] | None = None
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._size = 0

    def write(self, data: bytes) -> None:
        self._pieces.append(data)
        self._waiting += len(data)
        if self._waiting >= CHUNK:
            self._flush()

    def _flush(self) -> None:
        data = b"".join(self._pieces)
        if self._hashing is not None:
            self._hashing.result()
        self._hashing = self.pool.submit(self._digest.update, data)
        if self._out is not None:
            self._out.write(data)
        self._size += len(data)
        self._pieces, self._waiting = [], 0

    def finish(self) -> Written:
        self._flush()
        assert self._hashing is not None
        self._hashing.result()
        return Written(DiffID(self._digest.hexdigest()), Size(self._size))


def _members(layer: Layer) -> Iterator[tuple[bytes, Entry | None]]:
    """Every member's header blocks, in order, with the entry whose content follows (files only)."""
    rows: list[tuple[bytes, Entry | None]] = [(encode_path(entry.path), entry) for entry in layer.entries]
    for path in layer.whiteouts:
        folder, slash, gone = path.rpartition("/")
        rows.append((encode_path(f"{folder}{slash}{WHITEOUT}{gone}"), None))
    rows.sort(key=lambda row: row[0])
    for name, entry in rows:
        if entry is None:
            yield _pax({b"path": name} if _needs_pax(name) else {}) + _header(name, b"0"), None
        else:
            yield member_head(name, entry), entry if entry.kind == "file" else None


def member_head(path: bytes, e: Entry) -> bytes:
    """The header blocks of one member, whatever the tar is; a file's content and `padding` follow."""
    name = path + b"/" if e.kind == "dir" else path
    link = encode_path(e.link)
    size = e.size if e.kind == "file" else 0
    records = {b"SCHILY.xattr." + encode_path(key): value for key, value in e.xattrs}
    if _needs_pax(name):
        records[b"path"] = name
    if _needs_pax(link):
        records[b"linkpath"] = link
    numbers = {b"uid": (e.uid, _ID_MAX), b"gid": (e.gid, _ID_MAX), b"size": (size, _SIZE_MAX)}
    records |= {key: b"%d" % value for key, (value, limit) in numbers.items() if value > limit}
    uid, gid, size = (0 if value > limit else value for value, limit in numbers.values())
    return _pax(records) + _header(name, _TYPES[e.kind], e.mode, uid, gid, size, e.mtime, link)


def _needs_pax(name: bytes) -> bool:
    return len(name) > _NAME or not name.isascii()


def _pax(records: dict[bytes, bytes]) -> bytes:
    """An extended header with the records in the order of their keys, or nothing where there are none."""
    if not records:
        return b""
    body = b"".join(_record(key, value) for key, value in sorted(records.items()))
    return _header(_PAX_NAME, b"x", 0o644, size=len(body)) + body + padding(len(body))


def _record(key: bytes, value: bytes) -> bytes:
    """`LENGTH KEY=VALUE\\n`, where LENGTH counts itself too."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %b=%b\n" % (length, key, value)


def _header(
    name: bytes,
    kind: bytes,
    mode: int = 0,
    uid: int = 0,
    gid: int = 0,
    size: int = 0,
    mtime: int = 0,
    link: bytes = b"",
) -> bytes:
    if not 0 <= mtime <= _SIZE_MAX or min(uid, gid, size) < 0:
        raise ValueError(f"not canonical: {name!r} with time {mtime}, owner {uid}:{gid}, size {size}")
    block = _HEADER.pack(
        name,
        b"%07o" % (mode & 0o7777),
        b"%07o" % uid,
        b"%07o" % gid,
        b"%011o" % size,
        b"%011o" % mtime,
        b" " * 8,
        kind,
        link,
        b"ustar\x0000",
        _ZERO,
        _ZERO,
    )
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def padding(size: int) -> bytes:
    """What fills the last block of a content of `size` bytes."""
    return bytes(-size % BLOCK)
