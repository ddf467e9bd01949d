"""A second hash of bytes that are hashed already, by a thread of its own."""

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor

from portside.common.values import Sha256


class Beside:
    """The sha256 of `head` and of what follows. count: bytes that followed."""

    def __init__(self, head: bytes) -> None:
        self._head = head
        self._pool = ThreadPoolExecutor(1)
        self._running: Future[None] | None = None
        self.restart()

    def __enter__(self) -> "Beside":
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown()

    def restart(self) -> None:
        self._wait()
        self._digest = hashlib.sha256(self._head)
        self.count = 0

    def update(self, chunk: bytes) -> None:
        self._wait()
        self._running = self._pool.submit(self._digest.update, chunk)
        self.count += len(chunk)

    def hexdigest(self) -> Sha256:
        self._wait()
        return Sha256(self._digest.hexdigest())

    def _wait(self) -> None:
        if self._running is not None:
            self._running.result()
        self._running = None
