"""A Docker daemon's own BuildKit as a remote builder: connections to a TCP port are upgraded to the daemon's /grpc."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

UPGRADE = b"POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"


class GrpcProxy:
    """daemon: the path of its socket. port: on 127.0.0.1. `close` ends all connections, as a builder that dies."""

    def __init__(self, daemon: Path) -> None:
        self._daemon = str(daemon)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        daemon = socket.socket(socket.AF_UNIX)
        self._open += [client, daemon]
        with suppress(OSError):
            daemon.connect(self._daemon)
            daemon.sendall(UPGRADE)
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += daemon.recv(1)
            if b" 101 " not in answer:
                return
            back = threading.Thread(target=_pump, args=(daemon, client), daemon=True)
            back.start()
            _pump(client, daemon)
            back.join()

    def close(self) -> None:
        for one in (self._listener, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(1 << 16):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def remote_builder(daemon: Path) -> Iterator[GrpcProxy]:
    proxy = GrpcProxy(daemon)
    try:
        yield proxy
    finally:
        proxy.close()
