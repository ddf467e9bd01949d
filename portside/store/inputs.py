"""Verified inputs by sha256. Bytes are hashed while they arrive and never used before they are right."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from portside.common.canonical import CHUNK, copy_and_hash, sha256_hex
from portside.common.progress import say, transfer
from portside.common.tree import FileRange, encode_path
from portside.common.values import DiffID, Sha256, Size
from portside.errors import InputError, fetch_it
from portside.store import clone, files
from portside.store.records import identity_of, path_text, place_record, text_path
from portside.store.seen import Seen

SEEN_FROM = 16 << 20
"""Bytes: smaller inputs are hashed again by every process that uses them, larger ones where their note says so."""

InPlace = Callable[[Path], bool]
"""Whether a file of this machine is left where it lies."""


def nowhere(path: Path) -> bool:
    return False


def put_it_back(recipe: str) -> str:
    return (
        "Put the file back as it was. If the new one is meant: "
        f"invoke lock --recipe {recipe} --update NAME, NAME being that of its weights or its data set"
    )


class AlsoHashed(Protocol):
    """What gets the bytes of an input as well, from the first on."""

    def restart(self) -> None: ...

    def update(self, chunk: bytes) -> None: ...


class Inputs:
    """`inputs/sha256/HEX` holds an input's bytes, or `inputs/sha256/HEX.json` says where they are.

    That is a person's file that is left in place, known by its identity (see `seen`); or a blob of the layout that
    came as a whole, from a registry for one, and the offset in it.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._folder = home / "inputs" / "sha256"
        self._sound: set[Sha256] = set()
        self.seen = Seen(home)

    def path(self, sha256: Sha256) -> Path:
        return self._folder / sha256

    def locate(self, sha256: Sha256) -> FileRange | None:
        """Where the bytes are that were verified once, or None where the store has no such input.

        A file that was left in place and is another now is not there. Reads no content.
        """
        path = self.path(sha256)
        if path.is_file():
            return FileRange(path, 0, path.stat().st_size)
        place = files.read_json(self._folder / f"{sha256}.json", place_record)
        if place is None:
            return None
        if "path" in place:
            path = text_path(place["path"])
            noted = self.seen.noted(path)
            return FileRange(path, 0, place["size"]) if noted is not None and noted.sha256 == sha256 else None
        blob = self._home / "oci" / "blobs" / "sha256" / place["blob"]
        try:
            whole = blob.stat().st_size >= place["offset"] + place["size"]
        except FileNotFoundError:
            return None
        return FileRange(blob, place["offset"], place["size"]) if whole else None

    def in_place(self, sha256: Sha256) -> Path | None:
        """The file of a person that the store uses, or used, as this input."""
        place = files.read_json(self._folder / f"{sha256}.json", place_record)
        return text_path(place["path"]) if place is not None and "path" in place else None

    def blob_with(self, sha256: Sha256) -> Sha256 | None:
        """The blob in which the input's bytes stand, if they do."""
        place = files.read_json(self._folder / f"{sha256}.json", place_record)
        return place["blob"] if place is not None and "blob" in place and not self.path(sha256).is_file() else None

    def find(self, sha256: Sha256) -> FileRange | None:
        """As `locate`; also a file left in place that was touched, or changed, and has to be read to know."""
        place = self.locate(sha256)
        path = None if place is not None else self.in_place(sha256)
        if path is None:
            return place
        with suppress(OSError):
            return FileRange(path, 0, path.stat().st_size) if path.is_file() else None
        return None

    def verified(self, sha256: Sha256, title: str | None = None) -> FileRange | None:
        """As `locate`, but the bytes are right: disks rot and people edit. title: what people call it.

        Small ones are hashed again by this process, large ones unless their identity is as it was when they were.
        Bytes that changed since they arrived are put aside in `inputs/quarantine/`, and it is as if they were missing;
        a person's own file is left alone. What stands in a blob is the blob's to be checked.
        """
        place = self.find(sha256)
        if place is None or self._is_in_blob(place, sha256):
            return place
        if self._is_noted(place, sha256):
            return place
        found = self.read(place, title or place.path.name)
        if found == sha256:
            self._sound.add(sha256)
            return place
        if place.path == self.path(sha256):
            aside = self.put_aside(sha256, found)
            say(f"an input of the store has changed since it arrived (sha256 {sha256}); {aside}")
        return None

    def _is_in_blob(self, place: FileRange, sha256: Sha256) -> bool:
        return place.path not in (self.path(sha256), self.in_place(sha256))

    def _is_noted(self, place: FileRange, sha256: Sha256) -> bool:
        """Whether the bytes need not be read again."""
        if place.path == self.path(sha256) and (place.size < SEEN_FROM or sha256 in self._sound):
            return sha256 in self._sound
        noted = self.seen.noted(place.path)
        return noted is not None and noted.settled and noted.sha256 == sha256

    def read(self, place: FileRange, title: str, also: Callable[[bytes], object] = lambda chunk: None) -> Sha256:
        """The sha256 (hex) of an input's bytes as they are now. also: gets every piece."""
        try:
            if place.offset == 0 and (place.size >= SEEN_FROM or not place.path.is_relative_to(self._home)):
                return self.seen.read(place.path, title, also)[0]
            with place.open() as stream, transfer(f"reading {title}", place.size) as advance:

                def count(chunk: bytes) -> None:
                    also(chunk)
                    advance(len(chunk))

                return copy_and_hash(stream, count)[0]
        except OSError as error:
            raise InputError(f"{place.path} cannot be read: {error.strerror}", "Look at its rights: ls -l") from None

    def require(self, sha256: Sha256, name: str) -> FileRange:
        """Where the verified bytes are; raises InputError where the store does not have them."""
        found = self.verified(sha256, name)
        if found is None:
            if (why := self.changed(sha256)) is not None:
                raise InputError(f"{name}: {why}", put_it_back)
            raise InputError(
                f"{name} (sha256 {sha256}) is not in the store",
                fetch_it,
            )
        return found

    def changed(self, sha256: Sha256) -> str | None:
        """How the file that is left in place for this input differs from what it was; None where none is, or it is as
        it was."""
        path = self.in_place(sha256)
        if path is None or self.locate(sha256) is not None:
            return None
        try:
            now = identity_of(path.stat())
        except OSError as error:
            return f"{path}, which the store uses in place, is gone ({error.strerror})"
        record = self.seen.record(path)
        if record is not None and record["sha256"] != sha256 and record["identity"] == now:
            return f"{path}, which the store uses in place, has other bytes now (sha256 {record['sha256']})"
        return f"{path}, which the store uses in place, was changed or replaced since it was read"

    def put_aside(self, sha256: Sha256, found: Sha256) -> str:
        """Use an input no more that has other bytes (sha256 `found`); says what became of it."""
        place = self.locate(sha256)
        if place is None:
            return self.changed(sha256) or "it is gone"
        if place.path == self.in_place(sha256):
            self.seen.forget(place.path)
            return f"{place.path}, which the store uses in place, was changed since it was read"
        name = f"{found}-layer-{place.path.name}" if self._is_in_blob(place, sha256) else f"{found}-{sha256}"
        aside = self._home / "inputs" / "quarantine" / name
        with files.store_errors(aside), suppress(FileNotFoundError):
            aside.parent.mkdir(parents=True, exist_ok=True)
            place.path.replace(aside)
        return f"it is put aside at {aside}"

    def note_in_blob(self, sha256: Sha256, blob: DiffID, offset: Size, size: Size) -> None:
        """Record that an input's bytes stand inside a blob of the layout (diff ID, offset, bytes)."""
        files.write_json(self._home, self._folder / f"{sha256}.json", {"blob": blob, "offset": offset, "size": size})

    def note_in_place(self, sha256: Sha256, path: Path, size: Size) -> None:
        """Record that an input is a file that stays where it is; `seen` must know it."""
        files.write_json(self._home, self._folder / f"{sha256}.json", {"path": path_text(path), "size": size})

    def forget_place(self, sha256: Sha256) -> None:
        """Use a person's file no more."""
        place = self._folder / f"{sha256}.json"
        with files.store_errors(place), suppress(FileNotFoundError):
            place.unlink()

    def lend(self, sha256: Sha256, other: "Inputs") -> bool:
        """Let another store use a large file of this one where it lies; whether it is one."""
        place = self.locate(sha256)
        if place is None or place.offset or self.seen.noted(place.path) is None:
            return False
        self.seen.lend(place.path, other.seen)
        other.note_in_place(sha256, place.path, Size(place.size))
        return True

    @contextmanager
    def receive(
        self,
        name: str,
        sha256: Sha256 | None,
        size: Size | None,
        in_place: InPlace = nowhere,
        beside: AlsoHashed | None = None,
    ) -> Iterator["Receiver"]:
        """Take in one input. The partial file of an interrupted transfer is continued.

        name: for messages. sha256, size: as locked; None if nobody knows yet. in_place: asked of a file of this machine
        that has it. beside: gets the bytes too.
        At the end of the block the bytes are verified and published; wrong bytes are kept aside in
        `inputs/quarantine/` and InputError says so.
        """
        partial = self._home / "partial" / f"input-{sha256 or sha256_hex(encode_path(name))}"
        with files.partial_file(partial) as stream:
            receiver = Receiver(stream, name, sha256, size, self.seen, in_place, beside)
            if size is not None and size >= SEEN_FROM:
                receiver.need_space = lambda more: files.need_space(partial.parent, more)
            if sha256 is not None and self.locate(sha256) is not None:
                receiver.done = True
            yield receiver
            if receiver.done:
                partial.unlink(missing_ok=True)
                return
            stream.flush()
            problem = receiver.problem()
            if receiver.kept is not None:
                partial.unlink(missing_ok=True)
                self._leave_in_place(receiver, receiver.kept, problem)
                return
            if problem:
                aside = self._home / "inputs" / "quarantine" / receiver.sha256
                files.publish(partial, aside, 0o400)
                raise InputError.about(
                    name,
                    problem,
                    f"The bytes are kept at {aside} and are not used. If they are meant, update the lock.",
                )
            final = self.path(receiver.sha256)
            files.publish(partial, final)
            if receiver.offset >= SEEN_FROM:
                self.seen.note(final, receiver.sha256, final.stat())

    def _leave_in_place(self, receiver: "Receiver", path: Path, problem: str | None) -> None:
        if problem:
            raise InputError.about(receiver.name, problem)
        self.note_in_place(receiver.sha256, path, Size(receiver.offset))
        if self.locate(receiver.sha256) is None:
            raise InputError.about(
                receiver.name, f"{path} was written to while it was read", "Wait until nothing writes to it."
            )


