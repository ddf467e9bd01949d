"""SIGTERM and SIGHUP end a call as Ctrl-C does: what it began is cleared up. A second signal ends it at once."""

import os
import signal
from types import FrameType

from portside.common.progress import say


class StoppedError(KeyboardInterrupt):
    """This process is told to end; number: by which signal."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def end_cleanly() -> None:
    """From now on SIGTERM and SIGHUP raise StoppedError in the first thread; one that is ignored (nohup) stays so."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _stop)


def end_at_once() -> None:
    """From now on there is nothing to clear up."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is _stop:
            signal.signal(number, signal.SIG_DFL)


def _stop(number: int, frame: FrameType | None) -> None:
    for other in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        if signal.getsignal(other) is not signal.SIG_IGN:
            signal.signal(other, lambda again, frame: os._exit(128 + again))
    say(f"{signal.Signals(number).name}: clearing up; a second signal ends this at once")
    raise StoppedError(number)
