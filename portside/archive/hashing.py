"""sha256 beside reading and writing, in a thread of its own."""

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO

from portside.common.canonical import CHUNK
from portside.common.progress import Advance
from portside.common.values import Sha256

_WORTH_A_THREAD = CHUNK // 8
"""Bytes; handing smaller pieces over takes longer than hashing them."""


class Hasher:
    """One piece is hashed while the next is read and written. count: bytes so far."""

    def __init__(self) -> None:
        self.count = 0
        self._digest = hashlib.sha256()
        self._pool: ThreadPoolExecutor | None = None
        self._running: Future[None] | None = None

    def __enter__(self) -> "Hasher":
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def update(self, data: bytes) -> None:
        self.count += len(data)
        if self._running is not None:
            self._running.result()
            self._running = None
        if len(data) < _WORTH_A_THREAD:
            self._digest.update(data)
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1)
        self._running = self._pool.submit(self._digest.update, data)

    def hexdigest(self) -> Sha256:
        if self._running is not None:
            self._running.result()
        return Sha256(self._digest.hexdigest())


class Watched:
    """A file that tells how far it has been read, and lets its bytes be hashed."""

    def __init__(self, source: BinaryIO, advance: Advance, hasher: Hasher | None) -> None:
        self._source = source
        self._advance = advance
        self._hasher = hasher

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self._advance(len(data))
        if self._hasher is not None and data:
            self._hasher.update(data)
        return data
