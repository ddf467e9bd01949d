"""Which lines became which: rows for a side-by-side view, in time that grows with the file and not with its square."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import Literal, NamedTuple


class Row(NamedTuple):
    """One row of a side-by-side view; a line number of 0 means that this side has nothing here."""

    kind: Literal["same", "changed", "added", "removed"]
    old_line: int
    old: str
    new_line: int
    new: str


def split_lines(data: bytes) -> list[str]:
    """Lines without their ends; what is not UTF-8 shows as replacement characters."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    return lines[:-1] if lines and not lines[-1] else lines


def rows(before: bytes, after: bytes) -> list[Row]:
    """All rows of two versions of a file."""
    old, new = split_lines(before), split_lines(after)
    out: list[Row] = []
    at_old = at_new = 0
    for one, other in [*_pairs(old, new), (len(old), len(new))]:
        if one > at_old or other > at_new:
            out += _gap(old, at_old, one, new, at_new, other)
        if one < len(old) and other < len(new):
            out.append(Row("same", one + 1, old[one], other + 1, new[other]))
        at_old, at_new = one + 1, other + 1
    return out


def _gap(old: list[str], a: int, b: int, new: list[str], c: int, d: int) -> Iterator[Row]:
    """Lines a..b and c..d between two anchors: equal and similar ones side by side."""
    if b - a == d - c or not (0 < (b - a) * (d - c) <= _SMALL):
        steps = [(True, True)] * min(b - a, d - c)
        steps += [(True, False)] * (b - a - len(steps)) + [(False, True)] * (d - c - len(steps))
    else:
        steps = _align(old[a:b], new[c:d])
    for takes_old, takes_new in steps:
        if takes_old and takes_new:
            kind: Literal["same", "changed"] = "same" if old[a] == new[c] else "changed"
            yield Row(kind, a + 1, old[a], c + 1, new[c])
        elif takes_old:
            yield Row("removed", a + 1, old[a], 0, "")
        else:
            yield Row("added", 0, "", c + 1, new[c])
        a, c = a + takes_old, c + takes_new


_SMALL = 10_000
"""Pairs of lines up to which two gaps are compared line by line."""

_WORD = re.compile(r"\w+")


def _align(old: list[str], new: list[str]) -> list[tuple[bool, bool]]:
    """The cheapest way through both: a pair costs what it lacks in common words, a line alone costs 1.
    Two lines without a common word are a pair rather than two alone: converters change lines where they stand."""
    words = [frozenset(_WORD.findall(line)) for line in old], [frozenset(_WORD.findall(line)) for line in new]

    def pair(row: int, column: int) -> float:
        return 0.0 if old[row] == new[column] else 2.0 - 1.9 * _likeness(words[0][row], words[1][column])

    costs = [[float(column) for column in range(len(new) + 1)]]
    for row in range(len(old)):
        costs.append([row + 1.0])
        for column in range(len(new)):
            together = costs[row][column] + pair(row, column)
            costs[-1].append(min(together, costs[row][column + 1] + 1, costs[-1][column] + 1))
    out: list[tuple[bool, bool]] = []
    row, column = len(old), len(new)
    while row or column:
        here = costs[row][column]
        if row and column and here == costs[row - 1][column - 1] + pair(row - 1, column - 1):
            step = (True, True)
        elif row and here == costs[row - 1][column] + 1:
            step = (True, False)
        else:
            step = (False, True)
        out.append(step)
        row, column = row - step[0], column - step[1]
    return out[::-1]


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """The part of the words of two lines that both have, 0 to 1."""
    return len(one & other) / max(1, len(one | other))


def _pairs(old: list[str], new: list[str]) -> list[tuple[int, int]]:
    """Indexes of equal lines, ascending on both sides: patience diff (lines that are unique on both sides first)."""
    out: list[tuple[int, int]] = []
    open_ranges = [(0, len(old), 0, len(new))]
    while open_ranges:
        a, b, c, d = open_ranges.pop()
        while a < b and c < d and old[a] == new[c]:
            out.append((a, c))
            a, c = a + 1, c + 1
        while a < b and c < d and old[b - 1] == new[d - 1]:
            b, d = b - 1, d - 1
            out.append((b, d))
        anchors = _anchors(old, a, b, new, c, d) if a < b and c < d else []
        for one, other in anchors:
            out.append((one, other))
            open_ranges.append((a, one, c, other))
            a, c = one + 1, other + 1
        if anchors:
            open_ranges.append((a, b, c, d))
    return sorted(out)


def _anchors(old: list[str], a: int, b: int, new: list[str], c: int, d: int) -> list[tuple[int, int]]:
    """The longest ascending series of lines that are equal and unique in both ranges."""
    places = _unique(new, c, d)
    pairs = [(at, places[old[at]]) for at in _unique(old, a, b).values() if old[at] in places]
    tails: list[int] = []
    chosen: list[int] = []
    before: list[int] = []
    for number, (_, other) in enumerate(pairs):
        rank = bisect_left(tails, other)
        tails[rank : rank + 1] = [other]
        chosen[rank : rank + 1] = [number]
        before.append(chosen[rank - 1] if rank else -1)
    out: list[tuple[int, int]] = []
    at = chosen[-1] if chosen else -1
    while at >= 0:
        out.append(pairs[at])
        at = before[at]
    return out[::-1]


def _unique(lines: list[str], start: int, end: int) -> dict[str, int]:
    """Lines that occur once in start..end -> where; in the order of their places."""
    seen: dict[str, int] = {}
    for at in range(start, end):
        seen[lines[at]] = -1 if lines[at] in seen else at
    return {line: at for line, at in seen.items() if at >= 0}
