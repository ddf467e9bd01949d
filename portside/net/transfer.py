"""Bring an input's bytes from the first place that has them: files, `file://` and `http(s)://` URLs.

Only bytes decide: a place is as good as any other if its bytes are the locked ones. A partial file of an earlier try
is continued, from another place if need be; where that gives wrong bytes, the place is asked once more from the start.
"""

import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, runtime_checkable
from urllib.parse import unquote

from portside.common import progress
from portside.common.canonical import CHUNK
from portside.common.url import redact, secrets_of, shown
from portside.common.values import Sha256, Size
from portside.errors import InputError, MissingInputError, Remedy
from portside.net import suspect
from portside.net.bounded import Pace
from portside.net.client import NO_URL, RedirectError, get, is_lasting

if TYPE_CHECKING:
    import httpx

    from portside.store import Store
    from portside.store.inputs import Receiver

PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each further try after a passing fault; a try that brought new bytes starts the row anew."""

LONGEST_WAIT = 30.0
"""Seconds: no server's Retry-After makes us wait longer."""

_NEW_BYTES = 1 << 16
PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
"""What a server says where another try may do."""


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


class _UnusableError(Exception):
    """This place does not give the bytes; the text says why. wrong: it gives others."""

    def __init__(self, reason: str, *, wrong: bool = False) -> None:
        super().__init__(reason)
        self.wrong = wrong


Refuse = Callable[[Mapping[str, str]], str | None]
"""Says of a server's headers why the bytes behind them cannot be the ones asked for, or None."""


