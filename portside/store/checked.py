"""Bytes that are compared with their hash while they are read."""

import hashlib
import io
from collections.abc import Callable
from typing import Any, BinaryIO, NoReturn

from portside.common.values import Sha256
from portside.errors import InputError


class Checked(io.RawIOBase):
    """A stream of bytes whose sha256 (hex) and number are known.

    damaged: called with the sha256 that was found when the last byte is read and it is another one, or when there are
    more or fewer bytes; it raises. So nobody who reads to the end takes wrong bytes for right ones.
    """

    def __init__(self, stream: BinaryIO, sha256: Sha256, size: int, damaged: Callable[[Sha256], NoReturn]) -> None:
        self._stream = stream
        self._sha256 = sha256
        self._left = size
        self._digest = hashlib.sha256()
        self._damaged = damaged

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        try:
            data = self._stream.read(-1 if size is None else size)
        except InputError:  # a file that it consists of became shorter
            data = b""
        self._digest.update(data)
        self._left -= len(data)
        ended = self._left <= 0 or (not data and size != 0)
        if ended and (self._left != 0 or self._digest.hexdigest() != self._sha256):
            self._damaged(Sha256(self._digest.hexdigest()))
        return data

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()
