"""What comes from outside has an end: answers, tars, and the proxies that it comes through."""

import bz2
import gzip
import io
import os
import socket
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from portside.common import foreign_tar
from portside.config import Config, Mirrors
from portside.errors import InputError
from portside.inputs import archives
from portside.inputs.python import index
from portside.inputs.spool import Spool
from portside.net import bounded, client, proxies
from portside.net.transfer import stream_from

KIND = "application/vnd.pypi.simple.v1+json"


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server on loopback that writes what it is told, once per connection; gives its URL."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(1 << 16)
                    answer(connection)
                except OSError:
                    pass

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.close()


def test_an_index_page_without_end_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_PAUSES", ())
    whole = []

    def endless(connection: socket.socket) -> None:
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: {KIND}\r\n\r\n".encode())
        for _ in range(100):
            connection.sendall(bytes(1 << 20))
        whole.append(True)

    with server(endless) as url:
        mirrors = Mirrors.model_validate({"pypi": (url,)})
        found, failures = index.offers("x", Config(home=tmp_path, mirrors=mirrors))
    assert (found, whole) == ([], [])
    assert failures == [f"  {url}/x/: it answers with more than {bounded.LARGEST_ANSWER} bytes"]


@pytest.mark.parametrize(
    ("encoding", "body", "problem"),
    [
        ("gzip", gzip.compress(bytes(bounded.LARGEST_ANSWER + 1)), "more than"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"x")), "nobody asked for"),
        ("gzip", b"no gzip", "unpacked"),
        ("gzip", gzip.compress(b"x" * 99)[:-9], "cut off"),
    ],
)
def test_packed_answers(encoding: str, body: bytes, problem: str) -> None:
    response = httpx.Response(200, headers={"Content-Encoding": encoding}, stream=httpx.ByteStream(body))
    with pytest.raises(bounded.AnswerError, match=problem):
        bounded.body_of(response)


def test_a_packed_answer_is_read() -> None:
    response = httpx.Response(
        200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(gzip.compress(b"x" * (1 << 20)))
    )
    assert bounded.body_of(response) == b"x" * (1 << 20)


@pytest.mark.parametrize("text", [b"[" * 100_000, b"[" + b"{}," * 1_000_001 + b"{}]", b"\xff", b"1" * 5000])
def test_json_that_is_too_much(text: bytes) -> None:
    with pytest.raises(ValueError):
        bounded.from_json(text)


def test_json_with_a_byte_order_mark() -> None:
    assert bounded.from_json(b"\xef\xbb\xbf[1]") == [1]


def test_patience_ends_at_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(bounded.time, "monotonic", lambda: now)
    patience, pace = bounded.Patience(60), bounded.Pace(60)
    now = 150.0
    assert [int.__index__(wait.__index__()) for wait in (patience, pace)] == [10, 10]
    pace.came(bounded.SLOWEST * 60)
    now = 161.0
    assert pace.__index__() == 49
    with pytest.raises(TimeoutError, match="no end after 60 seconds"):
        patience.__index__()


