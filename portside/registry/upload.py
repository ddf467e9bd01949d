"""A blob on its way into a registry: asked for first, in chunks, and continued where it broke off if that is possible.

distribution-spec 1.1, "Pushing blobs". The registry keeps what has arrived in an upload session, which has a URL; it
is written down beside the store's partial files, so that the next process can ask for it.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from portside.common.canonical import CHUNK
from portside.common.progress import Advance
from portside.common.tree import Ranged
from portside.common.values import Sha256
from portside.errors import RegistryError
from portside.net.bounded import METADATA_SECONDS, Patience
from portside.registry.answer import answer_of
from portside.registry.client import Client, PassingError
from portside.store import Store, files

if TYPE_CHECKING:
    import httpx

PIECE = 64 << 20
"""Bytes per request. A registry that forgets a session whose last request broke off loses no more than it must."""

MOST_LOST = 8
"""How often a registry may want a piece again before it counts as one that never has enough."""

SLOWEST = 16 << 20
"""Bytes per second: how fast a registry hashes a blob at least, before it answers that it has all of it."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A blob to push. digest: sha256 hex of the content's bytes."""

    digest: Sha256
    content: Ranged

    @property
    def size(self) -> int:
        return self.content.size


def upload(
    client: Client, store: Store, blob: Outgoing, advance: Advance, others: Sequence[str] = (), piece: int = PIECE
) -> bool:
    """Make the repository have a blob; True if its bytes had to be sent.

    others: repositories of the same registry that may have it. piece: see PIECE. Raises RegistryError.
    """
    if client.has_blob(blob.digest):
        return False
    if any(client.mount(blob.digest, other) for other in others):
        return False
    with _session(client, store, blob) as session:
        sending = _Sending(client, blob, session, advance, piece)
        return client.patiently(sending.run, lambda: sending.furthest)


@contextmanager
def _session(client: Client, store: Store, blob: Outgoing) -> Iterator["_Session"]:
    """The remembered session of this blob, for one process at once."""
    name = hashlib.sha256(f"{client.repository}@{blob.digest}".encode()).hexdigest()
    path = store.home / "partial" / f"upload-{name}"
    with files.partial_file(path) as stream:
        yield _Session(stream)
        path.unlink(missing_ok=True)