class _PassingError(Exception):
    """A fault that may be gone at the next try. wait: seconds that the server asks for."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def bring(
    name: str,
    sha256: Sha256 | None,
    size: Size | None,
    places: Iterable[str],
    store: "Store",
    note: Remedy,
    *,
    pauses: Sequence[float] = PAUSES,
) -> Sha256:
    """Take an input into the store from the first place that has it; gives its sha256 (hex).

    sha256, size: as locked, None if nobody knows yet. places: files and URLs, asked in this order; not asked at all
    if the store has the input. note: what a person can do if no place has it. pauses: see PAUSES.
    Raises InputError with every place's reason, MissingInputError where none of them has the input.
    """
    if sha256 is not None and (held := store.inputs.verified(sha256)) is not None:
        if size is not None and held.size != size:
            raise InputError(f"{name}: what has the sha256 {sha256} has {held.size} bytes, the lock says {size}", note)
        return sha256
    return first_seen(name, sha256, size, places, store, note, pauses=pauses)[0]


def first_seen(
    name: str,
    sha256: Sha256 | None,
    size: Size | None,
    places: Iterable[str],
    store: "Store",
    note: Remedy,
    *,
    pauses: Sequence[float] = PAUSES,
    in_place: Callable[[Path], bool] = lambda path: False,
) -> tuple[Sha256, str]:
    """As `bring`, for what the store lacks; gives the sha256 (hex) and the place that had it.

    Where nobody knows the sha256, what is surely something else (see `suspect`) is refused. in_place: whether a file
    of this machine is left where it is.
    """
    arrived: Sha256 | None = None

    @contextmanager
    def attempt() -> Iterator["Receiver"]:
        nonlocal arrived
        with store.inputs.receive(name, sha256, size, in_place) as receiver:
            yield receiver
            if sha256 is None and (
                reason := suspect.of_bytes(name, receiver.head(suspect.HEAD), receiver.offset, size)
            ):
                receiver.restart()
                raise _UnusableError(_refused(reason), wrong=True)
            arrived = receiver.sha256

    def refuse(headers: Mapping[str, str]) -> str | None:
        reason = suspect.of_headers(name, headers)
        return _refused(reason) if reason else None

    place = stream_from(
        name, places, size, attempt, note, pauses=pauses, refuse=refuse if sha256 is None else lambda _: None
    )
    found = sha256 or arrived
    assert found is not None, name
    return found, place


def _refused(reason: str) -> str:
    return f"what arrived is {reason}. {suspect.REMEDY}"


def stream_from(
    name: str,
    places: Iterable[str],
    size: int | None,
    attempt: Callable[[], AbstractContextManager[Sink]],
    note: Remedy,
    *,
    pauses: Sequence[float] = PAUSES,
    refuse: Refuse = lambda headers: None,
) -> str:
    """Send the bytes of the first place that has the right ones into a sink; gives the place.

    attempt: opens the sink; leaving its block checks the bytes and raises InputError if they are wrong.
    Other arguments and errors as for `bring`.
    """
    reasons: list[str] = []
    kind: type[InputError] = MissingInputError
    for place in places:
        fault = _try_place(name, place, size, attempt, pauses, refuse)
        if fault is None:
            return place
        kind = InputError if fault.wrong else kind
        reasons.append(f"{shown(place)}: {fault}")
    if not reasons:
        raise MissingInputError(f"no place is known that has {name}", note)
    raise kind("\n".join([f"{name} could not be brought", *(f"  {reason}" for reason in reasons)]), note)


def _try_place(
    name: str,
    place: str,
    size: int | None,
    attempt: Callable[[], AbstractContextManager[Sink]],
    pauses: Sequence[float],
    refuse: Refuse,
) -> _UnusableError | None:
    """None if the sink has the right bytes now, else why not."""
    from_start = False
    while True:
        continued = False
        try:
            with attempt() as sink:
                if sink.done:
                    return None
                if from_start:
                    sink.restart()
                if _is_taken(place, sink, size):
                    return None
                continued = sink.offset > 0
                with progress.transfer(name, None if size is None else size - sink.offset) as advance:
                    _send(place, _Counted(sink, advance, refuse), size, pauses)
            return None
        except _UnusableError as error:
            return error
        except InputError as error:
            if not continued:
                text = error.reason if error.subject == name else error.problem
                return _UnusableError(f"{text} {error.solution or ''}".rstrip(), wrong=True)
            from_start = True


def _is_taken(place: str, sink: Sink, size: int | None) -> bool:
    """Whether the sink has a file of this machine now, without its bytes being sent. Why not, sending them tells."""
    scheme = place.partition("://")[0].lower() if "://" in place else ""
    if scheme not in ("", "file") or not isinstance(sink, TakesFiles):
        return False
    path = path_of(place) if scheme else Path(place)
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode) or size not in (None, info.st_size):
            return False
        with path.open("rb") as source:
            return sink.take(path, source)
    except OSError:
        sink.restart()
        return False


class _Counted:
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


def path_of(file_url: str) -> Path:
    """The path in a `file://` URL (RFC 8089)."""
    return Path(unquote(re.sub(r"^file://(localhost(?=/))?", "", file_url, flags=re.IGNORECASE)))


def _send(place: str, sink: _Counted, size: int | None, pauses: Sequence[float]) -> None:
    scheme = place.partition("://")[0].lower() if "://" in place else ""
    if size is not None and size == sink.offset > 0:
        return
    if scheme in ("http", "https"):
        _send_http(place, sink, size, pauses)
    elif scheme == "file":
        _send_file(path_of(place), sink, size)
    elif not scheme:
        _send_file(Path(place), sink, size)
    else:
        raise _UnusableError(f"{scheme} is not a kind of place that Portside can read")


def _send_file(path: Path, sink: _Counted, size: int | None) -> None:
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise _UnusableError("not a file")
        if size is not None and info.st_size != size:
            raise _UnusableError(f"it has {info.st_size} bytes, the lock says {size}", wrong=True)
        source = path.open("rb")
    except OSError as error:
        raise _UnusableError(error.strerror or str(error)) from None
    with source:
        if sink.offset > info.st_size:
            sink.restart()
        source.seek(sink.offset)
        while True:
            try:
                chunk = source.read(CHUNK)
            except OSError as error:
                raise _UnusableError(error.strerror or str(error)) from None
            if not chunk:
                return
            sink.write(chunk)


def _send_http(url: str, sink: _Counted, size: int | None, pauses: Sequence[float]) -> None:
    download = _Download(url, sink, size)
    furthest, fruitless = sink.offset, 0
    while True:
        try:
            return download.run()
        except _PassingError as fault:
            if sink.offset >= furthest + _NEW_BYTES:
                furthest, fruitless = sink.offset, 0
            if fruitless >= len(pauses):
                raise _UnusableError(f"{fault}, {fruitless + 1} times") from None
            time.sleep(max(pauses[fruitless], min(fault.wait, LONGEST_WAIT)))
            fruitless += 1


class _Download:
    """One URL on its way into a sink; `run` again continues where a passing fault broke off."""

    def __init__(self, url: str, sink: _Counted, size: int | None) -> None:
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
            raise _UnusableError(str(error)) from None
        except (httpx.InvalidURL, UnicodeError):
            raise _UnusableError(NO_URL) from None

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
            raise _PassingError(_status(response), float(wait) if wait.isdecimal() else 0.0)
        if status not in (200, 206):
            raise _UnusableError(_status(response))
        if reason := self._sink.refuse(response.headers):
            raise _UnusableError(reason, wrong=True)
        total = self._check_range(response) if status == 206 else self._start_anew(response)
        if self._size is not None and total is not None and total != self._size:
            raise _UnusableError(f"it has {total} bytes, the lock says {self._size}", wrong=True)
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
        return int(length) if length.isdecimal() else None

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
    return _UnusableError(text) if is_lasting(error) else _PassingError(text)
