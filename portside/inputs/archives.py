"""Archives that come from outside: sdists as trees, wheels as members. Nothing is ever unpacked into a folder.

A hostile or broken archive raises InputError that names the archive and, where there is one, the member.
"""

import bz2
import calendar
import errno
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import IO, BinaryIO, cast

from portside.common import foreign_tar
from portside.common.compression import ZSTD_MAGIC, as_file, inflated
from portside.common.globs import matches
from portside.common.tree import Entry, FileRange, Tree
from portside.errors import InputError
from portside.inputs.spool import Spool
from portside.inputs.tars import Header, untarred
from portside.inputs.unpacked import Unpacked, counted

SMALLEST_LIMIT = 64 << 20
MOST_GROWTH = 200
"""An archive may grow to this many times its size, or to SMALLEST_LIMIT bytes. gzip reaches 1032."""

_REMEDY = "The archive is damaged or unsafe and is not used; take it from another place, or another version."
_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    EOFError,
    ValueError,
    IndexError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
)
_YEAR_1981 = calendar.timegm((1981, 1, 1, 0, 0, 0))
_YEAR_2101 = calendar.timegm((2101, 1, 1, 0, 0, 0))


def sdist_tree(path: Path, spool: Spool, called: str | None = None) -> Tree:
    """The files of an sdist (tar with any compression, or zip) without the one folder that holds them all.

    called: here and below, the file's name for people, where that is not its name in the store.

    Modes become 0644, or 0755 where the owner may execute; everything belongs to root; times stay. Links stay if
    they lead to a place inside; a hard link becomes a file of its own. The contents live as long as `spool`.
    """
    with _checked(path, called):
        return _unpacked(path, spool, called).tree_of_sdist()


def archive_tree(path: Path, spool: Spool, strip: int | None, called: str | None = None) -> Tree:
    """As `sdist_tree`, of any such archive. strip: how many folders to leave out in front of each path; None: the one
    that holds everything, if there is one."""
    with _checked(path, called):
        return _unpacked(path, spool, called).tree(strip)


def _unpacked(path: Path, spool: Spool, called: str | None) -> Unpacked:
    if _is_zip(path):
        return _unzipped(path, spool)
    return untarred(_unpacked_tar(path, spool, called), spool, _limit(path))


def wheel_members(path: Path, patterns: Sequence[str], called: str | None = None) -> list[tuple[str, int]]:
    """Name and size in bytes of a wheel's members that match one of the patterns, sorted by name.

    The globs are those of patch steps (`**` spans folders). Raises InputError for a pattern that matches nothing.
    """
    with _checked(path, called), zipfile.ZipFile(path) as archive:
        files = {info.filename: info.file_size for info in archive.infolist() if not info.is_dir()}
    found: set[str] = set()
    for pattern in patterns:
        matching = {name for name in files if matches([pattern], name)}
        if not matching:
            close = get_close_matches(pattern, files, 3) or sorted(files)[:3]
            raise InputError(
                f"{called or path.name} has no member that matches {pattern}",
                f"It has {len(files)} members, such as {', '.join(close)}. All of them: unzip -l {path}",
            )
        found |= matching
    return [(name, files[name]) for name in sorted(found)]


@dataclass(frozen=True, slots=True)
class ZipMember:
    """Content that is a member of a zip archive, decompressed while it is read. size: bytes, decompressed."""

    path: Path
    name: str
    size: int
    called: str | None = None

    def open(self) -> BinaryIO:
        with _checked(self.path, self.called), zipfile.ZipFile(self.path) as archive:
            return cast(BinaryIO, _MemberStream(self, archive.open(self.name)))


class _MemberStream(io.RawIOBase):
    """An open member; bytes that cannot be decompressed or have another checksum are an InputError."""

    def __init__(self, of: ZipMember, member: IO[bytes]) -> None:
        self._of = of
        self._member = member

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        with _checked(self._of.path, self._of.called):
            return self._member.read(-1 if size is None else size)

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._member.close()
        super().close()


def open_member(path: Path, name: str, called: str | None = None) -> ZipMember:
    """A wheel's member as a Content."""
    with _checked(path, called), zipfile.ZipFile(path) as archive:
        try:
            return ZipMember(path, name, archive.getinfo(name).file_size, called)
        except KeyError:
            raise InputError(f"{called or path.name} has no member {name}", f"List them: unzip -l {path}") from None


