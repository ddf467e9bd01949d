"""Content that lies nowhere as a whole: it is put together while it is read."""

import io
import os
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from portside.common.tree import Ranged


@dataclass(frozen=True, slots=True)
class JoinedContent:
    """Several contents, one after the other."""

    pieces: tuple[Ranged, ...]

    @property
    def size(self) -> int:
        return sum(piece.size for piece in self.pieces)

    def open(self) -> BinaryIO:
        """A stream that can be sought in. Raises InputError where a file became shorter."""
        return cast(BinaryIO, _JoinedStream(self.pieces))

    def part(self, offset: int, size: int) -> Ranged:
        """A range; where one piece has all of it, of that piece alone: what asks for a file gets the file."""
        found: list[Ranged] = []
        begins = 0
        for piece in self.pieces:
            start, end = max(offset, begins), min(offset + size, begins + piece.size)
            if start < end:
                found.append(piece.part(start - begins, end - start))
            begins += piece.size
        return found[0] if len(found) == 1 else JoinedContent(tuple(found))


class _JoinedStream(io.RawIOBase):
    def __init__(self, pieces: tuple[Ranged, ...]) -> None:
        self._pieces = pieces
        self._at = 0
        self._number = 0
        self._stream: BinaryIO | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        size = sum(piece.size for piece in self._pieces)
        self._shut()
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: size}[whence])
        self._number = 0
        begins = 0
        for piece in self._pieces:
            if self._at < begins + piece.size:
                inside = self._at - begins
                self._stream = piece.part(inside, piece.size - inside).open()
                break
            begins += piece.size
            self._number += 1
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Exactly `size` bytes, as long as there are so many."""
        left = None if size is None or size < 0 else size
        found: list[bytes] = []
        while left != 0 and self._number < len(self._pieces):
            if self._stream is None:
                self._stream = self._pieces[self._number].open()
            data = self._stream.read(-1 if left is None else left)
            if not data:
                self._shut()
                self._number += 1
                continue
            found.append(data)
            self._at += len(data)
            left = None if left is None else left - len(data)
        return found[0] if len(found) == 1 else b"".join(found)

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _shut(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream = None

    def close(self) -> None:
        self._shut()
        super().close()
