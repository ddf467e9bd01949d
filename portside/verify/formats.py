"""What two versions of a file differ in, by its format: gzip, zip, tar, Python byte code, text, anything else."""

import gzip
import io
import re
import struct
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from portside.common import foreign_tar
from portside.diff.text import printable
from portside.layers.read_tar import tar_members
from portside.verify.cause import Cause, Window
from portside.verify.texts import text_causes

_UNPACKED = 64 << 20
"""Bytes: the beginning of what an archive holds that is looked at."""
_DEEP = 3
_CONTROL = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")
"""Bytes that no text holds; bell, white space and escape sequences may occur."""


@dataclass(frozen=True)
class _Member:
    """time: as the archive writes it. rest: mode and owner."""

    name: str
    time: object
    rest: object
    data: bytes


_Members = list[_Member]


def content_causes(left: bytes, right: bytes, path: str, window: Window, depth: int = 0) -> list[Cause]:
    """The likely causes why two contents of `path` differ; at least one where they do."""
    if left == right:
        return [Cause("unknown", f"the first {len(left)} bytes are the same")]
    if depth < _DEEP:
        for find in _FORMATS:
            found = find(left, right, path, window, depth)
            if found:
                return found
    texts = _text(left), _text(right)
    if texts[0] is not None and texts[1] is not None:
        return text_causes(texts[0], texts[1], window)
    return _binary(left, right, window)


def _text(data: bytes) -> str | None:
    if _CONTROL.search(data):
        return None
    text = data.decode("utf-8", "surrogateescape")
    return text if sum("\udc80" <= char <= "\udcff" for char in text[:4096]) * 10 < len(text[:4096]) + 10 else None


def _gzip(left: bytes, right: bytes, path: str, window: Window, depth: int) -> list[Cause]:
    if not (left[:2] == right[:2] == b"\x1f\x8b"):
        return []
    found = []
    times = [int.from_bytes(data[4:8], "little") for data in (left, right)]  # RFC 1952, MTIME
    if times[0] != times[1]:
        found.append(
            Cause("time", f"the gzip header holds the times {times[0]} and {times[1]} (gzip -n leaves it out)")
        )
    inner = _gunzip(left), _gunzip(right)
    if inner[0] != inner[1]:
        found += _inside("the gzip", content_causes(inner[0], inner[1], path.removesuffix(".gz"), window, depth + 1))
    return found or [Cause("unknown", "the same content, compressed in another way")]


def _gunzip(data: bytes) -> bytes:
    try:
        with gzip.open(io.BytesIO(data)) as stream:
            return stream.read(_UNPACKED)
    except (OSError, EOFError, zlib.error):
        return b""


def _zip(left: bytes, right: bytes, path: str, window: Window, depth: int) -> list[Cause]:
    if not (left[:2] == right[:2] == b"PK"):
        return []
    return _archives(_zip_members, left, right, "zip", window, depth)


def _tar(left: bytes, right: bytes, path: str, window: Window, depth: int) -> list[Cause]:
    if not (left[257:262] == right[257:262] == b"ustar"):
        return []
    return _archives(_tar_members, left, right, "tar", window, depth)


def _zip_members(data: bytes) -> _Members:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = archive.infolist()
        if sum(info.file_size for info in infos) > _UNPACKED:
            raise ValueError("too large")
        return [_Member(i.filename, i.date_time, i.external_attr, archive.read(i)) for i in infos]


def _tar_members(data: bytes) -> _Members:
    members = []
    with foreign_tar.open_tar(io.BytesIO(data)) as archive:
        for info in tar_members(archive):
            stream = archive.extractfile(info) if info.isreg() else None
            content = stream.read() if stream else b""
            rest = (info.mode, info.uid, info.gid, info.uname, info.gname)
            members.append(_Member(info.name, info.mtime, rest, content))
    return members


def _archives(
    read: Callable[[bytes], _Members], left: bytes, right: bytes, name: str, window: Window, depth: int
) -> list[Cause]:
    try:
        a, b = read(left), read(right)
    except (tarfile.TarError, zipfile.BadZipFile, ValueError, OSError, EOFError, zlib.error, RuntimeError):
        return []
    names = [member.name for member in a], [member.name for member in b]
    found: list[Cause] = []
    if names[0] != names[1]:
        if Counter(names[0]) != Counter(names[1]):
            return [Cause("unknown", f"the {name} holds other members")]
        found.append(Cause("order", f"the {name}'s {len(a)} members stand in another order"))
    others = {member.name: member for member in b}
    pairs = [(member, others[member.name]) for member in a]
    if late := [member.name for member, other in pairs if member.time != other.time]:
        found.append(Cause("time", f"the {name} holds other times for {printable(late[0])} and {len(late) - 1} more"))
    if owned := [member.name for member, other in pairs if member.rest != other.rest]:
        found.append(Cause("umask", f"the {name} holds another mode or owner for {printable(owned[0])}"))
    changed = [(member, other) for member, other in pairs if member.data != other.data]
    for member, other in changed[:3]:
        inner = content_causes(member.data, other.data, member.name, window, depth + 1)
        found += _inside(f"{printable(member.name)} in the {name}", inner)
    return found


