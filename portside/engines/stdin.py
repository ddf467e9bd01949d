"""What comes on the person's stdin, on its way into a container."""

import os
import threading
from collections.abc import Callable
from contextlib import suppress

from portside.common.canonical import CHUNK


def pump(send: Callable[[bytes], object], end: Callable[[], object], source: int = 0) -> threading.Thread:
    """Send what comes from a file descriptor until it ends, beside everything else; then `end`.

    A container that has ended takes nothing more, which is no fault. A terminal is read only in the foreground: in the
    background that would stop the process.
    """

    def work() -> None:
        with suppress(OSError, ValueError):
            while _may_read(source) and (piece := os.read(source, CHUNK)):
                send(piece)
        with suppress(OSError, ValueError):
            end()

    thread = threading.Thread(target=work, name="stdin", daemon=True)
    thread.start()
    return thread


def _may_read(source: int) -> bool:
    try:
        return os.tcgetpgrp(source) == os.getpgrp()
    except OSError:
        return True  # no terminal, or not the one that this process belongs to
