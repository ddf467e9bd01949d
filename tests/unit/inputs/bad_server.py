"""A server on the loopback that behaves as badly as servers do, and the bytes that it serves."""

import hashlib
import random
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DATA = random.Random(4).randbytes(700_001)
SHA = hashlib.sha256(DATA).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """`/PLAN` is answered by the method of that name; every request is noted."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        self.server.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        plan: Callable[[int], None] = getattr(
            self, self.path.partition("?")[0].strip("/").partition("/")[0].replace("-", "_")
        )
        plan(sum(path == self.path for path, _ in self.server.requests))

    def log_message(self, format: str, *args: object) -> None:
        pass

    def answer(self, body: bytes, status: int = 200, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        if length is not None:
            self.close_connection = True

    def start(self) -> int:
        return int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))

    def ranged(self, length: int | None = None, **headers: str) -> None:
        """The bytes asked for; `length`: the connection drops after so many."""
        start = self.start()
        left = len(DATA) - start
        if start:
            headers["Content_Range"] = f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"
        body = DATA[start:] if length is None else DATA[start : start + length]
        self.answer(body, 206 if start else 200, left if length is not None else None, **headers)

    def good(self, number: int) -> None:
        self.ranged()

    def whole(self, number: int) -> None:
        self.answer(DATA)

    def drops(self, number: int) -> None:
        self.ranged(100_000, ETag='"one"')

    def drops_without_ranges(self, number: int) -> None:
        self.answer(DATA[:100_000] if number < 3 else DATA, length=len(DATA))

    def never_ends(self, number: int) -> None:
        self.answer(DATA[:100_000], length=len(DATA))

    def changes(self, number: int) -> None:
        """After the first part the file is another one, so If-Range does not hold."""
        if number == 1:
            self.answer(b"x" * 90_000, length=len(DATA), ETag='"old"')
        else:
            self.answer(DATA, ETag='"new"')

    def wrong_range(self, number: int) -> None:
        if self.start():
            self.answer(DATA[5:], 206, Content_Range=f"bytes 5-{len(DATA) - 1}/{len(DATA)}")
        else:
            self.answer(DATA)

    def wrong(self, number: int) -> None:
        self.answer(b"y" * len(DATA))

    def short(self, number: int) -> None:
        self.answer(DATA[:-1])

    def endless(self, number: int) -> None:
        """More than the lock says, and no length that would tell before."""
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(DATA + b"more")
        self.close_connection = True

    def missing(self, number: int) -> None:
        self.answer(b"no such thing", 404)

    def forbidden(self, number: int) -> None:
        self.answer(b"", 403)

    def busy(self, number: int) -> None:
        if number < 3:
            self.answer(b"later", 503, Retry_After="0")
        else:
            self.answer(DATA)

    def down(self, number: int) -> None:
        self.answer(b"", 500)

    def moved(self, number: int) -> None:
        self.answer(b"", 302, Location="/good/after-move")

    def circle(self, number: int) -> None:
        self.answer(b"", 302, Location="/circle")

    def elsewhere(self, number: int) -> None:
        self.answer(b"", 302, Location="ftp://127.0.0.1/x")

    def too_far(self, number: int) -> None:
        if self.start():
            self.answer(b"", 416, Content_Range=f"bytes */{len(DATA)}")
        else:
            self.answer(DATA)

    def encoded(self, number: int) -> None:
        self.answer(DATA, Content_Encoding="gzip")


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """The client may leave in the middle of an answer."""
