"""One policy for SIGINT, SIGTERM and SIGHUP while a container runs, on every engine.

The program in it sees the signal first and has some seconds, for a checkpoint; then it is killed. A second signal kills
it at once. A signal that the caller has told this process to ignore (nohup) stays ignored.
"""

import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from portside.common.process import has_ended
from portside.common.progress import say
from portside.engines import Runner
from portside.engines.base import RUN_LABEL
from portside.errors import PortsideError

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOP_SECONDS = 10
"""What Docker and Podman give a container by default."""
_AGAIN = 0.1


class Stopping:
    """What has come: `came` is set with the first signal, and over when the container has ended or is killed."""

    def __init__(self, send: Callable[[int], bool], seconds: float) -> None:
        """send: gives the container a signal, and says whether it runs."""
        self.came = threading.Event()
        self._send = send
        self._seconds = seconds
        self._signals: queue.SimpleQueue[int | None] = queue.SimpleQueue()

    def note(self, number: int) -> None:
        self._signals.put(number)

    def end(self) -> None:
        self._signals.put(None)

    def work(self) -> None:
        first = self._signals.get()
        if first is None:
            return
        self.came.set()
        name = signal.Signals(first).name
        say(f"{name}: the command has {self._seconds:g} s to end; a second signal ends it at once")
        until = time.monotonic() + self._seconds
        told = self._tell(first)
        while (left := until - time.monotonic()) > 0:
            with suppress(queue.Empty):
                if self._signals.get(timeout=left if told else min(left, _AGAIN)) is None:
                    return
                break
            told = told or self._tell(first)
        self._tell(signal.SIGKILL)
        # A container that was just being made when it should have ended is killed as soon as it runs.
        while True:
            with suppress(queue.Empty):
                if self._signals.get(timeout=_AGAIN) is None:
                    return
            self._tell(signal.SIGKILL)

    def _tell(self, number: int) -> bool:
        try:
            return self._send(number)
        except PortsideError as error:
            say(f"the container cannot be told: {error.problem}")
            return False


@contextmanager
def stopping(engine: Runner, container: str, seconds: float) -> Iterator[Stopping]:
    """Around the run of a container, by its name: signals to this process go to it as the module says.

    Only a process's first thread can have them; in another one nothing is changed.
    """
    state = Stopping(lambda number: engine.signal(container, number), seconds)
    if threading.current_thread() is not threading.main_thread():
        yield state
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    worker = threading.Thread(target=state.work, name="stopping", daemon=True)
    worker.start()
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, lambda found, frame: state.note(found))
        yield state
    finally:
        state.end()
        for number, handler in before.items():
            signal.signal(number, handler)
        worker.join()


def say_left(engine: Runner) -> None:
    """Name the containers whose run-container was killed: nobody reads what they print, and they keep their cards."""
    for container in engine.containers(RUN_LABEL):
        if container.running and has_ended(container.labels[RUN_LABEL]):
            name = container.id[:12]
            say(
                f"the container {name} runs on, and the run-container that began it was killed; "
                f"{engine.name} logs {name} shows what it wrote, {engine.name} rm --force {name} ends it"
            )
