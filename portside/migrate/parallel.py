"""Many files through one converter, on all processors where that is worth it."""

import gc
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from portside.common.tree import Entry
from portside.migrate.report.hits import FileReport

Result = tuple[bytes, FileReport | None]
Convert = Callable[[str, bytes], Result]

Done = tuple[int, bytes | None, FileReport | None]
"""A file's number, its new bytes (None: the same as before) and its report."""

WORTH_IT = 4 << 20
"""Bytes of files below which a second process takes longer than it saves."""

_PART = 16
"""Files that a process takes at once."""

_NUMBER = 4
"""Bytes of a part's number in the queue; so few are written and read at once or not at all."""


def convert_all(entries: Sequence[Entry], convert: Convert, jobs: int | None) -> list[Done]:
    """What changes or has a report, in the entries' order; the same for any number of jobs (None: what is worth it)."""
    starts = range(0, len(entries), _PART)
    jobs = min(jobs or _jobs(entries), len(starts))
    with without_collector():
        done = _shared(entries, convert, starts, jobs) if jobs > 1 else _take(entries, convert, starts)
    return sorted(done, key=lambda item: item[0])


def _jobs(entries: Sequence[Entry]) -> int:
    return _processors() if sum(entry.size for entry in entries) >= WORTH_IT else 1


def _processors() -> int:
    """How many processes can work at once. Forking is safe where no other thread runs; elsewhere it is one."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return 1
    return min(8, len(os.sched_getaffinity(0)))


@contextmanager
def beside(work: Callable[[], None]) -> Iterator[None]:
    """Do `work`, which is only there for the files that it writes, in a process beside the block."""
    if _processors() == 1:
        work()
        yield
        return
    pid = os.fork()
    if not pid:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    try:
        yield
    finally:
        _, failed = os.waitpid(pid, 0)
    if failed:
        work()


@contextmanager
def without_collector() -> Iterator[None]:
    """Syntax trees are many objects without cycles: the collector would look at them again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _take(entries: Sequence[Entry], convert: Convert, starts: Iterable[int]) -> list[Done]:
    out: list[Done] = []
    for start in starts:
        for number in range(start, min(start + _PART, len(entries))):
            entry = entries[number]
            data = entry.read()
            new, report = convert(entry.path, data)
            if report is not None or new != data:
                out.append((number, None if new == data else new, report))
    return out


def _shared(entries: Sequence[Entry], convert: Convert, starts: Iterable[int], jobs: int) -> list[Done]:
    """This process and jobs - 1 forked ones take parts from one queue: a pipe that holds the number of each."""
    queue, feed = os.pipe()
    children: list[tuple[int, int]] = []
    try:
        for _ in range(jobs - 1):
            children.append(_fork(entries, convert, queue, feed))
        with os.fdopen(feed, "wb", buffering=0) as stream:
            for start in starts:
                stream.write(start.to_bytes(_NUMBER, "big"))
        out = _take(entries, convert, _taken(queue))
    finally:
        os.close(queue)
        answers = [_answer(pid, reader) for pid, reader in children]
    if None in answers:
        return _take(entries, convert, starts)
    return [*out, *(item for answer in answers for item in answer or ())]


def _fork(entries: Sequence[Entry], convert: Convert, queue: int, feed: int) -> tuple[int, int]:
    """A child that takes parts and writes what it has done to a pipe: (its id, the pipe's end to read)."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    status = 1
    try:
        os.close(reader)
        os.close(feed)
        done = _take(entries, convert, _taken(queue))
        with os.fdopen(writer, "wb") as stream:
            pickle.dump(done, stream, pickle.HIGHEST_PROTOCOL)
        status = 0
    finally:
        os._exit(status)


def _taken(queue: int) -> Iterator[int]:
    while number := os.read(queue, _NUMBER):
        yield int.from_bytes(number, "big")


def _answer(pid: int, reader: int) -> list[Done] | None:
    """What a child has done; None where it failed, so that its files are done here and show their error."""
    with os.fdopen(reader, "rb") as stream:
        data = stream.read()
    _, status = os.waitpid(pid, 0)
    answer: list[Done] | None = pickle.loads(data) if status == 0 else None
    return answer
