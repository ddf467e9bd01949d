"""Applying the hunks of one file: exactly, at the stated line or at the one other place that matches."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from portside.patches.changes import Span
from portside.patches.unified import Hunk

Key = tuple[bytes, bool]
MOST_COMPARED = 10_000_000
"""Lines that are compared to say which place is like a hunk that has none."""


@dataclass(frozen=True, slots=True)
class Applied:
    """Where a hunk went. line: of its first change, from 1, in the old file. offset: found minus stated line.
    spans: the lines that it replaced, without those of its context."""

    line: int
    offset: int
    before: bytes
    after: bytes
    spans: tuple[Span, ...]


class NoPlace(Exception):
    """A hunk without exactly one place.

    hunk: its number, from 1. places: the lines (from 1) where it would match. nearest: if it matches nowhere, the
    line of the old file that keeps the best place from matching, with what it says and what it should.
    """

    def __init__(self, hunk: int, places: list[int], nearest: tuple[int, bytes, bytes] | None) -> None:
        super().__init__(f"hunk {hunk} has {len(places)} places")
        self.hunk = hunk
        self.places = places
        self.nearest = nearest


def split_lines(data: bytes) -> list[bytes]:
    """Lines with their ends; only LF ends a line."""
    return re.findall(rb"[^\n]*\n|[^\n]+", data)


def apply_hunks(data: bytes, hunks: Sequence[Hunk]) -> tuple[bytes, list[Applied]]:
    """The file after all hunks, and where each went. Raises NoPlace."""
    lines = split_lines(data)
    out: list[bytes] = []
    applied: list[Applied] = []
    keys: dict[bool, list[Key]] = {}
    done = 0
    moved = False
    for number, hunk in enumerate(hunks, 1):
        exact = _own_ends(hunk)
        if exact not in keys:
            keys[exact] = [_key(line, exact) for line in lines]
        start = _find(keys[exact], hunk, number, done, moved)
        out += lines[done:start]
        position = start
        first, before, after = None, [], []
        spans: list[Span] = []
        together = False
        old = hunk.old()
        as_written = [_key(line, exact=True) for line in lines[start : start + len(old)]] == old
        for sign, text, ended in hunk.lines:
            if sign == b" ":
                out.append(lines[position])
                position += 1
                together = False
                continue
            span = spans.pop() if together else Span(position + 1, 0, 0)
            spans.append(Span(span.line, span.old + (sign == b"-"), span.new + (sign == b"+")))
            together = True
            first = position if first is None else first
            if sign == b"-":
                before.append(lines[position])
                position += 1
            else:
                end = b"\n" * ended if as_written else _end(lines, position) * ended
                after.append((text if as_written else text.removesuffix(b"\r")) + end)
                out.append(after[-1])
        offset = start - _stated(hunk)
        moved = moved or offset != 0
        applied.append(Applied((first or 0) + 1, offset, b"".join(before), b"".join(after), tuple(spans)))
        done = position
    return b"".join(out + lines[done:]), applied


def _find(have: list[Key], hunk: Hunk, number: int, done: int, moved: bool) -> int:
    """The index of the hunk's first line; `moved`: an earlier hunk was not where it was stated. have: the file's lines,
    with their ends where the hunk means them."""
    exact = _own_ends(hunk)
    wanted = [(text if exact else text.removesuffix(b"\r"), ended) for text, ended in hunk.old()]
    at_end = not all(ended for _, _, ended in hunk.lines)
    if not wanted:
        # Lines without any context have a place only in a file that has no lines at all.
        if not have:
            return 0
        raise NoPlace(number, [], None)
    last = len(have) - len(wanted)
    stated = _stated(hunk)
    may_be = not moved and done <= stated <= last and (not at_end or stated == last)
    if may_be and have[stated : stated + len(wanted)] == wanted:
        return stated
    places = [start for start in _occurrences(have, wanted, done) if not at_end or start == last]
    if len(places) == 1:
        return places[0]
    raise NoPlace(number, [start + 1 for start in places], None if places else _nearest(have, wanted, done, stated))


def _occurrences(have: list[Key], wanted: list[Key], done: int) -> Iterator[int]:
    """Where the wanted lines stand, from index `done` on (Knuth, Morris and Pratt: no line is looked at twice)."""
    back = [0] * len(wanted)
    same = 0
    for at in range(1, len(wanted)):
        while same and wanted[at] != wanted[same]:
            same = back[same - 1]
        same += wanted[at] == wanted[same]
        back[at] = same
    same = 0
    for at in range(done, len(have)):
        while same and (same == len(wanted) or have[at] != wanted[same]):
            same = back[same - 1]
        same += have[at] == wanted[same]
        if same == len(wanted):
            yield at - len(wanted) + 1


def _nearest(have: list[Key], wanted: list[Key], done: int, stated: int) -> tuple[int, bytes, bytes] | None:
    """The place where most lines agree, the closest to the stated one among equals; its first line that differs."""
    best: tuple[int, int, int] | None = None
    reach = max(1, MOST_COMPARED // len(wanted))
    for start in range(max(done, stated - reach), min(len(have), max(done, stated) + reach)):
        same = sum(a == b for a, b in zip(have[start : start + len(wanted)], wanted, strict=False))
        rank = (same, -abs(start - stated), -start)
        best = rank if best is None else max(best, rank)
    if best is None:
        return None
    start = -best[2]
    for number, want in enumerate(wanted, start):
        if number >= len(have):
            return number + 1, b"(the end of the file)", want[0]
        if have[number] != want:
            found, expected = have[number], want
            note = (
                b"" if found[0] != expected[0] else (b" (with a line end)", b" (without a line end)")[found[1] is False]
            )
            return number + 1, found[0] + note, expected[0]
    return start + len(wanted), b"(more lines follow)", b"(the end of the file)"


def _stated(hunk: Hunk) -> int:
    return hunk.start - 1 if hunk.old() else hunk.start


def _own_ends(hunk: Hunk) -> bool:
    """Whether the hunk mixes CRLF and LF, so that its line ends are meant and must be those of the file."""
    return len({text.endswith(b"\r") for _, text, _ in hunk.lines}) > 1


def _key(line: bytes, exact: bool) -> Key:
    ended = line.endswith(b"\n")
    text = line.removesuffix(b"\n")
    return (text if exact else text.removesuffix(b"\r"), ended)


def _end(lines: list[bytes], position: int) -> bytes:
    """The line end of the file at a position: the line's own or that of the one before."""
    for index in (position, position - 1):
        if 0 <= index < len(lines) and lines[index].endswith(b"\n"):
            return b"\r\n" if lines[index].endswith(b"\r\n") else b"\n"
    return b"\n"