def newest_date(path: Path, called: str | None = None) -> int:
    """The newest time of a member of a wheel or sdist, seconds since 1970 (UTC); 0 if no member has a real one.

    Zip times have no zone and count as UTC. The year 1980 (zip's zero) and years after 2100 are no real times.
    """
    with _checked(path, called):
        times = _zip_times(path) if _is_zip(path) else _tar_times(path, called)
        return max((time for time in times if _YEAR_1981 <= time < _YEAR_2101), default=0)


@contextmanager
def _checked(path: Path, called: str | None = None) -> Iterator[None]:
    try:
        with _bad_data():
            yield
    except _BROKEN as error:
        raise InputError(f"{called or path.name} is broken: {error}", _REMEDY) from None
    except InputError as error:
        if error.solution is not None:
            raise
        raise InputError(f"{called or path.name}: {error.problem}", _REMEDY) from None


def _is_zip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def _limit(path: Path) -> int:
    return max(SMALLEST_LIMIT, MOST_GROWTH * path.stat().st_size)


_NOT_READ = {
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!": "RAR",
    b"LZIP": "lzip",
    b"\x1f\x9d": "compress (.Z)",
    b"\x04\x22\x4d\x18": "lz4",
}
"""The first bytes of what archives are packed with elsewhere; each as its format's specification or file(1) says."""


def _decompressed(path: Path, called: str | None) -> BinaryIO:
    with path.open("rb") as stream:
        magic = stream.read(6)
    if magic.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.open(path, "rb"))
    if magic == b"\xfd7zXZ\0" or magic.startswith(b"\x5d\0\0"):
        return cast(BinaryIO, lzma.open(path, "rb"))
    if magic.startswith(b"BZh"):
        return cast(BinaryIO, bz2.open(path, "rb"))
    if magic.startswith(ZSTD_MAGIC) or (magic[1:4] == b"\x2a\x4d\x18" and magic[0] & 0xF0 == 0x50):
        # Parallel zstd begins with a skippable frame (RFC 8878, 3.1.2).
        return as_file(inflated(path.open("rb"), "zstd", path.name))
    for start, what in _NOT_READ.items():
        if magic.startswith(start):
            raise InputError(
                f"{called or path.name} is packed with {what}",
                "Taken are zip, and tar plain or packed with gzip, bzip2, xz or zstd. Pack its files again, and have "
                "the recipe name that file.",
            )
    return path.open("rb")


def _unpacked_tar(path: Path, spool: Spool, called: str | None) -> FileRange:
    with _decompressed(path, called) as source:
        content, _ = spool.append(source, _limit(path))
    return content


@contextmanager
def _bad_data() -> Iterator[None]:
    """bz2 reports bad data as an OSError without a number; zipfile seeks to where a damaged file sends it."""
    try:
        yield
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):
            raise
        raise ValueError(error.strerror or str(error)) from None


def _unzipped(path: Path, spool: Spool) -> Unpacked:
    unpacked = Unpacked()
    left = _limit(path)
    with zipfile.ZipFile(path) as archive:
        for member in counted(archive.infolist()):
            if not member.filename:
                raise InputError("it holds a member without a name")
            kind, mtime = stat.S_IFMT(member.external_attr >> 16), _zip_time(member)
            if member.is_dir():
                unpacked.folder(member.filename, mtime)
                continue
            if kind not in (0, stat.S_IFREG, stat.S_IFLNK):
                raise InputError(f"{member.filename} is a device, a FIFO or something else that no sdist needs")
            with archive.open(member) as source:
                content, sha256 = spool.append(cast(BinaryIO, source), left)
            left -= content.size
            if kind == stat.S_IFLNK:
                with content.open() as stream:
                    unpacked.symlink(member.filename, stream.read().decode("utf-8", "surrogateescape"), mtime)
                continue
            mode = 0o755 if (member.external_attr >> 16) & stat.S_IXUSR else 0o644
            entry = Entry(member.filename, "file", mode, mtime=mtime, size=content.size, sha256=sha256, content=content)
            unpacked.file(entry)
    return unpacked


def _zip_time(member: zipfile.ZipInfo) -> int:
    year, month, day, hour, minute, second = member.date_time
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60):
        return 0
    return calendar.timegm((year, month, day, hour, minute, second))


def _zip_times(path: Path) -> Iterator[int]:
    with zipfile.ZipFile(path) as archive:
        yield from (_zip_time(member) for member in archive.infolist())


def _tar_times(path: Path, called: str | None) -> Iterator[int]:
    with _decompressed(path, called) as source, foreign_tar.open_stream(source, Header) as archive:
        yield from (int(member.mtime) for member in counted(foreign_tar.members(archive)))
