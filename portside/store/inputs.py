"""Verified inputs by sha256. Bytes are hashed while they arrive and never used before they are right."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from portside.common.canonical import CHUNK, copy_and_hash, sha256_hex
from portside.common.progress import say
from portside.common.tree import FileRange, encode_path
from portside.common.values import DiffID, Sha256, Size
from portside.errors import InputError, fetch_it
from portside.store import files
from portside.store.records import place_record


class Inputs:
    """`inputs/sha256/HEX` holds an input's bytes.

    A large weight file is not kept twice: its bytes stand in the blob of its weights layer, and
    `inputs/sha256/HEX.json` says in which blob, from which offset.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._folder = home / "inputs" / "sha256"
        self._sound: set[Sha256] = set()

    def path(self, sha256: Sha256) -> Path:
        return self._folder / sha256

    def locate(self, sha256: Sha256) -> FileRange | None:
        """Where the verified bytes are, or None where the store has no such input."""
        path = self.path(sha256)
        if path.is_file():
            return FileRange(path, 0, path.stat().st_size)
        place = files.read_json(self._folder / f"{sha256}.json", place_record)
        if place is None:
            return None
        blob = self._home / "oci" / "blobs" / "sha256" / place["blob"]
        try:
            whole = blob.stat().st_size >= place["offset"] + place["size"]
        except FileNotFoundError:
            return None
        return FileRange(blob, place["offset"], place["size"]) if whole else None

    def verified(self, sha256: Sha256) -> FileRange | None:
        """As `locate`, but the bytes were hashed again by this process: disks rot and people edit.

        Bytes that changed since they arrived are put aside in `inputs/quarantine/`, and it is as if they were missing.
        What stands in a blob is the blob's to be checked.
        """
        place = self.locate(sha256)
        if place is None or place.path != self.path(sha256) or sha256 in self._sound:
            return place
        with place.open() as stream:
            found, _ = copy_and_hash(stream)
        if found == sha256:
            self._sound.add(sha256)
            return place
        aside = self._home / "inputs" / "quarantine" / f"{found}-{sha256}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        place.path.replace(aside)
        say(f"an input of the store has changed since it arrived (sha256 {sha256}); it is put aside at {aside}")
        return None

    def require(self, sha256: Sha256, name: str) -> FileRange:
        """Where the verified bytes are; raises InputError where the store does not have them."""
        found = self.verified(sha256)
        if found is None:
            raise InputError(
                f"{name} (sha256 {sha256}) is not in the store",
                fetch_it,
            )
        return found

    def note_in_blob(self, sha256: Sha256, blob: DiffID, offset: Size, size: Size) -> None:
        """Record that an input's bytes stand inside a blob of the layout (diff ID, offset, bytes)."""
        files.write_json(self._home, self._folder / f"{sha256}.json", {"blob": blob, "offset": offset, "size": size})

    @contextmanager
    def receive(self, name: str, sha256: Sha256 | None, size: Size | None) -> Iterator["Receiver"]:
        """Take in one input. The partial file of an interrupted transfer is continued.

        name: for messages. sha256, size: as locked; None if nobody knows yet.
        At the end of the block the bytes are verified and published; wrong bytes are kept aside in
        `inputs/quarantine/` and InputError says so.
        """
        partial = self._home / "partial" / f"input-{sha256 or sha256_hex(encode_path(name))}"
        with files.partial_file(partial) as stream:
            receiver = Receiver(stream, name, sha256, size)
            if sha256 is not None and self.locate(sha256) is not None:
                receiver.done = True
            yield receiver
            if receiver.done:
                partial.unlink(missing_ok=True)
                return
            stream.flush()
            if problem := receiver.problem():
                aside = self._home / "inputs" / "quarantine" / receiver.sha256
                files.publish(partial, aside, 0o400)
                raise InputError.about(
                    name,
                    problem,
                    f"The bytes are kept at {aside} and are not used. If they are meant, update the lock.",
                )
            files.publish(partial, self.path(receiver.sha256))


class Receiver:
    """The bytes of one input on their way into the store.

    offset: bytes that are already here. done: another process finished meanwhile, nothing is to be sent.
    """

    def __init__(self, stream: BinaryIO, name: str, sha256: Sha256 | None, size: Size | None) -> None:
        self.name = name
        self.done = False
        self.offset = 0
        self._stream = stream
        self._wanted = sha256
        self._size = size
        self._digest = hashlib.sha256()
        if sha256 is None:
            self.restart()
        while chunk := stream.read(CHUNK):
            self._digest.update(chunk)
            self.offset += len(chunk)
        if size is not None and self.offset > size:
            self.restart()

    @property
    def sha256(self) -> Sha256:
        """sha256 hex of what has arrived so far."""
        return Sha256(self._digest.hexdigest())

    def head(self, size: int) -> bytes:
        """The first bytes of what has arrived, up to `size`."""
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

    def write(self, chunk: bytes) -> None:
        self._stream.write(chunk)
        self._digest.update(chunk)
        self.offset += len(chunk)
        if self._size is not None and self.offset > self._size:
            raise InputError(f"{self.name}: more than the {self._size} bytes that the lock says arrived")

    def problem(self) -> str | None:
        """How the bytes differ from the lock, or None."""
        if self._size is not None and self.offset != self._size:
            return f"{self.offset} bytes arrived, the lock says {self._size}"
        if self._wanted is not None and self.sha256 != self._wanted:
            return f"its sha256 is {self.sha256}, the lock says {self._wanted}"
        return None
