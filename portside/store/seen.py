"""Files of this machine whose bytes were read once: their hash counts as long as nothing says that they are others.

Everything that is changed about a file changes its identity: replaced, it has another inode; written to, other times,
the second of which (ctime) nobody can set. Times are as fine as the clock of the file system, so a file that was
changed just before it was noted could be changed again without a trace: such a note is not trusted, as git's index
does not trust it ("racily clean").
"""

import hashlib
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from portside.common.canonical import CHUNK, sha256_hex
from portside.common.progress import transfer
from portside.common.values import Sha256, Size
from portside.errors import StoreError
from portside.store import files
from portside.store.records import SeenRecord, identity_of, path_text, seen_record, text_path

TICK = 50_000_000
"""Nanoseconds: Linux stamps files with the time of its last tick, which is 10 ms old at most."""
COARSE = 2_000_000_000
"""Nanoseconds, for file systems that keep whole seconds (FAT: two)."""


@dataclass(frozen=True, slots=True)
class Noted:
    """settled: whether a change since then could not have gone unnoticed."""

    sha256: Sha256
    size: Size
    settled: bool


class Seen:
    """`seen/`: a record for each path."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def _place(self, path: Path) -> Path:
        return self._home / "seen" / f"{sha256_hex(os.fsencode(path))}.json"

    def record(self, path: Path) -> SeenRecord | None:
        with suppress(StoreError):  # a damaged note is none
            return files.read_json(self._place(path), seen_record)
        return None

    def noted(self, path: Path) -> Noted | None:
        """What was noted of the file, None where there is none or another one now."""
        record = self.record(path)
        try:
            if record is None or identity_of(path.stat()) != record["identity"]:
                return None
        except OSError:
            return None
        return Noted(record["sha256"], record["identity"]["size"], _is_settled(record))

    def hash(self, path: Path, title: str) -> tuple[Sha256, Size]:
        """sha256 (hex) and bytes of a file, which is only read where its note does not say them. Raises OSError."""
        noted = self.noted(path)
        if noted is not None and noted.settled:
            return noted.sha256, noted.size
        return self.read(path, title)

    def read(self, path: Path, title: str, also: Callable[[bytes], object] = lambda chunk: None) -> tuple[Sha256, Size]:
        """As `hash`, but the bytes are read whatever is noted. also: gets every piece. Raises OSError."""
        digest, size = hashlib.sha256(), 0
        with path.open("rb", buffering=0) as stream:
            before = os.fstat(stream.fileno())
            with transfer(f"reading {title}", before.st_size) as advance:
                while chunk := stream.read(CHUNK):
                    also(chunk)
                    digest.update(chunk)
                    size += len(chunk)
                    advance(len(chunk))
        found = Sha256(digest.hexdigest())
        self.note(path, found, before)
        return found, Size(size)

    def note(self, path: Path, sha256: Sha256, before: os.stat_result) -> None:
        """Note a file's hash. before: what the file was before its bytes were read; another one is not noted."""
        if 0 < (left := before.st_ctime_ns + TICK - time.time_ns()) <= TICK:
            time.sleep(left / 1e9)  # once for a new file, in place of reading it once more
        now = time.time_ns()
        try:
            same = identity_of(path.stat()) == identity_of(before)
        except OSError:
            same = False
        if not same:
            return self.forget(path)
        record: SeenRecord = {
            "path": path_text(path),
            "sha256": sha256,
            "identity": identity_of(before),
            "noted_ns": now,
        }
        with suppress(StoreError):  # who may only read a store reads the file again
            files.write_json(self._home, self._place(path), record)

    def living(self) -> list[str]:
        """The names of the records that still say something: of files that are there as they were, or whose disk is
        not there now."""
        found = []
        for place in sorted((self._home / "seen").glob("*.json")):
            with suppress(StoreError):
                record = files.read_json(place, seen_record)
                path = text_path(record["path"]) if record is not None else None
                if path is not None and (not path.parent.is_dir() or self.noted(path) is not None):
                    found.append(place.stem)
        return found

    def forget(self, path: Path) -> None:
        with suppress(OSError):
            self._place(path).unlink()

    def lend(self, path: Path, other: "Seen") -> None:
        """Let another store know what this one knows of a file."""
        if (record := self.record(path)) is not None:
            files.write_json(other._home, other._place(path), record)


def _is_settled(record: SeenRecord) -> bool:
    changed = record["identity"]["ctime_ns"]
    return changed + (TICK if changed % 1_000_000_000 else COARSE) <= record["noted_ns"]