def test_headers_that_trickle_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then renews a plain timeout for ever."""
    goes_on = threading.Event()

    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while not goes_on.wait(0.05):
            connection.sendall(b"X: y\r\n")

    with server(trickle) as url, pytest.raises(httpx.ReadTimeout):
        try:
            with client.get(url, {}, bounded.Patience(0.3)):
                pass
        finally:
            goes_on.set()


def test_a_server_that_breaks_time_and_again_ends_well(tmp_path: Path) -> None:
    """Each answer breaks off within the first MiB: what has come is kept, and five faults in a row are none."""
    data = os.urandom(3 << 20)
    at = [0]

    def some(connection: socket.socket) -> None:
        begin, end = at[0], min(at[0] + 300_000, len(data))
        head = f"206 Partial Content\r\nContent-Range: bytes {begin}-{len(data) - 1}/{len(data)}" if begin else "200 OK"
        connection.sendall(f"HTTP/1.1 {head}\r\nContent-Length: {len(data) - begin}\r\n\r\n".encode() + data[begin:end])
        at[0] = end

    class Kept:
        done = False
        offset = 0
        came = b""

        def restart(self) -> None:
            raise AssertionError

        def write(self, chunk: bytes) -> None:
            self.came += chunk
            self.offset = len(self.came)

    kept = Kept()

    @contextmanager
    def attempt() -> Iterator[Kept]:
        yield kept

    with server(some) as url:
        stream_from("x", [url], len(data), attempt, "note", pauses=(0.0,) * 4)
    assert kept.came == data


@pytest.mark.parametrize(
    ("host", "no_proxy", "direct"),
    [
        ("127.0.0.1", "localhost,127.0.0.1,::1/128", True),
        ("127.0.0.1", "localhost, 127.0.0.0/8 ,fd00::/8", True),
        ("10.1.2.3", "10.0.0.0/16", False),
        ("::1", "[::1]", True),
        ("::1", "0:0:0:0:0:0:0:1", True),
        ("fd00::5", "fd00::/8", True),
        ("fd00::5", "[fd00::]/8", True),
        ("fe80::1%eth0", "fe80::/10", True),
        ("fc00::1", "fe80::/10", False),
        ("a.example.org", "example.org", True),
        ("a.example.org.", ".example.org.", True),
        ("EXAMPLE.org", ".example.ORG", True),
        ("notexample.org", "example.org", False),
        ("example.org", "example.org:443", True),
        ("example.org", "example.org:8443", False),
        ("::1", "[::1]:443", True),
        ("::1", "[::1]:80", False),
        ("anything", "*", True),
        ("anything", "x *", True),
        ("anything", "*.thing,:443,[,/8,%%, ,", False),
        ("10.0.0.1", "10.0.0.1/99, 10.0.0.1/x", False),
        ("1.1.1.1", "1", False),
    ],
)
def test_no_proxy_as_curl_reads_it(host: str, no_proxy: str, direct: bool) -> None:
    assert proxies.is_direct(host, 443, no_proxy) is direct


def test_a_request_takes_its_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small variable counts before the large one, and what NO_PROXY names goes past both."""
    context = client.shared_tls_context(None)
    settings = proxies.proxy_settings(
        {"http_proxy": "127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:8", "NO_PROXY": "fd00::/8,[::1]"}
    )
    asked: list[str | None] = []
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda self, request: httpx.Response(204))
    routing = proxies.Routing(context, settings=settings)
    made = routing._transport
    monkeypatch.setattr(routing, "_transport", lambda proxy, verified: asked.append(proxy) or made(proxy, verified))
    for url in ("http://a/", "http://[::1]:80/", "https://a/"):
        routing.handle_request(httpx.Request("GET", url))
    assert asked == ["http://127.0.0.1:9", None, None]


def _tar(*headers: dict[str, str], kind: bytes = tarfile.REGTYPE) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for number, pax in enumerate(headers):
            info = tarfile.TarInfo(f"p-1/{number}")
            info.size, info.pax_headers, info.type = 1, pax, kind
            tar.addfile(info, io.BytesIO(b"x"))
    return out.getvalue()


def _many_headers() -> bytes:
    one = tarfile.TarInfo("x").create_pax_global_header({"comment": "x"})
    return one * (foreign_tar.MOST_HEADERS + 1) + _tar({})


HOSTILE = {
    "size": _tar({"size": "99999999999999999999"}),
    "larger": _tar({"size": str(1 << 49)}),
    "negative": _tar({"size": "-512"}),
    "header": _tar({"comment": "x" * (foreign_tar.LARGEST_HEADER + 1)}),
    "records": _tar({f"k{number}": "x" for number in range(foreign_tar.MOST_RECORDS + 1)}),
    "chain": _many_headers(),
}


@pytest.mark.parametrize("packed", [lambda data: data, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_tars_end(tmp_path: Path, name: str, packed: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "p-1.tar"
    path.write_bytes(packed(HOSTILE[name]))
    with pytest.raises(InputError, match=r"p-1\.tar"):
        archives.newest_date(path)
    with Spool(tmp_path) as spool, pytest.raises(InputError, match=r"p-1\.tar"):
        archives.sdist_tree(path, spool)


def test_a_damaged_bz2(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.bz2"
    data = bytearray(bz2.compress(bytes(range(256)) * 400))
    data[60] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.tar\.bz2 is broken"):
        archives.newest_date(path)
