"""What a person sees while work goes on: nested, timed steps; live bars on a terminal, plain lines elsewhere.

Everything goes to stderr, so that `--json` has stdout for itself. Threads may report at once.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

Advance = Callable[[int], None]
"""Called with the number of further bytes (or other units) that are done."""

_lock = threading.Lock()
_live: "Progress | None" = None


def say(text: str) -> None:
    """One line for a person, on stderr."""
    with _lock:
        if _live is not None:
            _live.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=sys.stderr, flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """A phase of the work: its name when it starts, its seconds when it ends."""
    say(f"{text} …")
    start = time.monotonic()
    yield
    say(f"{text}: {time.monotonic() - start:.1f} s")


def is_terminal() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


@contextmanager
def live() -> Iterator[None]:
    """Show the bars of all transfers inside, if stderr is a terminal; nests, and does nothing elsewhere."""
    global _live
    if _live is not None or not is_terminal():
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        _live = progress
        try:
            yield
        finally:
            _live = None


@contextmanager
def transfer(text: str, total: int | None) -> Iterator[Advance]:
    """Bytes on their way: a bar on a terminal, one line at the end elsewhere. total: bytes, if known."""
    progress = _live
    start = time.monotonic()
    done = 0

    if progress is not None:
        task = progress.add_task(text, total=total)

        def advance(count: int) -> None:
            progress.update(task, advance=count)

        try:
            yield advance
        finally:
            progress.remove_task(task)
        return

    def count_only(count: int) -> None:
        nonlocal done
        done += count

    yield count_only
    seconds = time.monotonic() - start
    if done >= 1 << 20 or seconds > 1:
        say(f"  {text}: {human_bytes(done)} in {seconds:.1f} s")


def human_bytes(count: int) -> str:
    """1536 -> '1.5 KiB'."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
