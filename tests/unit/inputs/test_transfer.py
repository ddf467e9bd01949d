"""Transfers against a server that behaves as badly as servers do."""

import base64
import hashlib
import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from bad_server import DATA, SHA, Handler, Server

from portside.errors import InputError, RecipeError
from portside.net import transfer
from portside.net.bounded import seconds_of
from portside.net.client import http_client
from portside.net.sink import Sink
from portside.registry.client import Client
from portside.registry.reference import parse_repository
from portside.store import Store

NO_WAIT = (0.0, 0.0)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy") or name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def partial(store: Store, data: bytes, sha256: str = SHA) -> Path:
    """What an interrupted transfer left."""
    path = store.home / "partial" / f"input-{sha256}"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


def bring(store: Store, *places: str, sha256: str | None = SHA, size: int | None = len(DATA)) -> str:
    return transfer.bring("thing.whl", sha256, size, places, store, "Bring it yourself.", pauses=NO_WAIT)


def held(store: Store, sha256: str = SHA) -> bytes:
    return store.inputs.path(sha256).read_bytes()


def ranges(server: Server) -> list[str | None]:
    return [headers.get("range") for _, headers in server.requests]


def test_a_file_a_file_url_and_a_url_are_places(store: Store, server: Server, tmp_path: Path) -> None:
    path = tmp_path / "a file ü%.whl"
    path.write_bytes(DATA)
    for number, place in enumerate([str(path), "file://" + quote(str(path)), f"{server.url}/good"]):
        other = Store(tmp_path / f"home{number}")
        assert bring(other, place) == SHA
        assert held(other) == DATA
        assert not list((other.home / "partial").iterdir())


@pytest.mark.parametrize("plan", ["moved", "busy", "drops", "drops_without_ranges", "changes", "whole", "encoded"])
def test_passing_faults_and_odd_servers_do_not_matter(store: Store, server: Server, plan: str) -> None:
    assert bring(store, f"{server.url}/{plan}") == SHA
    assert held(store) == DATA


def test_a_dropped_connection_is_continued_where_it_broke_off(store: Store, server: Server) -> None:
    bring(store, f"{server.url}/drops")
    asked = ranges(server)
    assert asked[0] is None
    starts = [int(str(text)[6:-1]) for text in asked[1:]]
    assert starts == sorted(set(starts)) and starts[0] > 0
    assert {headers.get("if-range") for _, headers in server.requests[1:]} == {'"one"'}


def test_a_partial_file_of_an_earlier_run_is_continued(store: Store, server: Server) -> None:
    partial(store, DATA[:300_000])
    bring(store, f"{server.url}/good")
    assert ranges(server) == ["bytes=300000-"]
    assert held(store) == DATA


def test_a_complete_partial_file_needs_no_request(store: Store, server: Server) -> None:
    partial(store, DATA)
    bring(store, f"{server.url}/missing")
    assert server.requests == []
    assert held(store) == DATA


@pytest.mark.parametrize("plan", ["whole", "wrong_range"])
def test_a_server_without_honest_ranges_starts_anew(store: Store, server: Server, plan: str) -> None:
    partial(store, DATA[:300_000])
    assert bring(store, f"{server.url}/{plan}") == SHA


def test_a_partial_file_of_other_bytes_costs_one_more_try_at_the_same_place(store: Store, server: Server) -> None:
    partial(store, b"z" * 1000)
    bring(store, f"{server.url}/good")
    assert ranges(server) == ["bytes=1000-", None]
    assert held(store) == DATA


def test_a_partial_file_of_other_bytes_and_a_local_place(store: Store, tmp_path: Path) -> None:
    (tmp_path / "thing").write_bytes(DATA)
    partial(store, b"z" * 1000)
    assert bring(store, str(tmp_path / "thing")) == SHA


def test_a_partial_file_that_is_longer_than_the_servers(store: Store, server: Server) -> None:
    partial(store, DATA + b"tail")
    assert bring(store, f"{server.url}/too-far", size=None) == SHA


def test_a_range_that_begins_at_the_end_means_complete(store: Store, server: Server) -> None:
    partial(store, DATA)
    assert bring(store, f"{server.url}/too-far", size=None) == SHA
    assert ranges(server) == [f"bytes={len(DATA)}-"]


def test_wrong_bytes_are_kept_aside_and_the_next_place_is_tried(store: Store, server: Server) -> None:
    bring(store, f"{server.url}/wrong", f"{server.url}/good")
    assert held(store) == DATA
    (aside,) = (store.home / "inputs" / "quarantine").iterdir()
    assert aside.read_bytes() == b"y" * len(DATA)