class Receiver:
    """The bytes of one input on their way into the store.

    offset: bytes that are already here. done: another process finished meanwhile, nothing is to be sent. kept: the
    file that has them, where it is left in place. need_space: called with the bytes that are to be written.
    """

    def __init__(
        self,
        stream: BinaryIO,
        name: str,
        sha256: Sha256 | None,
        size: Size | None,
        seen: Seen,
        in_place: InPlace = nowhere,
        beside: AlsoHashed | None = None,
    ) -> None:
        self.name = name
        self.done = False
        self.offset = 0
        self.kept: Path | None = None
        self.need_space: Callable[[int], None] | None = None
        self._kept_sha256: Sha256 | None = None
        self._stream = stream
        self._wanted = sha256
        self._size = size
        self._seen = seen
        self._in_place = in_place
        self._beside = beside
        self._digest = hashlib.sha256()
        if sha256 is None:
            self.restart()
        self._read_on()
        if size is not None and self.offset > size:
            self.restart()

    def _read_on(self) -> None:
        """Count what the partial file has."""
        while chunk := self._stream.read(CHUNK):
            self._count(chunk)

    def _count(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self.offset += len(chunk)
        if self._beside is not None:
            self._beside.update(chunk)

    @property
    def sha256(self) -> Sha256:
        """sha256 hex of what has arrived so far."""
        return self._kept_sha256 or Sha256(self._digest.hexdigest())

    def head(self, size: int) -> bytes:
        """The first bytes of what has arrived, up to `size`."""
        if self.kept is not None:
            with self.kept.open("rb") as kept:
                return kept.read(size)
        self._stream.seek(0)
        data = self._stream.read(size)
        self._stream.seek(0, os.SEEK_END)
        return data

    def restart(self) -> None:
        """Forget what has arrived."""
        self._stream.seek(0)
        self._stream.truncate()
        self._digest = hashlib.sha256()
        self.offset = 0
        self.kept = self._kept_sha256 = None
        if self._beside is not None:
            self._beside.restart()

    def take(self, path: Path, source: BinaryIO) -> bool:
        """Have a whole file of this machine without a copy, if that can be: left in place, or as a clone that shares
        its blocks. source: the file, open. Raises OSError where it cannot be read."""
        if self._in_place(path):
            self.restart()
            noted = self._seen.noted(path)
            is_other = noted is not None and noted.settled and self._wanted not in (None, noted.sha256)
            if self._beside is not None and not is_other:
                self._kept_sha256, self.offset = self._seen.read(path, self.name, self._beside.update)
            else:
                self._kept_sha256, self.offset = self._seen.hash(path, self.name)
            self.kept = path
            return True
        if self.offset or not clone.clone(source, self._stream):
            return False
        self._stream.seek(0)
        self._read_on()
        return True

    def write(self, chunk: bytes) -> None:
        if self.need_space is not None and self._size is not None:
            self.need_space(self._size - self.offset)
            self.need_space = None
        self._stream.write(chunk)
        self._count(chunk)
        if self._size is not None and self.offset > self._size:
            raise InputError(f"{self.name}: more than the {self._size} bytes that the lock says arrived")

    def problem(self) -> str | None:
        """How the bytes differ from the lock, or None."""
        if self._size is not None and self.offset != self._size:
            return f"{self.offset} bytes arrived, the lock says {self._size}"
        if self._wanted is not None and self.sha256 != self._wanted:
            return f"its sha256 is {self.sha256}, the lock says {self._wanted}"
        return None
