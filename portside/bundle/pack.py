"""A commit of a git source as a pack file (git's gitformat-pack, version 2) that has the same bytes everywhere.

git's own packs depend on its version, on zlib and on threads. This one holds the objects of one commit without its
history, in the order of their names, not compressed: stored blocks (RFC 1951, 3.2.4) in a zlib frame (RFC 1950).
"""

import hashlib
import os
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, BinaryIO

from portside.common.canonical import copy_and_hash
from portside.common.outputs import write_text
from portside.common.tree import FileRange
from portside.common.values import Sha256, Size
from portside.config import Config
from portside.errors import InputError
from portside.inputs import git
from portside.inputs.git_mirror import Mirror
from portside.lock.sources import LockedGitSource
from portside.store import Store
from portside.store.files import publish

_TYPES = {b"commit": 1, b"tree": 2, b"blob": 3}
_STORED = 0xFFFF
"""Bytes that one stored block holds at most."""


def write_pack(source: LockedGitSource, store: Store, out: BinaryIO | None) -> tuple[Sha256, Size]:
    """Write the pack of a source that `store` has to `out`, or only compute it (None); gives (sha256 hex, bytes).

    Raises InputError where an object is missing.
    """
    mirror = Mirror(source.url, None, store)
    names = _objects(mirror, source)
    writer = _Writer(out)
    writer.write(struct.pack(">4sII", b"PACK", 2, len(names)))
    with subprocess.Popen(
        ["git", "cat-file", "--batch"],
        cwd=mirror.path,
        env=mirror.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        for name in names:
            process.stdin.write(name.encode() + b"\n")
            process.stdin.flush()
            header = process.stdout.readline().split()
            if len(header) != 3 or header[1] not in _TYPES:
                process.kill()
                raise InputError(
                    f"the git mirror {mirror.path} lacks the object {name} of {source.commit}",
                    f"Remove it and fetch again: rm -r {mirror.path}",
                )
            _write_object(writer, process.stdout, _TYPES[header[1]], int(header[2]))
            process.stdout.read(1)
        process.stdin.close()
    writer.write(writer.sha1.digest())
    return Sha256(writer.sha256.hexdigest()), Size(writer.size)


def _objects(mirror: Mirror, source: LockedGitSource) -> Sequence[str]:
    """The commit, its tree and all that is in it, apart from submodules; sorted, each once."""
    names: set[str] = {source.commit, source.tree}
    listing = mirror.git("ls-tree", "-r", "-t", "-z", "--full-tree", source.tree)
    for row in listing.split(b"\0")[:-1]:
        mode, _, name = row.partition(b"\t")[0].decode("ascii").split(" ")
        if mode != "160000":
            names.add(name)
    return sorted(names)


class _Writer:
    def __init__(self, out: BinaryIO | None) -> None:
        self.sha1 = hashlib.sha1(usedforsecurity=False)
        self.sha256 = hashlib.sha256()
        self.size = 0
        self._out = out

    def write(self, data: bytes) -> None:
        self.sha1.update(data)
        self.sha256.update(data)
        self.size += len(data)
        if self._out is not None:
            self._out.write(data)


def _write_object(writer: _Writer, source: IO[bytes], kind: int, size: int) -> None:
    byte, rest = kind << 4 | size & 0x0F, size >> 4
    head = bytearray()
    while rest:
        head.append(byte | 0x80)
        byte, rest = rest & 0x7F, rest >> 7
    head.append(byte)
    writer.write(bytes(head) + b"\x78\x01")
    check = 1
    left = size
    while True:
        piece = source.read(min(left, _STORED))
        left -= len(piece)
        if not piece and left:
            raise InputError("git ended in the middle of an object", "Try again.")
        check = zlib.adler32(piece, check)
        writer.write(struct.pack("<BHH", not left, len(piece), len(piece) ^ 0xFFFF) + piece)
        if not left:
            break
    writer.write(struct.pack(">I", check))


def read_pack(source: LockedGitSource, pack: FileRange, sha256: Sha256, store: Store, config: Config) -> None:
    """Take a bundle's pack into the store; the source is there afterwards, exactly as the lock says.

    Raises InputError for a pack that is damaged, incomplete or of something else. Nothing refers to it then.
    """
    mirror = Mirror(source.url, config, store)
    with mirror.locked():
        if not mirror.has(source.commit):
            _index(mirror, pack)
            if write_pack(source, store, None)[0] != sha256:
                raise InputError(f"the bundle's pack of {source.commit} is not exactly that commit", "Bundle it again.")
            _mark_shallow(mirror, source.commit)
            mirror.git("update-ref", f"refs/portside/{source.commit}", source.commit)
    git.fetch(source, store, config, offline=True)


def _index(mirror: Mirror, pack: FileRange) -> None:
    """Put a pack among the mirror's objects; git computes every object's name from its bytes."""
    folder = mirror.path / "objects" / "pack"
    folder.mkdir(parents=True, exist_ok=True)
    # git ignores, and some day removes, what is called tmp_*
    handle, place = tempfile.mkstemp(dir=folder, prefix="tmp_portside_", suffix=".pack")
    new = Path(place)
    index = new.with_suffix(".idx")
    try:
        with pack.open() as stream, os.fdopen(handle, "wb") as out:
            name = copy_and_hash(stream, out.write)[0][:40]
        mirror.git("index-pack", "--max-input-size=0", str(new))
        publish(new, folder / f"pack-{name}.pack")
        publish(index, folder / f"pack-{name}.idx")  # last: a pack counts as soon as it has an index
    finally:
        new.unlink(missing_ok=True)
        index.unlink(missing_ok=True)


def _mark_shallow(mirror: Mirror, commit: str) -> None:
    """Tell git that the commit's parents are not here, if they are not: as a fetch without history does."""
    if all(_exists(mirror, parent) for parent in _parents(mirror, commit)):
        return
    path = mirror.path / "shallow"
    known = path.read_text(encoding="ascii").split() if path.exists() else []
    if commit not in known:
        write_text(path, "".join(f"{name}\n" for name in sorted([*known, commit])))


def _parents(mirror: Mirror, commit: str) -> Iterator[str]:
    header = mirror.git("cat-file", "commit", commit).partition(b"\n\n")[0]
    for line in header.split(b"\n"):
        if line.startswith(b"parent "):
            yield line[len(b"parent ") :].decode("ascii")


def _exists(mirror: Mirror, name: str) -> bool:
    return bool(mirror.git("cat-file", "-t", name, codes=(0, 128)))
