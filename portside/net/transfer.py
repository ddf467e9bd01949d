"""Bring an input's bytes from the first place that has them: files, `file://` and `http(s)://` URLs.

Only bytes decide: a place is as good as any other if its bytes are the locked ones. A partial file of an earlier try
is continued, from another place if need be; where that gives wrong bytes, the place is asked once more from the start.
"""

import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from portside.common import progress
from portside.common.canonical import CHUNK
from portside.common.url import shown
from portside.common.values import Sha256, Size
from portside.errors import InputError, MissingInputError, Remedy
from portside.net import suspect
from portside.net.download import PAUSES, send_http
from portside.net.sink import Counted, Refuse, Sink, TakesFiles, UnusableError

if TYPE_CHECKING:
    from portside.store import Store
    from portside.store.inputs import Receiver


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
                raise UnusableError(_refused(reason), wrong=True)
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
) -> UnusableError | None:
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
                    _send(place, Counted(sink, advance, refuse), size, pauses)
            return None
        except UnusableError as error:
            return error
        except InputError as error:
            if not continued:
                text = error.reason if error.subject == name else error.problem
                return UnusableError(f"{text} {error.solution or ''}".rstrip(), wrong=True)
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


def path_of(file_url: str) -> Path:
    """The path in a `file://` URL (RFC 8089)."""
    return Path(unquote(re.sub(r"^file://(localhost(?=/))?", "", file_url, flags=re.IGNORECASE)))


def _send(place: str, sink: Counted, size: int | None, pauses: Sequence[float]) -> None:
    scheme = place.partition("://")[0].lower() if "://" in place else ""
    if size is not None and size == sink.offset > 0:
        return
    if scheme in ("http", "https"):
        send_http(place, sink, size, pauses)
    elif scheme == "file":
        _send_file(path_of(place), sink, size)
    elif not scheme:
        _send_file(Path(place), sink, size)
    else:
        raise UnusableError(f"{scheme} is not a kind of place that Portside can read")


def _send_file(path: Path, sink: Counted, size: int | None) -> None:
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise UnusableError("not a file")
        if size is not None and info.st_size != size:
            raise UnusableError(f"it has {info.st_size} bytes, the lock says {size}", wrong=True)
        source = path.open("rb")
    except OSError as error:
        raise UnusableError(error.strerror or str(error)) from None
    with source:
        if sink.offset > info.st_size:
            sink.restart()
        source.seek(sink.offset)
        while True:
            try:
                chunk = source.read(CHUNK)
            except OSError as error:
                raise UnusableError(error.strerror or str(error)) from None
            if not chunk:
                return
            sink.write(chunk)
