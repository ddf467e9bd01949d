"""What a person sees while work goes on: timed steps and transfers; live on a terminal, plain lines elsewhere.

Everything goes to stderr, so that `--json` has stdout for itself. Threads may report at once.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from portside.common.called import to_person

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

Advance = Callable[[int], None]
"""Called with the number of further bytes that are done."""

Note = Callable[[str], None]
"""Called with one line about what a step is doing at this moment."""


@dataclass(frozen=True)
class _Screen:
    console: "Console"
    steps: "Progress"
    transfers: "Progress"


_lock = threading.Lock()
_screen: _Screen | None = None


def say(text: str) -> None:
    """One line for a person, on stderr."""
    text = to_person(text)
    with _lock:
        if _screen is not None:
            _screen.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=sys.stderr, flush=True)


@contextmanager
def step(text: str) -> Iterator[Note]:
    """A phase of the work: its name while it runs, with what it notes about itself; its seconds when it ends."""
    start = time.monotonic()
    screen = _screen
    if screen is None:
        say(f"{text} …")
        yield lambda line: None
    else:
        task = screen.steps.add_task(to_person(text), note="")
        try:
            yield lambda line: screen.steps.update(task, note=to_person(line.strip()))
        finally:
            screen.steps.remove_task(task)
    say(f"{text}: {time.monotonic() - start:.1f} s")


def is_terminal() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


@contextmanager
def live() -> Iterator[None]:
    """Show steps and transfers inside as they go, if stderr is a terminal; nests, and does nothing elsewhere."""
    global _screen
    if _screen is not None or not is_terminal():
        yield
        return
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TransferSpeedColumn,
    )
    from rich.table import Column

    console = Console(stderr=True)
    steps = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", style="dim", markup=False, table_column=Column(ratio=1, no_wrap=True)),
        console=console,
        expand=True,
    )
    transfers = Progress(
        TextColumn("  {task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True)),
        BarColumn(bar_width=16),
        DownloadColumn(binary_units=True, table_column=Column(no_wrap=True)),
        TransferSpeedColumn(table_column=Column(no_wrap=True)),
        console=console,
        expand=True,
    )
    with Live(Group(steps, transfers), console=console, transient=True, refresh_per_second=8):
        _screen = _Screen(console, steps, transfers)
        try:
            yield
        finally:
            _screen = None


@contextmanager
def transfer(text: str, total: int | None) -> Iterator[Advance]:
    """Bytes on their way: a bar on a terminal, one line at the end elsewhere. total: bytes, if known."""
    screen = _screen
    start = time.monotonic()
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        if screen is not None:
            screen.transfers.update(task, advance=more)

    if screen is None:
        yield count
    else:
        task = screen.transfers.add_task(to_person(text), total=total)
        try:
            yield count
        finally:
            screen.transfers.remove_task(task)
    seconds = time.monotonic() - start
    if done >= 8 << 20 or seconds > 2:
        say(f"  {text}: {human_bytes(done)} in {seconds:.1f} s")


def human_bytes(count: int) -> str:
    """1536 -> '1.5 KiB'."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
