"""Parse only what matters of a long file: functions and classes at its top without any marked line become blank lines.

Building a syntax tree is most of the work of a migration; the lines that stay keep their numbers and columns.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from portside.migrate.precise.lexer import Token
from portside.migrate.precise.source import Lines

_DEFINITION = re.compile(rb"(?:async[ \t]+def|def|class)\b")
_NEWER = tuple(
    re.compile(text)
    for text in (
        rb"except\s*\*",
        rb"except[ \t]+[\w.]+[ \t]*,[^\n]*:[ \t]*(?:#[^\n]*)?\n",
        rb"type[ \t]+\w+[ \t]*(?:\[\w[^\n]*\][ \t]*)?=(?!=)",
        rb"def[ \t]+\w+[ \t]*\[",
        rb"class[ \t]+\w+[ \t]*\[[^\n]*[:(]",
        rb"\[\*",
    )
)
"""Syntax that came after the grammar that is read; files that may have it are read as a whole, which finds it out."""


def reduced(utf8: bytes, lines: Lines, tokens: Sequence[Token], marked: Sequence[int]) -> bytes | None:
    """The text with the regions blanked that hold neither a marked line nor an import; None: parse all of it."""
    if any(pattern.search(utf8) for pattern in _NEWER):
        return None
    wanted = set(marked)
    out: list[bytes] = []
    at = 0
    for number, (first, last) in enumerate(_regions(utf8, lines, tokens)):
        start, end = lines.starts[first - 1], lines.end_of(last)
        if number == 0 or not wanted.isdisjoint(range(first, last + 1)) or utf8.find(b"import", start, end) >= 0:
            continue
        out += (utf8[at:start], b"\n" * (last - first + 1))
        at = end
    if not out:
        return None
    return b"".join([*out, utf8[at:]])


def _regions(utf8: bytes, lines: Lines, tokens: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """First and last line of each function and class at the top, with its decorators."""
    starts = [*_top_lines(utf8, lines, tokens), len(lines.starts) + 1]
    decorated = 0
    for first, following in pairwise(starts):
        offset = lines.starts[first - 1]
        if utf8[offset] == 0x40:
            decorated = decorated or first
        elif _DEFINITION.match(utf8, offset):
            yield decorated or first, min(following - 1, len(lines.starts))
            decorated = 0
        else:
            decorated = 0


def _top_lines(utf8: bytes, lines: Lines, tokens: Sequence[Token]) -> Iterator[int]:
    """Lines that begin a statement at the top: no white space, comment or closing bracket first, not in a string."""
    inside: set[int] = set()
    for token in tokens:
        if token.kind == "string" and utf8.find(b"\n", token.start, token.end) >= 0:
            inside.update(range(lines.line(token.start) + 1, lines.line(token.end - 1) + 1))
    for number, start in enumerate(lines.starts, 1):
        if start < len(utf8) and utf8[start] not in b" \t\f\r\n#)]}" and number not in inside:
            yield number
