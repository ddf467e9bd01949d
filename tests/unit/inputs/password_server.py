"""A server on the loopback that wants a password for each of its folders, and looks at the process list meanwhile.

Whoever asks it is waiting for the answer then, so what it was started with is seen for sure.
"""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


def process_list() -> str:
    """The arguments of every process of this machine, as `ps` shows them to everybody."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:
            continue  # it has ended
    return "\n".join(lines)


class Handler(SimpleHTTPRequestHandler):
    server: "PasswordServer"

    def do_GET(self) -> None:
        self.server.note(self.path, self.headers.get("Authorization"))
        if (to := self.server.leads.get(self.path.partition("?")[0])) is not None:
            self.send_response(302)
            self.send_header("Location", to)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        wanted = self.server.passwords.get(self.path.split("/")[1])
        if wanted is not None and self.headers.get("Authorization") != basic(wanted):
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="a test"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        super().do_GET()

    def do_HEAD(self) -> None:
        self.server.note(self.path, self.headers.get("Authorization"))
        super().do_HEAD()

    def log_message(self, format: str, *args: object) -> None:
        pass


def basic(login: str) -> str:
    return "Basic " + base64.b64encode(login.encode()).decode()


class PasswordServer(ThreadingHTTPServer):
    """passwords: folder -> `USER:PASSWORD`. leads: path -> where a redirect goes."""

    daemon_threads = True

    def __init__(self, root: Path, passwords: dict[str, str]) -> None:
        def handler(*arguments: Any) -> Handler:
            return Handler(*arguments, directory=str(root))

        super().__init__(("127.0.0.1", 0), handler)
        self.passwords = passwords
        self.leads: dict[str, str] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.processes = ""

    def note(self, path: str, authorization: str | None) -> None:
        self.requests.append((path, authorization))
        self.processes += process_list()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def url(self, path: str, login: str = "") -> str:
        return f"http://{login}{'@' if login else ''}{self.host}/{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """The client may leave in the middle of an answer."""


@contextmanager
def serving(root: Path, passwords: dict[str, str]) -> Iterator[PasswordServer]:
    with PasswordServer(root, passwords) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
