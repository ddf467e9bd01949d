"""The members of a tar that comes from outside, as tar itself would unpack them: the last of a name counts, the holes
of sparse files are zeros, labels are nothing. Nothing is ever unpacked into a folder.

The forms are those of GNU tar's manual ("Basic Tar Format", "Storing Sparse Files") and of POSIX's pax.
"""

import stat
import tarfile
from collections.abc import Iterator, Mapping
from typing import BinaryIO, cast

from portside.common import foreign_tar
from portside.common.canonical import copy_and_hash
from portside.common.tree import Entry, FileRange
from portside.common.values import Sha256
from portside.errors import InputError
from portside.inputs.spool import Spool
from portside.inputs.unpacked import Unpacked, counted

LARGEST_MAP = 1 << 20
"""Bytes of a sparse file's map, which is read into memory."""

_LABEL, _LISTED_FOLDER, _CONTINUED = b"V", b"D", b"M"
"""GNU tar's types for an archive's label, a folder with the list of its files, and the rest of a file."""


def untarred(tar: FileRange, spool: Spool, limit: int) -> Unpacked:
    """The members of an uncompressed tar, contents left where they are in it; those of sparse files go into `spool`,
    `limit` bytes at most. Raises InputError, and what tarfile raises for a tar that is broken."""
    unpacked = Unpacked()
    for member, archive in _members(tar):
        mtime = max(0, int(member.mtime))
        if member.isdir() or member.type == _LISTED_FOLDER:
            unpacked.folder(member.name, mtime)
        elif member.issym():
            unpacked.symlink(member.name, member.linkname, mtime)
        elif member.islnk():
            unpacked.hardlink(member.name, member.linkname, mtime)
        elif member.type == _LABEL:
            continue
        elif member.issparse():
            content, sha256 = _filled(member, archive, tar, spool, limit)
            limit -= content.size
            unpacked.file(_file(member, content, sha256))
        elif member.isreg():
            if member.size < 0 or member.offset_data + member.size > tar.size:
                raise InputError(f"{member.name} is cut off")
            content = FileRange(tar.path, tar.offset + member.offset_data, member.size)
            with content.open() as stream:
                sha256, _ = copy_and_hash(stream)
            unpacked.file(_file(member, content, sha256))
        elif member.type == _CONTINUED:
            raise InputError(f"{member.name} is the rest of a file that another volume begins with")
        else:
            raise InputError(f"{member.name} is a device, a FIFO or something else that no sdist needs")
    return unpacked


def _file(member: tarfile.TarInfo, content: FileRange, sha256: Sha256) -> Entry:
    mode = 0o755 if member.mode & stat.S_IXUSR else 0o644
    mtime = max(0, int(member.mtime))
    return Entry(member.name, "file", mode, mtime=mtime, size=content.size, sha256=sha256, content=content)


def _filled(
    member: tarfile.TarInfo, archive: tarfile.TarFile, tar: FileRange, spool: Spool, limit: int
) -> tuple[FileRange, Sha256]:
    """A sparse file with zeros in its holes."""
    pieces = cast(list[tuple[int, int]], member.sparse)
    end = stored = 0
    for offset, size in pieces:
        if offset < end or size < 0:
            raise InputError(f"{member.name} is a sparse file whose pieces overlap")
        end, stored = offset + size, stored + size
    if end > member.size or member.offset_data + stored > tar.size:
        raise InputError(f"{member.name} is cut off")
    stream = archive.extractfile(member)
    assert stream is not None, member.name
    return spool.append(cast(BinaryIO, stream), limit)


class Header(foreign_tar.Header):
    """Reads the map of a sparse file in bounded memory."""

    def _proc_gnusparse_10(self, next: tarfile.TarInfo, pax_headers: Mapping[str, str], tar: tarfile.TarFile) -> None:
        """The map of a sparse file in PAX form 1.0 stands in front of its data, decimal numbers in whole blocks:
        how many pieces, then offset and size of each. tarfile reads as many as it is told."""
        stream = tar.fileobj
        assert stream is not None
        text, wanted = b"", 1
        while text.count(b"\n") < wanted:
            block = stream.read(tarfile.BLOCKSIZE)
            text += block
            if len(block) < tarfile.BLOCKSIZE or len(text) > LARGEST_MAP:
                raise InputError(f"the map of the sparse file {next.name} is cut off or too large")
            if b"\n" in text:
                wanted = 1 + 2 * int(text.partition(b"\n")[0])
        numbers = [int(line) for line in text.split(b"\n")[1:wanted]]
        next.offset_data = stream.tell()
        next.sparse = list(zip(numbers[::2], numbers[1::2], strict=True))  # type: ignore[assignment]


def _members(tar: FileRange) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    """The members of an uncompressed tar that fills a range of a file, offsets relative to the range."""
    with tar.path.open("rb") as raw:
        stream = _Window(raw, tar.offset, tar.size)
        with foreign_tar.open_tar(cast(BinaryIO, stream), Header) as archive:
            for member in counted(foreign_tar.members(archive)):
                yield member, archive
            # tarfile takes a broken header for the end; the end is a block of zeros.
            stream.seek(archive.offset)
            if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise InputError(f"its end is missing or broken, at byte {archive.offset} of the tar")


class _Window:
    """A range of a file as a seekable file, for tarfile."""

    def __init__(self, raw: BinaryIO, offset: int, size: int) -> None:
        self._raw = raw
        self._offset = offset
        self._size = size
        raw.seek(offset)

    def read(self, size: int) -> bytes:
        return self._raw.read(max(0, min(size, self._size - self.tell())))

    def seek(self, position: int) -> int:
        return self._raw.seek(self._offset + position) - self._offset

    def tell(self) -> int:
        return self._raw.tell() - self._offset