def test_a_wrong_size_is_seen_before_the_bytes_come(store: Store, server: Server, tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(DATA[:10])
    with pytest.raises(InputError) as caught:
        bring(store, f"{server.url}/short", str(tmp_path / "short"))
    assert f"it has {len(DATA) - 1} bytes, the lock says {len(DATA)}" in caught.value.problem
    assert f"it has 10 bytes, the lock says {len(DATA)}" in caught.value.problem


def test_more_bytes_than_locked_are_refused_and_not_continued(store: Store, server: Server) -> None:
    with pytest.raises(InputError, match="more than the"):
        bring(store, f"{server.url}/endless")
    assert bring(store, f"{server.url}/good") == SHA


def test_every_place_is_named_with_its_reason_and_no_credentials(store: Store, server: Server, tmp_path: Path) -> None:
    places = [
        str(tmp_path / "nothing-here"),
        str(tmp_path),
        f"http://anna:geheim@127.0.0.1:{server.server_port}/missing?token=verborgen",
        f"{server.url}/forbidden",
        f"{server.url}/down",
        f"{server.url}/circle",
        f"{server.url}/elsewhere",
        f"{server.url}/never_ends",
        "s3://bucket/thing",
        "http://[broken",
    ]
    with pytest.raises(InputError) as caught:
        bring(store, *places)
    lines = caught.value.problem.splitlines()
    assert lines[0] == "thing.whl could not be brought"
    assert [line.rpartition(": ")[2] for line in lines[1:6]] == [
        "No such file or directory",
        "not a file",
        "the server says 404 Not Found",
        "the server says 403 Forbidden (credentials are read from ~/.netrc)",
        "the server says 500 Internal Server Error, 3 times",
    ]
    assert "redirects" in lines[6] and "ftp" in lines[7] and "3 times" in lines[8] and "s3" in lines[9]
    assert len(lines) == 11
    assert caught.value.solution == "Bring it yourself."
    assert "geheim" not in str(caught.value) and "verborgen" not in str(caught.value)


def test_nothing_listens(store: Store, server: Server) -> None:
    with Server() as silent:
        url = silent.url
    with pytest.raises(InputError, match="refused, 3 times"):
        bring(store, f"{url}/good")


def test_no_places_at_all(store: Store) -> None:
    with pytest.raises(InputError, match=r"no place is known that has thing\.whl"):
        bring(store)


def test_what_the_store_has_is_not_asked_for(store: Store, server: Server) -> None:
    bring(store, f"{server.url}/good")
    assert bring(store, f"{server.url}/good") == SHA
    assert len(server.requests) == 1


def test_unknown_hash_gives_the_hash(store: Store, server: Server) -> None:
    assert bring(store, f"{server.url}/drops", sha256=None, size=None) == SHA
    assert held(store) == DATA


def test_without_hash_and_validator_parts_of_two_answers_are_never_joined(store: Store, server: Server) -> None:
    assert bring(store, f"{server.url}/drops_without_ranges", sha256=None, size=None) == SHA
    assert ranges(server) == [None, None, None]


def test_credentials_of_the_url_and_of_netrc(
    store: Store, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login bert password pw2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    bring(store, f"http://anna:pw%201@127.0.0.1:{server.server_port}/good")
    bring(Store(tmp_path / "other"), f"{server.url}/good")
    sent = [base64.b64decode(headers["authorization"].removeprefix("Basic ")) for _, headers in server.requests]
    assert sent == [b"anna:pw 1", b"bert:pw2"]


def test_the_proxy_of_the_environment_is_used(store: Store, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setattr(Handler, "http:", Handler.good, raising=False)
    assert bring(store, "http://nowhere.invalid/thing") == SHA
    assert server.requests[0][0] == "http://nowhere.invalid/thing"


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "socks4://127.0.0.1:9", "http://127.0.0.1:port"])
def test_a_proxy_that_cannot_be_used_is_told(store: Store, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(RecipeError, match="proxy that Portside cannot use"):
        bring(store, "http://nowhere.invalid/thing")
    with pytest.raises(RecipeError, match="proxy that Portside cannot use"):
        Client(parse_repository("nowhere.invalid/thing"))


def test_a_certificate_bundle_that_is_not_there(store: Store, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CERT", "/no/such/bundle.pem")
    with pytest.raises(RecipeError, match=r"/no/such/bundle\.pem") as caught:
        bring(store, f"{server.url}/good")
    assert "pip's configuration" in str(caught.value.solution)


def test_threads_share_one_client() -> None:
    assert http_client() is http_client()


def test_an_interrupted_transfer_is_continued(store: Store, tmp_path: Path) -> None:
    """Ctrl-C in the middle: the bytes that came stay, and the next call goes on from them."""
    place = tmp_path / "large"
    large = random.Random(5).randbytes(3 << 20)
    place.write_bytes(large)
    sha256 = hashlib.sha256(large).hexdigest()

    class Interrupting:
        done = False

        def __init__(self, sink: Sink) -> None:
            self.sink = sink

        @property
        def offset(self) -> int:
            return self.sink.offset

        def restart(self) -> None:
            self.sink.restart()

        def write(self, chunk: bytes) -> None:
            self.sink.write(chunk)
            raise KeyboardInterrupt

    @contextmanager
    def attempt() -> Iterator[Sink]:
        with store.inputs.receive("large", sha256, len(large)) as receiver:
            yield Interrupting(receiver)  # type: ignore[misc]

    with pytest.raises(KeyboardInterrupt):
        transfer.stream_from("large", [str(place)], len(large), attempt, "", pauses=NO_WAIT)
    left = (store.home / "partial" / f"input-{sha256}").stat().st_size
    assert 0 < left < len(large)
    assert transfer.bring("large", sha256, len(large), [str(place)], store, "", pauses=NO_WAIT) == sha256
    assert held(store, sha256) == large


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("1", 1.0), (" 30 ", 30.0), ("3600", 3600.0), ("3601", 0.0), ("9" * 40, 0.0), ("9" * 5000, 0.0), ("x", 0.0),
     ("-1", 0.0), ("", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
)  # fmt: skip
def test_how_long_a_server_may_have_us_wait(said: str, seconds: float) -> None:
    assert seconds_of(said) == seconds
