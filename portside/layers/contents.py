"""Reading many contents fast: files are opened once, hashes are computed on all processors."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from portside.common.canonical import CHUNK
from portside.common.tree import Content, Entry, FileRange
from portside.errors import InputError

BATCH = 4 << 20
"""Bytes of content that one thread hashes in one go; small files in batches, else the hand-over costs more."""
FILE_COST = 16 << 10
"""What opening and closing a file costs, in bytes hashed meanwhile."""


class Reader:
    """Gives the chunks of one content after another; not for use by several threads at once.

    The file of a FileRange stays open until another file is asked for: a layer tar holds thousands of contents.
    """

    def __init__(self) -> None:
        self._path: Path | None = None
        self._file = -1

    def __enter__(self) -> "Reader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._path, self._file = None, -1

    def chunks(self, content: Content) -> Iterator[bytes]:
        """Raises InputError if there are fewer or more bytes than content.size says."""
        left = content.size
        if isinstance(content, FileRange):
            if content.path != self._path:
                self._close()
                self._file, self._path = os.open(content.path, os.O_RDONLY | os.O_CLOEXEC), content.path
            offset = content.offset
            while left:
                chunk = os.pread(self._file, min(CHUNK, left), offset)
                if not chunk:
                    raise InputError(f"{content.path} became shorter while it was read")
                left -= len(chunk)
                offset += len(chunk)
                yield chunk
            return
        with content.open() as stream:
            while chunk := stream.read(CHUNK):
                left -= len(chunk)
                yield chunk
        if left:
            raise InputError("a file changed its size while it was read")


def with_hashes(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The same entries in the same order; files whose sha256 nobody has computed yet have it now.

    Contents that several entries share are read once.
    """
    entries = list(entries)
    wanted = {
        id(entry.content): entry.content
        for entry in entries
        if entry.kind == "file" and not entry.sha256 and entry.content is not None
    }
    hashes: dict[int, str] = {}
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for found in pool.map(_hash, _batches(wanted.values())):
            hashes.update(found)
    for entry in entries:
        if entry.kind == "file" and not entry.sha256 and entry.content is not None:
            yield replace(entry, sha256=hashes[id(entry.content)])
        else:
            yield entry


def _batches(contents: Iterable[Content]) -> Iterator[list[Content]]:
    batch: list[Content] = []
    cost = 0
    for content in contents:
        batch.append(content)
        cost += content.size + FILE_COST
        if cost >= BATCH:
            yield batch
            batch, cost = [], 0
    if batch:
        yield batch


def _hash(batch: list[Content]) -> dict[int, str]:
    found = {}
    with Reader() as reader:
        for content in batch:
            digest = hashlib.sha256()
            for chunk in reader.chunks(content):
                digest.update(chunk)
            found[id(content)] = digest.hexdigest()
    return found