class _Session:
    """The session's URL in a file."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.location = stream.read().decode("utf-8", "replace").strip()

    def keep(self, location: str) -> None:
        self.location = location
        self._stream.seek(0)
        self._stream.truncate()
        self._stream.write(location.encode())
        self._stream.flush()


class _Sending:
    """One blob being sent. furthest: the most bytes that the registry ever had of it."""

    def __init__(self, client: Client, blob: Outgoing, session: _Session, advance: Advance, piece: int) -> None:
        self.furthest = 0
        self._client = client
        self._blob = blob
        self._session = session
        self._advance = advance
        self._piece = piece
        self._shown = 0
        self._tried = False
        self._mistaken = 0
        self._lost = 0

    def run(self) -> bool:
        """Send what is missing. Raises PassingError, after which `run` continues."""
        # A connection can break after the last byte and before the answer.
        if self._tried and self._client.has_blob(self._blob.digest):
            return True
        self._tried = True
        offset = self._resume()
        if offset is None:
            offset = self._start()
        while True:
            self._at(offset)
            if self._finish(offset):
                return True
            offset = self._patch(offset)

    def _resume(self) -> int | None:
        """Where the registry is with the session that is remembered, None if it knows no such."""
        location = self._session.location
        if not location.startswith(("http://", "https://")):
            return None
        try:
            answer = self._client.ask("GET", location, expect=range(200, 501))
        except RegistryError:
            return None  # what stands in the file may be anything
        offset = _received(answer.headers) if answer.status in (200, 204) else None
        if offset is None or offset > self._blob.size:
            return None
        self._moved(answer.url, answer.headers)
        return offset

    def _start(self) -> int:
        answer = self._client.ask("POST", "blobs/uploads/", {"Content-Length": "0"}, expect=(202,))
        self._moved(answer.url, answer.headers)
        return 0

    def _patch(self, offset: int) -> int:
        """Send the next piece; gives how many bytes the session has now."""
        end = min(offset + self._piece, self._blob.size)
        headers = {"Content-Range": f"{offset}-{end - 1}"}
        with self._send("PATCH", self._session.location, offset, end, headers, (202, 400, 404, 416)) as response:
            if response.status_code == 202:
                self._moved(response.url, response.headers)
                received = _received(response.headers)
            elif response.status_code == 416 and (told := _received(response.headers)) is not None:
                return self._back_to(told, response)
            else:
                self._session.keep("")
                raise PassingError("it has forgotten the upload")
        return end if received in (None, end) else self._counted(offset, end)

    def _back_to(self, told: int, response: "httpx.Response") -> int:
        """Where a registry wants to go on that has refused a piece (distribution-spec: 416 with `Range`)."""
        self._moved(response.url, response.headers)
        self._lost += 1
        if self._lost > MOST_LOST or told > self._blob.size:
            self._session.keep("")
            raise self._client.unexpected(answer_of(response), f"take the blob sha256:{self._blob.digest} in pieces")
        return told

    def _counted(self, offset: int, end: int) -> int:
        """How much there is after a piece of which the answer says something else than that it is all there.

        Some registries say the range of that piece alone, or always the same: so the session itself is asked. What
        is no place inside of the piece is not believed either; the digest at the end decides.
        """
        answer = self._client.ask("GET", self._session.location, expect=range(200, 501))
        told = _received(answer.headers) if answer.status in (200, 204) else None
        if answer.status in (200, 204):
            self._moved(answer.url, answer.headers)
        if told is None or not offset < told < end:
            return end
        self._lost += 1
        return told if self._lost <= MOST_LOST else end

    def _finish(self, offset: int) -> bool:
        """Close the upload if nothing is missing, or if all fits into the closing request."""
        size = self._blob.size
        if offset < size and (offset > 0 or size > self._piece):
            return False
        location = self._session.location
        url = f"{location}{'&' if '?' in location else '?'}digest=sha256:{self._blob.digest}"
        with self._send("PUT", url, offset, size, {}, (201, 204, 400, 404, 416)) as response:
            if response.status_code in (201, 204):
                return True
            self._session.keep("")
            self._mistaken += 1
            if self._mistaken > 1:
                raise self._client.unexpected(answer_of(response), f"take the blob sha256:{self._blob.digest}")
            # In one piece nothing can be counted wrongly.
            self._piece = size
            raise PassingError("it has other bytes than were sent")

    @contextmanager
    def _send(
        self, method: str, url: str, start: int, end: int, headers: dict[str, str], expect: Sequence[int]
    ) -> Iterator["httpx.Response"]:
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(end - start), **headers}
        patience = Patience(METADATA_SECONDS + self._blob.size / SLOWEST)
        with self._client.send(
            method, url, headers, lambda: self._bytes(start, end, patience), expect=expect, patience=patience
        ) as response:
            yield response

    def _bytes(self, start: int, end: int, patience: Patience) -> Iterator[bytes]:
        self._at(start)
        with self._blob.content.part(start, end - start).open() as source:
            while chunk := source.read(CHUNK):
                yield chunk
                patience.renew()
                self._client.sent += len(chunk)
                self._shown += len(chunk)
                self._advance(len(chunk))

    def _moved(self, url: "httpx.URL", headers: "httpx.Headers") -> None:
        if location := headers.get("Location"):
            self._session.keep(self._client.join(url, location))

    def _at(self, offset: int) -> None:
        """The registry has this many bytes: what was sent beyond them does not count."""
        self._advance(offset - self._shown)
        self._shown = offset
        self.furthest = max(self.furthest, offset)


def _received(headers: "httpx.Headers") -> int | None:
    """How many bytes a session has: `Range: 0-LAST`. The registry of Docker says 0-0 for none."""
    match = re.fullmatch(r"(?:bytes=)?0-(\d{1,18})", headers.get("Range", "").strip())
    if match is None:
        return None
    last = int(match[1])
    return last + 1 if last else 0
