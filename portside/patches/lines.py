"""Where a line of the tree before all steps, or between two of them, stands when all steps are done."""

import bisect
import heapq
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from portside.patches.changes import Change, Span
from portside.patches.workspace import FileEdit


class _Spans:
    """What one step replaced in one file, so that a line is looked up without reading all of it."""

    def __init__(self, spans: Iterable[Span]) -> None:
        starts, ends, inside = [], [], []
        for span in spans:
            growth = span.new - span.old
            starts.append((span.line, growth))
            ends.append((span.line + span.old, growth))
            if span.old:
                inside.append((span.line, span.line + span.old, span.line + max(span.new - 1, 0)))
        self._before = _Sums(starts)
        self._above = _Sums(ends)
        self._from, self._lowest = _lowest(inside)

    def grown_before(self, line: int) -> int:
        """By how many lines the file grew in what begins above a line."""
        return self._before.below(line)

    def line(self, line: int) -> int:
        """Where a line stands afterwards; of one that was replaced, the line of its place that is the most alike."""
        within = self._lowest[bisect.bisect_right(self._from, line) - 1] if self._from else None
        shift = self._above.below(line + 1)
        return shift + (line if within is None else min(line, within))


class _Sums:
    """Numbers at positions. below: the sum of those that stand below one."""

    def __init__(self, rows: list[tuple[int, int]]) -> None:
        rows.sort()
        self._at = [at for at, _ in rows]
        self._sums = [0, *itertools.accumulate(number for _, number in rows)]

    def below(self, at: int) -> int:
        return self._sums[bisect.bisect_left(self._at, at)]


def _lowest(ranges: list[tuple[int, int, int]]) -> tuple[list[int], list[int | None]]:
    """For ranges (first, end, value): from which line on which value is the lowest of those that a line is in."""
    ranges.sort()
    lines = sorted({line for first, end, _ in ranges for line in (first, end)})
    values: list[int | None] = []
    open_now: list[tuple[int, int]] = []
    following = 0
    for line in lines:
        while following < len(ranges) and ranges[following][0] <= line:
            heapq.heappush(open_now, (ranges[following][2], ranges[following][1]))
            following += 1
        while open_now and open_now[0][1] <= line:
            heapq.heappop(open_now)
        values.append(open_now[0][0] if open_now else None)
    # What stands above all of them is in none.
    return ([0, *lines], [None, *values]) if lines else ([], [])


@dataclass(slots=True)
class MovedLines:
    """The line numbers that steps have moved; to be told of each step in turn, of a series of each commit."""

    _moves: dict[str, list[tuple[int, _Spans | None]]] = field(default_factory=dict)
    """By path, the steps and commits that changed it, by their number from 1; None: its lines no longer stand there."""
    _told: int = 0
    _after: list[int] = field(default_factory=list)
    """For each change, how many steps and commits had been told with the one that it belongs to."""

    def add(self, edits: Sequence[FileEdit], changes: Sequence[Change]) -> None:
        spans: dict[str, list[Span]] = {}
        for change in changes:
            if change.spans:
                spans.setdefault(change.path, []).extend(change.spans)
        # Edits of lines have spans; a change of the mode alone starts from the very file.
        gone = {e.path for e in edits if e.data is None or (e.path not in spans and e.origin != e.path)}
        self._told += 1
        for path in {*spans, *gone}:
            now = None if path in gone else _Spans(spans[path])
            self._moves.setdefault(path, []).append((self._told, now))
        self._after += [self._told] * len(changes)

    def follow(self, path: str, line: int, after: int = 0) -> int:
        """Where a line, as it was after `after` of them, stands in the end; 0 where it is gone."""
        moves = self._moves.get(path, [])
        for _, spans in moves[bisect.bisect_right(moves, after, key=_number) :]:
            if not line or spans is None:
                return 0
            line = spans.line(line)
        return line

    def placed(self, changes: Sequence[Change]) -> tuple[Change, ...]:
        """All changes that were told, in their order, with their lines in the end."""
        told = zip(changes, self._after, strict=True)
        return tuple(replace(change, new_line=self._place(change, after)) for change, after in told)

    def _place(self, change: Change, after: int) -> int:
        if not change.line:
            return 0
        moves = self._moves.get(change.path, [])
        first = bisect.bisect_left(moves, after, key=_number)
        here = change.line
        if first < len(moves) and moves[first][0] == after and (spans := moves[first][1]) is not None:
            here += spans.grown_before(change.line)
        return self.follow(change.path, here, after)


def _number(move: tuple[int, _Spans | None]) -> int:
    return move[0]