def _inside(what: str, causes: list[Cause]) -> list[Cause]:
    return [Cause(cause.kind, f"in {what}: {cause.evidence}") for cause in causes]


def _byte_code(left: bytes, right: bytes, path: str, window: Window, depth: int) -> list[Cause]:
    """A .pyc file: magic, flags, then the source's time and size (PEP 552) or its hash, then the code."""
    if not path.endswith(".pyc") or min(len(left), len(right)) < 16 or not (left[2:4] == right[2:4] == b"\r\n"):
        return []
    flags = [int.from_bytes(data[4:8], "little") for data in (left, right)]
    found = []
    if flags[0] != flags[1]:
        found.append(Cause("time", "byte code checked by time in one build, by hash in the other"))
    elif flags[0] == 0 and left[8:12] != right[8:12]:
        found.append(Cause("time", "the byte code holds its source's time; with SOURCE_DATE_EPOCH set it holds a hash"))
    elif left[8:16] != right[8:16]:
        found.append(Cause("unknown", "the byte code is of other source"))
    if left[16:] != right[16:]:
        order = Counter(left[16:]) == Counter(right[16:])
        what = "the same bytes in another order" if order else "other bytes"
        found.append(Cause("order", f"the code itself has {what}: sets of constants follow Python's hash seed"))
    return found


_FORMATS = (_gzip, _zip, _tar, _byte_code)


def _binary(left: bytes, right: bytes, window: Window) -> list[Cause]:
    if len(left) != len(right):
        return [Cause("unknown", f"{len(left)} bytes in one build, {len(right)} in the other")]
    runs = _runs(left, right)
    where = f"{sum(end - start for start, end in runs)} of {len(left)} bytes differ, from byte {runs[0][0]}"
    times = [_seconds(left, right, start, end, window) for start, end in runs]
    if times[0] is not None and None not in times:
        return [Cause("time", f"{where}: they hold the times {times[0][0]} and {times[0][1]}")]
    if Counter(left) == Counter(right):
        return [Cause("order", f"{where}: the same bytes in another order")]
    a = b"".join(left[start:end] for start, end in runs)
    b = b"".join(right[start:end] for start, end in runs)
    if len(a) >= 4 and not _text_like(a) and not _text_like(b):
        return [
            Cause("random", f"{where}: bytes without a pattern, such as a random number, a key or an ID of the build")
        ]
    inner = text_causes(a.decode("latin-1"), b.decode("latin-1"), window)
    return _inside("the bytes that differ", inner)


def _runs(left: bytes, right: bytes) -> list[tuple[int, int]]:
    """(start, end) of the stretches that differ; equal stretches of less than 4 bytes count to them."""
    runs: list[tuple[int, int]] = []
    step = 4096
    for base in range(0, len(left), step):
        if left[base : base + step] == right[base : base + step]:
            continue
        for at in range(base, min(base + step, len(left))):
            if left[at] != right[at]:
                if runs and at - runs[-1][1] < 4:
                    runs[-1] = (runs[-1][0], at + 1)
                else:
                    runs.append((at, at + 1))
    return runs


def _seconds(left: bytes, right: bytes, start: int, end: int, window: Window) -> tuple[int, int] | None:
    """The times, seconds since 1970 in 4 bytes, that lie around a short difference."""
    if end - start > 8:
        return None
    places = range(max(0, end - 4), min(start, len(left) - 4) + 1)
    for at in sorted(places, key=lambda place: place % 4 != 0):  # where compilers put them, before all others
        for order in ("<I", ">I"):
            pair = (int(struct.unpack_from(order, left, at)[0]), int(struct.unpack_from(order, right, at)[0]))
            if pair[0] in window and pair[1] in window:
                return pair
    return None


def _text_like(data: bytes) -> bool:
    return sum(32 <= byte < 127 for byte in data) * 10 >= len(data) * 9
