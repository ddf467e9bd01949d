"""How many bytes go into a Docker daemon: a socket between it and its client that passes on everything."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PIECE = 1 << 18


class Counter:
    """sent: bytes from clients to the daemon so far, requests and all."""

    def __init__(self) -> None:
        self.sent = 0


@contextmanager
def counted(daemon: Path, path: Path) -> Iterator[Counter]:
    """Listen at `path` for what goes to the socket `daemon`. No figure of time is taken through it."""
    counter = Counter()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(64)
        threading.Thread(target=_accept, args=(server, daemon, counter), daemon=True).start()
        try:
            yield counter
        finally:
            server.shutdown(socket.SHUT_RDWR)
            path.unlink()


def _accept(server: socket.socket, daemon: Path, counter: Counter) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        target = socket.socket(socket.AF_UNIX)
        target.connect(str(daemon))
        threading.Thread(target=_pass, args=(client, target, counter), daemon=True).start()
        threading.Thread(target=_pass, args=(target, client, None), daemon=True).start()


def _pass(source: socket.socket, target: socket.socket, counter: Counter | None) -> None:
    with suppress(OSError):
        while piece := source.recv(PIECE):
            target.sendall(piece)
            if counter is not None:
                counter.sent += len(piece)
    # Each direction ends by itself: a build's session goes on after its request has been sent.
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
