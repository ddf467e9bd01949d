"""Parse only what matters of a long file: functions, classes and methods without any marked line become blank lines.

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
    out: list[bytes] = []
    at = 0
    for first, last in _blank(
        utf8, lines, _inside_strings(utf8, lines, tokens), set(marked), (1, len(lines.starts)), b""
    ):
        start, end = lines.starts[first - 1], lines.end_of(last)
        out += (utf8[at:start], b"\n" * (last - first + 1))
        at = end
    return b"".join([*out, utf8[at:]]) if out else None


def _blank(
    utf8: bytes, lines: Lines, inside: set[int], wanted: set[int], span: tuple[int, int], indent: bytes
) -> Iterator[tuple[int, int]]:
    """What can be left out of the lines of `span`: functions and classes at `indent`, and methods of wanted classes."""
    for number, (first, definition, last) in enumerate(_regions(utf8, lines, inside, span, indent)):
        start, end = lines.starts[first - 1], lines.end_of(last)
        if number and wanted.isdisjoint(range(first, last + 1)) and utf8.find(b"import", start, end) < 0:
            yield first, last
        elif not indent and utf8.startswith(b"class", lines.starts[definition - 1]):
            yield from _blank(utf8, lines, inside, wanted, (definition + 1, last), b"    ")


def _regions(
    utf8: bytes, lines: Lines, inside: set[int], span: tuple[int, int], indent: bytes
) -> Iterator[tuple[int, int, int]]:
    """Of each function and class at `indent`: its first line with decorators, that of its definition, its last."""
    starts = [*_statements(utf8, lines, inside, span, indent), span[1] + 1]
    decorated = 0
    for first, following in pairwise(starts):
        offset = lines.starts[first - 1] + len(indent)
        if utf8[offset] == 0x40:
            decorated = decorated or first
        elif _DEFINITION.match(utf8, offset):
            yield decorated or first, first, min(following - 1, span[1])
            decorated = 0
        else:
            decorated = 0


def _statements(utf8: bytes, lines: Lines, inside: set[int], span: tuple[int, int], indent: bytes) -> Iterator[int]:
    """Lines that begin a statement at `indent`: no more white space, comment or closing bracket, not in a string."""
    width = len(indent)
    for number in range(span[0], span[1] + 1):
        start = lines.starts[number - 1]
        if start + width >= len(utf8) or utf8[start + width] in b" \t\f\r\n#)]}" or number in inside:
            continue
        if not width or utf8.startswith(indent, start):
            yield number


def _inside_strings(utf8: bytes, lines: Lines, tokens: Sequence[Token]) -> set[int]:
    """Lines that begin inside a string."""
    inside: set[int] = set()
    for token in tokens:
        if token.kind == "string" and utf8.find(b"\n", token.start, token.end) >= 0:
            inside.update(range(lines.line(token.start) + 1, lines.line(token.end - 1) + 1))
    return inside
