"""Read the tar of an image archive as a stream, in bounded memory, without trusting it.

ustar, PAX and GNU headers (POSIX.1-2017, pax; GNU tar manual, "Basic Tar Format"). Nothing is ever unpacked under a
name of the archive; names only tell which member is which. The standard library's tarfile would read a header of any
size into memory, and keeps all members.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

from portside.common.canonical import CHUNK
from portside.common.tree import decode_path
from portside.errors import InputError

BLOCK = 512
MOST_MEMBERS = 20_000
"""An image has at most 127 layers on any engine, and tools write a handful of members for each."""
LARGEST_HEADER = 1 << 20
"""Bytes of one extended header; names are below 4096."""
LARGEST_MEMBER = 1 << 50
# name, mode, uid, gid, size, mtime, checksum, type, linkname, magic and version, uname, gname, devmajor, devminor,
# prefix
_HEADER = struct.Struct("100s 8s 8s 8s 12s 12s 8s c 100s 8s 32s 32s 8s 8s 155s 12x")


@dataclass(frozen=True, slots=True)
class TarMember:
    """A file or a link. name: clean path below the archive's root. link: the name in the archive that it stands for."""

    name: str
    kind: Literal["file", "link"]
    size: int = 0
    link: str = ""


class TarContent:
    """The bytes of the member that was read last; valid until the next one is."""

    def __init__(self, source: BinaryIO, size: int, name: str) -> None:
        self.left = size
        self._source = source
        self._name = name

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, at most CHUNK of them; none at the end."""
        wanted = min(self.left, CHUNK if size < 0 else size, CHUNK)
        data = self._source.read(wanted) if wanted else b""
        if len(data) < wanted and not data:
            raise InputError(f"the archive ends in the middle of {self._name}")
        self.left -= len(data)
        return data


def members(source: BinaryIO) -> Iterator[tuple[TarMember, TarContent]]:
    """The files and links of a tar, each with its content; folders are left out.

    Raises InputError for a damaged tar, names that are no paths below a root or come twice, devices and sparse files.
    """
    seen: set[str] = set()
    extended: dict[str, bytes] = {}
    count = 0
    while True:
        block = _exactly(source, BLOCK)
        if block.count(0) == BLOCK:
            return
        count += 1
        if count > MOST_MEMBERS:
            raise InputError(f"the archive has more than {MOST_MEMBERS} members")
        kind, size, name, link = _fields(block)
        if kind in b"xgLK":
            extended |= _extension(source, kind, size)
            continue
        size = _number(extended["size"].decode("ascii", "replace")) if "size" in extended else size
        name, link = extended.get("path", name), extended.get("linkpath", link)
        if any(key.startswith("GNU.sparse") for key in extended):
            raise InputError(f"{decode_path(name)} is a sparse file, which no image archive has")
        extended = {}
        path = _clean(name)
        if kind == b"5":
            size = 0
        elif kind in (b"\0", b"0", b"7"):
            _once(path, seen)
            content = TarContent(source, size, path)
            yield TarMember(path, "file", size), content
            while content.read():
                pass
            _exactly(source, -size % BLOCK)
        elif kind in b"12":
            _once(path, seen)
            yield TarMember(path, "link", link=_target(path, link, kind == b"2")), TarContent(source, 0, path)
        else:
            raise InputError(f"{path} in the archive is of type {kind!r}, which no image archive has")


def _fields(block: bytes) -> tuple[bytes, int, bytes, bytes]:
    """Type, size, name and link of a header block, the checksum verified."""
    name, _, _, _, size, _, checksum, kind, link, magic, _, _, _, _, prefix = _HEADER.unpack(block)
    told = _octal(checksum)
    if told != sum(block) - sum(checksum) + 8 * ord(" "):
        raise InputError("it is no tar, or it is damaged")
    name = name.partition(b"\0")[0]
    if magic[:6] == b"ustar\0" and (prefix := prefix.partition(b"\0")[0]):
        name = prefix + b"/" + name
    # GNU: the first bit says that a number is binary, big-endian.
    length = int.from_bytes(size[1:], "big") if size[0] == 0x80 else _octal(size)
    if length > LARGEST_MEMBER:
        raise InputError(f"it is no tar, or it is damaged: a member of {length} bytes")
    return kind, length, name, link.partition(b"\0")[0]


def _octal(field: bytes) -> int:
    text = field.strip(b" \0")
    if text.strip(b"01234567"):  # int() also takes signs, `_` and `0o`
        raise InputError("it is no tar, or it is damaged")
    return int(text or b"0", 8)


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 16 or int(text) > LARGEST_MEMBER:
        raise InputError(f"the archive is damaged: {text[:40]!r} is no size")
    return int(text)


def _extension(source: BinaryIO, kind: bytes, size: int) -> dict[str, bytes]:
    """What an extended header says about the next member (PAX x, GNU L and K); global ones (g) say nothing to us."""
    if size > LARGEST_HEADER:
        raise InputError(f"the archive has a header of {size} bytes")
    data = _exactly(source, size)
    _exactly(source, -size % BLOCK)
    if kind == b"L":
        return {"path": data.rstrip(b"\0")}
    if kind == b"K":
        return {"linkpath": data.rstrip(b"\0")}
    return _records(data) if kind == b"x" else {}


def _records(data: bytes) -> dict[str, bytes]:
    """`LENGTH KEYWORD=VALUE\\n`, one after the other."""
    found: dict[str, bytes] = {}
    at = 0
    while at < len(data) and data[at] != 0:
        digits, space, _ = data[at : at + 12].partition(b" ")
        length = int(digits) if space and digits.isdigit() else 0
        record = data[at : at + length]
        keyword, equals, value = record[len(digits) + 1 : -1].partition(b"=")
        if len(record) < length or not equals or not record.endswith(b"\n"):
            raise InputError("the archive has a damaged extended header")
        found[keyword.decode("utf-8", "replace")] = value
        at += length
    return found


def _clean(name: bytes) -> str:
    """A path below the root, without `./` and a trailing slash; the root itself is ''."""
    text = decode_path(name)
    parts = text.split("/")
    if text.startswith("/") or ".." in parts or "\0" in text or len(text) >= 4096:
        raise InputError(f"{text[:200]!r} in the archive is no path below its root")
    return "/".join(part for part in parts if part not in ("", "."))


def _target(path: str, link: bytes, symbolic: bool) -> str:
    """The name that a link stands for. Old `docker save` links equal layers: `../OTHER/layer.tar`."""
    text = decode_path(link)
    if text.startswith("/") or "\0" in text or not text:
        raise InputError(f"{path} in the archive links to {text!r}, which is outside of it")
    at = path.split("/")[:-1] if symbolic else []
    for part in text.split("/"):
        if part == "..":
            if not at:
                raise InputError(f"{path} in the archive links to {text!r}, which is outside of it")
            at.pop()
        elif part not in ("", "."):
            at.append(part)
    return "/".join(at)


def _once(path: str, seen: set[str]) -> None:
    if not path or path in seen:
        raise InputError(f"{path} comes twice in the archive" if path else "the archive's root is no folder")
    seen.add(path)


def _exactly(source: BinaryIO, size: int) -> bytes:
    parts = []
    while size > 0:
        data = source.read(min(size, CHUNK))
        if not data:
            raise InputError("the archive ends too early")
        parts.append(data)
        size -= len(data)
    return b"".join(parts)
