"""Where bytes go on their way from a place, and why a place does not give them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from portside.common import progress

Refuse = Callable[[Mapping[str, str]], str | None]
"""Says of a server's headers why the bytes behind them cannot be the ones asked for, or None."""


class Sink(Protocol):
    """Where bytes go. offset: how many are there. done: nothing is to be sent (another process was faster)."""

    done: bool
    offset: int

    def restart(self) -> None: ...

    def write(self, chunk: bytes) -> None: ...


@runtime_checkable
class TakesFiles(Protocol):
    """A sink that may have a whole file of this machine without its bytes being sent."""

    def take(self, path: Path, source: BinaryIO) -> bool:
        """source: the file, open. Gives whether it has the file now."""


class UnusableError(Exception):
    """This place does not give the bytes; the text says why. wrong: it gives others."""

    def __init__(self, reason: str, *, wrong: bool = False) -> None:
        super().__init__(reason)
        self.wrong = wrong


class Counted:
    """A sink that tells a progress bar what arrives, and says what cannot be right before it does."""

    def __init__(self, sink: Sink, advance: progress.Advance, refuse: Refuse) -> None:
        self.refuse = refuse
        self._sink = sink
        self._advance = advance
        self._new = 0

    @property
    def offset(self) -> int:
        return self._sink.offset

    def restart(self) -> None:
        self._advance(-self._new)
        self._new = 0
        self._sink.restart()

    def write(self, chunk: bytes) -> None:
        self._sink.write(chunk)
        self._new += len(chunk)
        self._advance(len(chunk))
