"""A file of a server, by HTTP: continued where an earlier try broke off, and tried again after passing faults."""

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from portside.common.url import redact, secrets_of
from portside.net.bounded import Pace, seconds_of
from portside.net.client import NO_URL, RedirectError, get, is_lasting
from portside.net.sink import Counted, UnusableError

if TYPE_CHECKING:
    import httpx

PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each further try after a passing fault; a try that brought new bytes starts the row anew."""

LONGEST_WAIT = 30.0
"""Seconds: no server's Retry-After makes us wait longer."""

_NEW_BYTES = 1 << 16

PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
"""What a server says where another try may do."""


class _PassingError(Exception):
    """A fault that may be gone at the next try. wait: seconds that the server asks for."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def send_http(url: str, sink: Counted, size: int | None, pauses: Sequence[float]) -> None:
    """Send what the sink lacks of the file at a URL.

    size: its bytes, None if nobody knows. pauses: see PAUSES. Raises UnusableError where the place does not give them.
    """
    download = _Download(url, sink, size)
    furthest, fruitless = sink.offset, 0
    while True:
        try:
            return download.run()
        except _PassingError as fault:
            if sink.offset >= furthest + _NEW_BYTES:
                furthest, fruitless = sink.offset, 0
            if fruitless >= len(pauses):
                raise UnusableError(f"{fault}, {fruitless + 1} times") from None
            time.sleep(max(pauses[fruitless], min(fault.wait, LONGEST_WAIT)))
            fruitless += 1


class _Download:
    """One URL on its way into a sink; `run` again continues where a passing fault broke off."""

    def __init__(self, url: str, sink: Counted, size: int | None) -> None:
        self._url = url
        self._sink = sink
        self._size = size
        self._validator: str | None = None
        self._own_bytes = False

    def run(self) -> None:
        import httpx

        try:
            if self._own_bytes and self._validator is None and self._size is None:
                # Nothing would tell if the server's file had changed since the first part.
                self._sink.restart()
            pace = Pace()
            with get(self._url, self._headers(), pace) as response:
                self._receive(response, pace)
        except httpx.TransportError as error:
            raise _fault(error, self._url) from None
        except RedirectError as error:
            raise UnusableError(str(error)) from None
        except (httpx.InvalidURL, UnicodeError):
            raise UnusableError(NO_URL) from None

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        if self._sink.offset:
            headers["Range"] = f"bytes={self._sink.offset}-"
            if self._own_bytes and self._validator is not None:
                headers["If-Range"] = self._validator
        return headers

    def _receive(self, response: "httpx.Response", pace: Pace) -> None:
        status = response.status_code
        if status == 416 and self._sink.offset:
            if response.headers.get("Content-Range", "").strip() == f"bytes */{self._sink.offset}":
                return
            self._sink.restart()
            raise _PassingError("the server's file is shorter than what had arrived")
        if status in PASSING_STATUS:
            wait = response.headers.get("Retry-After", "")
            raise _PassingError(_status(response), seconds_of(wait))
        if status not in (200, 206):
            raise UnusableError(_status(response))
        if reason := self._sink.refuse(response.headers):
            raise UnusableError(reason, wrong=True)
        total = self._check_range(response) if status == 206 else self._start_anew(response)
        if self._size is not None and total is not None and total != self._size:
            raise UnusableError(f"it has {total} bytes, the lock says {self._size}", wrong=True)
        self._own_bytes = True
        self._validator = _validator(response)
        # Raw: what a server calls a content encoding may be the very file that the lock means (x.tar.gz as gzip).
        for chunk in response.iter_raw():
            pace.came(len(chunk))
            self._sink.write(chunk)
        if total is not None and self._sink.offset < total:
            raise _PassingError(f"the connection ended after {self._sink.offset} of {total} bytes")

    def _start_anew(self, response: "httpx.Response") -> int | None:
        """The server sends the whole file, asked for or not; gives its length if it says one."""
        if self._sink.offset:
            self._sink.restart()
        length = response.headers.get("Content-Length", "")
        return int(length) if re.fullmatch("[0-9]{1,18}", length) else None

    def _check_range(self, response: "httpx.Response") -> int | None:
        """The server continues; gives the whole file's length if it says one."""
        match = re.fullmatch(r"bytes (\d{1,18})-\d+/(\d{1,18}|\*)", response.headers.get("Content-Range", "").strip())
        if match is None or int(match[1]) != self._sink.offset:
            self._sink.restart()
            raise _PassingError("the server sent another range than asked for")
        return None if match[2] == "*" else int(match[2])


def _validator(response: "httpx.Response") -> str | None:
    """What If-Range may hold (RFC 9110, 13.1.5): a strong ETag, else the date of the last change."""
    etag: str = response.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):
        return etag
    modified: str | None = response.headers.get("Last-Modified")
    return modified


def _status(response: "httpx.Response") -> str:
    hint = " (credentials are read from ~/.netrc)" if response.status_code in (401, 403) else ""
    return f"the server says {response.status_code} {response.reason_phrase}".rstrip() + hint


def _fault(error: "httpx.TransportError", url: str) -> Exception:
    """A transport error as the reason it is: one that another try cannot heal, or a passing one."""
    text = redact(str(error), secrets_of([url])) or type(error).__name__
    return UnusableError(text) if is_lasting(error) else _PassingError(text)
