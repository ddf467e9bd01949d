"""How long a server may take, and how much it may say, before its bytes are proven."""

import json
import math
import re
import time
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

LARGEST_ANSWER = 16 << 20
"""Bytes of an answer that is read into memory, unpacked."""
MOST_VALUES = 1_000_000
"""Values of a JSON text. An empty one is two bytes there and a hundred in memory."""
METADATA_SECONDS = 60.0
"""How long an answer that is read into memory may take from its request to its last byte."""
WINDOW_SECONDS = 60.0
SLOWEST = 1024
"""Bytes per second: a sender that brings less than this for WINDOW_SECONDS counts as silent."""
_STEP = 64 << 10


LATEST_RETRY = 3600
"""Seconds: a server that wants to be asked again later than this says nothing that a call could wait for."""


def seconds_of(retry_after: str) -> float:
    """What a Retry-After header asks for (RFC 9110, 10.2.3); 0 for a date, and for what is of no use."""
    text = retry_after.strip()
    seconds = int(text) if re.fullmatch("[0-9]{1,9}", text) else 0
    return float(seconds) if seconds <= LATEST_RETRY else 0.0


class AnswerError(Exception):
    """An answer that is larger than any real one, or packed in a way that nobody asked for; the text says which."""


class Patience:
    """A timeout of a request for httpx, in seconds from now: it ends at one moment, whatever trickles in before.

    A plain timeout begins anew with each byte. A socket takes whatever has an index for its seconds, so this one is
    asked before each read. Raises TimeoutError there when its time is over.
    """

    def __init__(self, seconds: float = METADATA_SECONDS) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def renew(self) -> None:
        self._end = time.monotonic() + self.seconds

    def __index__(self) -> int:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"no end after {self.seconds:g} seconds")
        return max(1, math.ceil(left))

    def extension(self, connect: float) -> dict[str, Any]:
        """The `timeout` of a request's extensions. connect: seconds."""
        return {"connect": connect, "read": self, "write": self.seconds, "pool": self.seconds}


class Pace(Patience):
    """The patience for a large file: as long as it comes with SLOWEST bytes per second in every window."""

    def __init__(self, window: float = WINDOW_SECONDS) -> None:
        super().__init__(window)
        self._came = 0

    def came(self, size: int) -> None:
        """Bytes have come."""
        self._came += size
        if self._came >= SLOWEST * self.seconds:
            self._came = 0
            self.renew()


def body_of(response: "httpx.Response", limit: int = LARGEST_ANSWER) -> bytes:
    """A streamed response's whole body, unpacked (gzip and deflate alone). Raises AnswerError, and what httpx does.

    httpx unpacks as many times as the server says, in pieces of any size; this stops at `limit` bytes.
    """
    data = bytearray()
    for piece in _unpacked(response):
        data += piece
        if len(data) > limit:
            raise AnswerError(f"it answers with more than {limit} bytes")
    return bytes(data)


def _unpacked(response: "httpx.Response") -> Iterator[bytes]:
    said = response.headers.get("Content-Encoding", "identity").strip().lower()
    if said in ("", "identity"):
        yield from response.iter_raw()
        return
    if said not in ("gzip", "x-gzip", "deflate"):
        raise AnswerError(f"its answer is packed as {said[:40]!r}, which nobody asked for")
    inflate = zlib.decompressobj(wbits=47 if said != "deflate" else 15)
    try:
        for piece in response.iter_raw():
            while piece:
                yield inflate.decompress(piece, _STEP)
                piece = inflate.unconsumed_tail
        if not inflate.eof:
            raise AnswerError("its answer is cut off")
    except zlib.error as error:
        raise AnswerError(f"its answer cannot be unpacked: {error}") from None


def from_json(data: bytes) -> Any:
    """A JSON text of at most MOST_VALUES values. Raises ValueError for more, for too deep ones, and for other texts."""
    if sum(data.count(sign) for sign in (b",", b"[", b"{")) > MOST_VALUES:
        raise ValueError(f"more than {MOST_VALUES} values")
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
