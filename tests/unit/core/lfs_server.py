"""A made-up LFS server on the loopback."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

FILE = b"the weights themselves\n" * 100
OID = hashlib.sha256(FILE).hexdigest()


def pointer(data: bytes = FILE) -> str:
    digest = hashlib.sha256(data).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(data)}\n"


class Handler(SimpleHTTPRequestHandler):
    server: "LfsServer"

    def do_POST(self) -> None:
        data = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(("POST", self.path, self.headers.get("Authorization"), data))
        if (to := self.server.leads.get(self.path)) is not None:
            self._say(307, b"", Location=to)
        elif self.server.login and self.headers.get("Authorization") != self.server.login:
            self._say(401, b"")
        else:
            answer = self.server.answer(data)
            self._say(200, answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    def do_GET(self) -> None:
        self.server.requests.append(("GET", self.path, self.headers.get("Authorization"), None))
        if (to := self.server.leads.get(self.path)) is not None:
            self._say(302, b"", Location=to)
        else:
            super().do_GET()

    def _say(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class LfsServer(ThreadingHTTPServer):
    """Serves a folder; `answer` says what the batch API does. requests: method, path, Authorization, question."""

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        super().__init__(("127.0.0.1", 0), lambda *a: Handler(*a, directory=str(root)))
        self.root = root
        self.requests: list[tuple[str, str, str | None, Any]] = []
        self.leads: dict[str, str] = {}
        self.login = ""
        self.header: dict[str, str] = {}
        self.place = self.url
        self.said: Any = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, question: Any) -> Any:
        if self.said is not None:
            return self.said
        return {
            "transfer": "basic",
            "objects": [
                {**o, "actions": {"download": {"href": f"{self.place}/store/{o['oid']}?sig=x", "header": self.header}}}
                for o in question["objects"]
            ],
        }


def running(root: Path) -> Iterator[LfsServer]:
    with LfsServer(root) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
