"""A file tree in memory: what sources, migration, patches, layers and checks hand to each other.

A `Tree` knows every path with its metadata; the bytes stay where they are (`Content`) until somebody reads
them. Paths are relative, use `/`, and hold bytes that are not UTF-8 as surrogate escapes, whatever the
locale of the machine says. Order is always the order of the paths' bytes.
"""

import dataclasses
import hashlib
import io
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, cast

from portside.common.canonical import CHUNK, canonical_json, copy_and_hash
from portside.errors import InputError

Kind = Literal["file", "dir", "symlink", "hardlink", "fifo"]


def encode_path(path: str) -> bytes:
    """The bytes of a path, independent of the locale (os.fsencode is not)."""
    return path.encode("utf-8", "surrogateescape")


def decode_path(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def check_path(path: str) -> str:
    """Give `path` back if it is a clean path below a root, else raise InputError.

    Clean: not empty, not absolute, no empty, `.` or `..` part, no NUL.
    """
    if not path or "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise InputError(f"not a clean path below the root: {path!r}")
    return path


class Content(Protocol):
    """Bytes that can be read again and again; `size` in bytes."""

    @property
    def size(self) -> int: ...

    def open(self) -> BinaryIO: ...


class Ranged(Content, Protocol):
    """Content of which a range can be had for itself, without what stands before it being read."""

    def part(self, offset: int, size: int) -> "Ranged": ...


@dataclass(frozen=True, slots=True)
class Bytes:
    """Content held in memory."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data)

    def part(self, offset: int, size: int) -> "Bytes":
        return Bytes(self.data[offset : offset + size])


@dataclass(frozen=True, slots=True)
class FileRange:
    """Content that is a range of a file on disk: a whole file, a member of a tar, a piece of a spool."""

    path: Path
    offset: int
    size: int

    def open(self) -> BinaryIO:
        raw = open(self.path, "rb")  # noqa: SIM115 - the caller closes it
        raw.seek(self.offset)
        return cast(BinaryIO, _Range(raw, self.size))

    def part(self, offset: int, size: int) -> "FileRange":
        return FileRange(self.path, self.offset + offset, size)


class _Range(io.RawIOBase):
    """The next `size` bytes of an open file, as a file of its own."""

    def __init__(self, raw: BinaryIO, size: int) -> None:
        self._raw = raw
        self._left = size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        data = self._raw.read(wanted) if wanted else b""
        if len(data) < wanted:
            raise InputError("a file became shorter while it was read")
        self._left -= len(data)
        return data

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._raw.close()
        super().close()


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of a tree.

    mode: permission bits (0o7777) without the file type. mtime: whole seconds since 1970 (UTC).
    size and sha256 (hex; "" while nobody has computed it) are of a file's bytes.
    link: a symlink's target, or a hard link's path in the same tree.
    """

    path: str
    kind: Kind
    mode: int
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    size: int = 0
    sha256: str = ""
    link: str = ""
    xattrs: tuple[tuple[str, bytes], ...] = ()
    content: Content | None = field(default=None, compare=False, repr=False)

    def read(self) -> bytes:
        """All bytes of a file."""
        if self.content is None:
            raise InputError(f"{self.path} has no content here")
        with self.content.open() as stream:
            return stream.read()

    def shown(self, attribute: str) -> str:
        """One of its attributes as a person reads it: modes octal, the values of xattrs in hex."""
        value = getattr(self, attribute)
        if attribute == "mode":
            return f"{value:04o}"
        if attribute == "xattrs":
            return " ".join(f"{name}={data.hex()}" for name, data in value)
        return str(value)


def file_entry(path: str, data: bytes, mode: int = 0o644, mtime: int = 0) -> Entry:
    """An entry for a file whose bytes are in memory."""
    digest = hashlib.sha256(data).hexdigest()
    return Entry(path, "file", mode, mtime=mtime, size=len(data), sha256=digest, content=Bytes(data))


class Tree:
    """Paths and their entries, unique by path, iterated in the order of the paths' bytes.

    Folders need not be listed: `with_folders` adds those that are missing.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries: dict[str, Entry] = {entry.path: entry for entry in entries}

    def __iter__(self) -> Iterator[Entry]:
        for path in sorted(self._entries, key=encode_path):
            yield self._entries[path]

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, path: str) -> bool:
        return path in self._entries

    def __getitem__(self, path: str) -> Entry:
        return self._entries[path]

    def get(self, path: str) -> Entry | None:
        return self._entries.get(path)

    def files(self) -> Iterator[Entry]:
        return (entry for entry in self if entry.kind == "file")

    def copy(self) -> "Tree":
        return Tree(self._entries.values())

    def put(self, entry: Entry) -> None:
        """Add an entry or replace the one at its path."""
        check_path(entry.path)
        self._entries[entry.path] = entry

    def write(self, path: str, data: bytes) -> None:
        """Give the file at `path` new bytes (its mode and times stay), or make it with mode 0644."""
        old = self._entries.get(path)
        new = file_entry(check_path(path), data)
        if old is not None and old.kind == "file":
            new = dataclasses.replace(old, size=new.size, sha256=new.sha256, content=new.content)
        self._entries[path] = new

    def remove(self, path: str) -> None:
        """Remove a path and everything below it."""
        below = path + "/"
        for name in [p for p in self._entries if p == path or p.startswith(below)]:
            del self._entries[name]

    def discard(self, path: str) -> None:
        """Remove this one path."""
        self._entries.pop(path, None)

    def at(self, prefix: str) -> "Tree":
        """The same tree moved below `prefix` (a clean relative path); hard links move along."""
        check_path(prefix)
        return Tree(
            dataclasses.replace(
                entry,
                path=f"{prefix}/{entry.path}",
                link=f"{prefix}/{entry.link}" if entry.kind == "hardlink" else entry.link,
            )
            for entry in self
        )

    def below(self, prefix: str) -> "Tree":
        """What lies below `prefix`, with paths relative to it."""
        cut = prefix + "/"
        return Tree(
            dataclasses.replace(
                entry,
                path=entry.path[len(cut) :],
                link=entry.link.removeprefix(cut) if entry.kind == "hardlink" else entry.link,
            )
            for entry in self
            if entry.path.startswith(cut)
        )

    def with_folders(self, mode: int = 0o755) -> "Tree":
        """The same tree with every missing parent folder added (root's, `mode`)."""
        out = self.copy()
        for path in list(out._entries):
            parent = path.rpartition("/")[0]
            while parent and parent not in out._entries:
                out._entries[parent] = Entry(parent, "dir", mode)
                parent = parent.rpartition("/")[0]
        return out

    def digest(self) -> str:
        """sha256 over path, kind, mode, owner, size, sha256, link and xattrs of every entry; no times.

        Files must know their sha256.
        """
        digest = hashlib.sha256()
        for e in self:
            xattrs = [[name, value.hex()] for name, value in e.xattrs]
            row = [e.path, e.kind, e.mode, e.uid, e.gid, e.size, e.sha256, e.link, xattrs]
            digest.update(canonical_json(row) + b"\n")
        return digest.hexdigest()

    @classmethod
    def from_folder(cls, root: Path) -> "Tree":
        """Read a folder: modes are kept as permission bits, everything belongs to root, no `.git`.

        Raises InputError for sockets and device nodes.
        """
        return cls(_walk(os.fsencode(root), b""))

    def write_to(self, root: Path) -> None:
        """Write the tree below `root` (made if missing) with its modes; owners and times are not set.

        Nothing that is there is written to, and no link is followed: FileExistsError.
        """
        base = os.fsencode(root)
        os.makedirs(base, exist_ok=True)
        folders: list[tuple[bytes, int]] = []
        for entry in self.with_folders():
            path = os.path.join(base, encode_path(entry.path))
            if entry.kind == "dir":
                _make_folder(path)
                folders.append((path, entry.mode))
            elif entry.kind == "symlink":
                os.symlink(encode_path(entry.link), path)
            elif entry.kind == "hardlink":
                os.link(os.path.join(base, encode_path(entry.link)), path)
            elif entry.kind == "fifo":
                os.mkfifo(path)
                os.chmod(path, entry.mode)
            else:
                assert entry.content is not None, entry.path
                with entry.content.open() as source, open(path, "xb") as target:
                    while chunk := source.read(CHUNK):
                        target.write(chunk)
                os.chmod(path, entry.mode)
        for path, mode in reversed(folders):
            os.chmod(path, mode)


def _make_folder(path: bytes) -> None:
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            raise


def _walk(root: bytes, relative: bytes) -> Iterator[Entry]:
    with os.scandir(os.path.join(root, relative)) as found:
        items = sorted(found, key=lambda item: item.name)
    for item in items:
        if item.name == b".git":
            continue
        path = os.path.join(relative, item.name)
        info = item.stat(follow_symlinks=False)
        name, mode, mtime = decode_path(path), stat.S_IMODE(info.st_mode), int(info.st_mtime)
        if item.is_symlink():
            yield Entry(name, "symlink", 0o777, mtime=mtime, link=decode_path(os.readlink(item.path)))
        elif item.is_dir():
            yield Entry(name, "dir", mode, mtime=mtime)
            yield from _walk(root, path)
        elif item.is_file():
            full = Path(os.fsdecode(item.path))
            with open(full, "rb") as stream:
                digest, _ = copy_and_hash(stream)
            content = FileRange(full, 0, info.st_size)
            yield Entry(name, "file", mode, mtime=mtime, size=info.st_size, sha256=digest, content=content)
        elif stat.S_ISFIFO(info.st_mode):
            yield Entry(name, "fifo", mode, mtime=mtime)
        else:
            raise InputError(f"{name} is a socket or a device node", "Leave it out of the source tree.")
