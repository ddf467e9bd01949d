"""Many files through one converter, on all processors where that is worth it."""

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence

from portside.migrate.report.model import FileReport
from portside.tree import Entry

Result = tuple[bytes, FileReport | None]

WORTH_IT = 4 << 20
"""Bytes of Python below which starting processes takes longer than they save."""

_PART = 64
"""Files that a process takes at once."""


def convert_all(
    entries: Sequence[Entry], convert: Callable[[str, bytes], Result], jobs: int | None
) -> Iterator[tuple[Entry, bytes | None, FileReport | None]]:
    """Each entry with its new bytes (None: the same as before) and its report, in the entries' order."""
    jobs = jobs or _jobs(entries)
    if jobs == 1:
        for entry in entries:
            yield entry, *_one(entry, convert)
        return
    global _work
    parts = [range(start, min(start + _PART, len(entries))) for start in range(0, len(entries), _PART)]
    _work = (entries, convert)
    try:
        with multiprocessing.get_context("fork").Pool(jobs) as pool:
            for results in pool.imap(_part, parts):
                for number, new, report in results:
                    yield entries[number], new, report
    finally:
        _work = ((), convert)


_work: tuple[Sequence[Entry], Callable[[str, bytes], Result]] = ((), lambda _, data: (data, None))
"""What forked processes find in their memory instead of getting it sent."""


def _jobs(entries: Sequence[Entry]) -> int:
    """Forking is safe and cheap where no other thread runs; elsewhere one process does all."""
    if sys.platform != "linux" or threading.active_count() > 1 or sum(entry.size for entry in entries) < WORTH_IT:
        return 1
    return min(8, len(os.sched_getaffinity(0)))


def _part(numbers: range) -> list[tuple[int, bytes | None, FileReport | None]]:
    entries, convert = _work
    done = [(number, *_one(entries[number], convert)) for number in numbers]
    return [item for item in done if item[1] is not None or item[2] is not None]


def _one(entry: Entry, convert: Callable[[str, bytes], Result]) -> tuple[bytes | None, FileReport | None]:
    data = entry.read()
    new, report = convert(entry.path, data)
    return (None if new == data else new), report
