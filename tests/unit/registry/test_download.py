"""A blob that arrives in pieces, again, or wrong: what is kept for the next try, and what is never used."""

import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from portside.common.values import DiffID, Sha256, Size
from portside.errors import RegistryError
from portside.registry.blob import TravellingBlob
from portside.registry.client import Client
from portside.registry.download import download
from portside.registry.reference import parse_repository
from portside.store import Store

LAYER = b"a layer of some bytes" * 50
PACKED = gzip.compress(LAYER, mtime=0)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def blob(travels: bytes = PACKED, layer: bytes = LAYER, **changes: Any) -> TravellingBlob:
    values: dict[str, Any] = {"size": Size(len(layer)), "diff_id": DiffID(sha(layer)), "travels": Size(len(travels))}
    values["compression"] = "none" if travels is LAYER else "gzip"
    return TravellingBlob(digest=Sha256(sha(travels)), **values | changes)


class Receiver:
    """A machine that downloads one blob, and a registry whose answers are given in the order of its requests."""

    def __init__(self, home: Path) -> None:
        self.store = Store(home)
        self.answers: list[httpx.Response] = []
        self.ranges: list[str | None] = []
        self.advanced: list[int] = []
        self.client = Client(parse_repository("r.invalid/a/b"), pauses=(0, 0))

    def __call__(self, transport: Any, request: httpx.Request) -> httpx.Response:
        self.ranges.append(request.headers.get("Range"))
        given = self.answers.pop(0)
        return httpx.Response(given.status_code, headers=given.headers, stream=httpx.ByteStream(given.content))

    def download(self, wanted: TravellingBlob) -> None:
        download(self.client, self.store, wanted, self.advanced.append)
        assert self.store.layout.blob(wanted.diff_id).read_bytes() == LAYER
        assert sum(self.advanced) == wanted.travels, "what is shown as having come is what there is"
        assert self.partial == []

    @property
    def partial(self) -> list[int]:
        """The sizes of what is kept for the next try."""
        folder = self.store.home / "partial"
        return [path.stat().st_size for path in folder.glob("blob-*")] if folder.is_dir() else []


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    made = Receiver(tmp_path / "home")
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda transport, request: made(transport, request))
    with made.client:
        yield made
    assert made.answers == [], "every answer was asked for"


def part(data: bytes, start: int, says: str | None = None) -> httpx.Response:
    return httpx.Response(206, content=data, headers={"Content-Range": says or f"bytes {start}-{len(data) - 1}/*"})


@pytest.mark.parametrize("travels", [PACKED, LAYER], ids=["packed", "plain"])
def test_a_connection_that_ends_is_continued(receiver: Receiver, travels: bytes) -> None:
    receiver.answers = [httpx.Response(200, content=travels[:20]), part(travels[20:], 20)]
    receiver.download(blob(travels))
    assert receiver.ranges == [None, "bytes=20-"]


def test_a_registry_without_ranges_sends_it_anew(receiver: Receiver) -> None:
    receiver.answers = [httpx.Response(200, content=PACKED[:20]), httpx.Response(200, content=PACKED)]
    receiver.download(blob())


def test_a_registry_that_has_less_by_now_sends_it_anew(receiver: Receiver) -> None:
    receiver.answers = [
        httpx.Response(200, content=PACKED[:20]),
        httpx.Response(416),
        httpx.Response(200, content=PACKED),
    ]
    receiver.download(blob())
    assert receiver.ranges == [None, "bytes=20-", None]


@pytest.mark.parametrize("says", ["bytes 0-9/9", "bytes x-", "items 20-30/31"])
def test_another_range_than_asked_for_is_not_taken(receiver: Receiver, says: str) -> None:
    wrong = part(PACKED, 0, says)
    receiver.answers = [httpx.Response(200, content=PACKED[:20]), wrong, wrong, wrong]
    with pytest.raises(RegistryError, match="another range than asked for"):
        receiver.download(blob())
    assert receiver.partial == [20], "the next call goes on from here"
    receiver.answers, receiver.advanced = [part(PACKED[20:], 20)], []
    receiver.download(blob())


def test_a_beginning_that_is_wrong_is_left_at_the_second_try(receiver: Receiver) -> None:
    receiver.answers = [httpx.Response(200, content=b"?" * 20)] + [httpx.Response(500)] * 3
    with pytest.raises(RegistryError, match="500"):
        receiver.download(blob())
    receiver.answers, receiver.advanced = [part(PACKED[20:], 20), httpx.Response(200, content=PACKED)], []
    receiver.download(blob())
    assert receiver.ranges[-2:] == ["bytes=20-", None]


def test_a_file_that_is_longer_than_the_blob_is_not_continued(receiver: Receiver) -> None:
    wanted = blob()
    folder = receiver.store.home / "partial"
    folder.mkdir(parents=True)
    (folder / f"blob-{wanted.digest}").write_bytes(PACKED + b"more")
    receiver.answers = [httpx.Response(200, content=PACKED)]
    receiver.download(wanted)
    assert receiver.ranges == [None]


@pytest.mark.parametrize(
    ("wanted", "sent", "problem"),
    [
        (blob(), b"?" * len(PACKED), "has other bytes than its name says"),
        (blob(), PACKED + b"?", "has more than the"),
        (blob(diff_id=DiffID("0" * 64)), PACKED, "holds layer sha256:"),
        (blob(size=Size(10)), PACKED, "holds more than the 10 bytes"),
        (blob(size=Size(len(LAYER) + 1)), PACKED, "its manifest says"),
        (blob(PACKED[:-9]), PACKED[:-9], "r.invalid/a/b: blob sha256:"),
    ],
    ids=["other bytes", "too many", "another layer", "a larger layer", "a smaller layer", "packed badly"],
)
def test_what_is_not_what_it_should_be_is_never_used(
    receiver: Receiver, wanted: TravellingBlob, sent: bytes, problem: str
) -> None:
    receiver.answers = [httpx.Response(200, content=sent)]
    with pytest.raises(RegistryError, match=problem):
        receiver.download(wanted)
    assert not receiver.store.layout.has(wanted.diff_id, None)


def test_what_another_process_has_brought_meanwhile_is_not_asked_for(receiver: Receiver) -> None:
    receiver.store.layout.put_blob(LAYER)
    download(receiver.client, receiver.store, blob(), receiver.advanced.append)
    assert receiver.ranges == [] and receiver.partial == []
