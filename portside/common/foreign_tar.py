"""tarfile for tars from outside: no header of any size is read, no member is skipped that cannot be there."""

import tarfile
from collections.abc import Iterator
from typing import IO, BinaryIO, cast

from portside.common.compression import Readable

LARGEST_HEADER = 1 << 18
"""Bytes of an extension header (a long name, PAX records), which tarfile reads into memory; an extended attribute has
64 KiB at most."""
MOST_HEADERS = 8
"""Extension headers in a row, and so of one member; tarfile keeps all of them at once."""
MOST_RECORDS = 1024
"""PAX records that count for one member."""
LARGEST_MEMBER = 1 << 50
_MOST_EMPTY = 4
_EXTENSIONS = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)


class Header(tarfile.TarInfo):
    """Refuses what no real archive has before tarfile reads or believes it.

    `_proc_member` is where tarfile tells subclasses to step in ("the entry point ... which can be overridden"); which
    function parses the block before it differs between security updates of one Python version.
    """

    def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo:
        in_a_row = getattr(tar, "portside_headers", 0) + 1 if self.type in _EXTENSIONS else 0
        tar.portside_headers = in_a_row  # type: ignore[attr-defined]
        if in_a_row > MOST_HEADERS:
            raise tarfile.ReadError(f"more than {MOST_HEADERS} extension headers in a row")
        if in_a_row and not 0 <= self.size <= LARGEST_HEADER:
            raise tarfile.ReadError(f"an extension header of {self.size} bytes")
        member: tarfile.TarInfo = super()._proc_member(tar)  # type: ignore[misc]
        if not 0 <= member.size <= LARGEST_MEMBER:
            raise tarfile.ReadError(f"{member.name[:200]} has a size of {member.size} bytes")
        if len(member.pax_headers) > MOST_RECORDS:
            raise tarfile.ReadError(f"{member.name[:200]} has more than {MOST_RECORDS} PAX records")
        return member


class _Ending:
    """A stream that ends once: tarfile skips a member by reading on, for ever if it is larger than what there is."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._empty = 0

    def read(self, size: int) -> bytes:
        data = self._source.read(size)
        self._empty = 0 if data else self._empty + 1
        if self._empty > _MOST_EMPTY:
            raise tarfile.ReadError("it ends in the middle of a member")
        return data


def open_tar(source: BinaryIO, header: type[Header] = Header) -> tarfile.TarFile:
    """An uncompressed tar in a file that can be sought in. Raises tarfile.TarError, here and while it is read."""
    return tarfile.open(fileobj=source, mode="r:", tarinfo=header, encoding="utf-8", errors="surrogateescape")


def open_stream(source: Readable, header: type[Header] = Header, bufsize: int = tarfile.RECORDSIZE) -> tarfile.TarFile:
    """As `open_tar`, of one that is read from its start to its end once."""
    stream = cast(IO[bytes], _Ending(source))
    return tarfile.open(
        fileobj=stream, mode="r|", tarinfo=header, encoding="utf-8", errors="surrogateescape", bufsize=bufsize
    )


def members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members one after the other; unlike tarfile itself this keeps none."""
    while (member := tar.next()) is not None:
        tar.members.clear()  # type: ignore[attr-defined]
        yield member
