"""Notebooks: the code cells of one are one Python program, whose places are mapped back into the strings of its JSON.

Format: nbformat 4 (`cells[].source`) and 3 (`worksheets[].cells[].input`), https://nbformat.readthedocs.io. Lines of
IPython (`%time`, `!pip`, `x?`) and cells of another language (`%%bash`) are no Python; they are given apart.
"""

import ast
import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace

from portside.migrate.precise.found import Found
from portside.migrate.precise.source import Edit

_JSON = re.compile(rb'"(?:[^"\\]|\\.)*"?|[][{},:]|[^\s"\][{},:]+', re.DOTALL)
_ESCAPE = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.", re.DOTALL)
_REST = rb"[%!?](?:[^\n\\]|\\\n|\\(?!\n))*"
_MAGIC = re.compile(
    rb"(?m)^[ \t]*(?P<line>%s)|^[ \t]*[\w.,]+[ \t]*=[ \t]*(?P<value>[%%!](?:[^\n\\]|\\\n|\\(?!\n))*)" % _REST
)
_HELP = re.compile(rb"(?m)^[ \t]*(?P<line>[\w.]+\?\??)[ \t]*$")
_TIMED = re.compile(rb"\s*(?P<line>%%(?:time|timeit|capture|prun)\b[^\n]*)")
_CELL = re.compile(rb"\s*%%")

Span = tuple[int, int]


class Code:
    """The code cells of a notebook as one text of Python, with its way back into the file.

    utf8: the text; what is no Python is blank in it. other: the spans of that in the file.
    """

    def __init__(self, data: bytes, skip: frozenset[int] = frozenset()) -> None:
        """skip: numbers of code cells to leave out."""
        self.utf8 = b""
        self.other: list[Span] = []
        self.cells: list[Span] = []
        self._starts: list[int] = []
        self._pieces: list[tuple[int, int, int]] = []
        self._added: dict[int, int] = {}
        texts: list[bytes] = []
        length = 0
        for number, spans in enumerate(code_cells(data)):
            text = b"".join(self._take(data, length, spans))
            blank, blanked = _blanked(text) if number not in skip else (_spaces(text), [])
            self.other += [(self.start(length + first), self.end(length + last)) for first, last in blanked]
            self.cells.append((length, length + len(text)))
            if not text.endswith(b"\n"):
                blank += b"\n"
                self._added[length + len(blank)] = self.end(length + len(text)) if text else spans[0][0]
            texts.append(blank)
            length += len(blank)
        self.utf8 = b"".join(texts)

    def _take(self, data: bytes, length: int, spans: list[Span]) -> Iterator[bytes]:
        for start, end in spans:
            for first, last, text in _pieces(data, start + 1, end - 1):
                self._starts.append(length)
                self._pieces.append((first, last, len(text)))
                length += len(text)
                yield text

    def start(self, offset: int) -> int:
        """Where in the file the text begins that begins at an offset of `utf8`."""
        number = max(0, bisect_right(self._starts, offset) - 1)
        first, last, length = self._pieces[number]
        into = offset - self._starts[number]
        return first if not into else first + into if last - first == length and into < length else last

    def end(self, offset: int) -> int:
        """Where in the file the text ends that ends before an offset of `utf8`."""
        number = max(0, bisect_right(self._starts, offset - 1) - 1)
        first, last, length = self._pieces[number]
        into = offset - self._starts[number]
        return first + into if last - first == length and into < length else last

    def in_file(self, found: Found) -> Found:
        """The same place in the file, its edits as JSON writes text."""
        if found.start == found.end:
            return replace(found, start=(at := self._insert(found.start)), end=at, edits=self._edits(found))
        return replace(found, start=self.start(found.start), end=self.end(found.end), edits=self._edits(found))

    def _edits(self, found: Found) -> tuple[Edit, ...]:
        out: list[Edit] = []
        for edit in found.edits:
            if edit.start < edit.end:
                out.append(Edit(self.start(edit.start), self.end(edit.end), _escaped(edit.new)))
                continue
            at = self._insert(edit.start)
            new = b"\n" + edit.new.rstrip(b"\r\n") if edit.start in self._added else edit.new
            out.append(Edit(at, at, _escaped(new)))
        return tuple(out)

    def _insert(self, offset: int) -> int:
        """A cell's last line has no newline in the file; what would follow it goes to the end of the cell."""
        if offset in self._added:
            return self._added[offset]
        return self.end(offset) if self.utf8[offset - 1 : offset] == b"\n" else self.start(offset)


def broken_cells(code: Code, grammar: tuple[int, int]) -> frozenset[int]:
    """The numbers of cells that are no Python by themselves."""
    return frozenset(number for number, span in enumerate(code.cells) if not _parses(code.utf8[slice(*span)], grammar))


def _parses(text: bytes, grammar: tuple[int, int]) -> bool:
    try:
        ast.parse(text, feature_version=grammar)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def code_cells(data: bytes) -> list[list[Span]]:
    """Of each code cell the spans of the strings, with their quotes, that are its source; none where the bytes are no
    JSON. Markdown and outputs are not among them."""
    cells: list[list[Span]] = []
    stack: list[_Level] = []
    for match in _JSON.finditer(data):
        text = match[0]
        if text[:1] == b'"' and not (len(text) > 1 and text.endswith(b'"')):
            break
        if text in (b"{", b"["):
            stack.append(_Level(text == b"{", stack[-1].key if stack else b""))
        elif text in (b"}", b"]"):
            if not stack:
                return []
            closed = stack.pop()
            if closed.is_object and closed.is_code and closed.sources:
                cells.append(sorted(closed.sources))
            elif stack and not closed.is_object:
                stack[-1].sources += closed.sources if closed.parent in (b'"source"', b'"input"') else []
        elif text == b":" and stack:
            stack[-1].key, stack[-1].is_value = stack[-1].last, True
        elif text == b"," and stack:
            stack[-1].is_value = False
        elif stack:
            stack[-1].take(text, match.span())
    return sorted(cells)


class _Level:
    """An open object or array: `parent` is the key that it is the value of."""

    def __init__(self, is_object: bool, parent: bytes) -> None:
        self.is_object = is_object
        self.parent = parent
        self.key = b"" if is_object else parent
        self.last = b""
        self.is_value = False
        self.is_code = False
        self.sources: list[Span] = []

    def take(self, text: bytes, span: Span) -> None:
        """A string, number or word inside."""
        if not self.is_object or not self.is_value:
            self.last = text
            if not self.is_object and text.startswith(b'"'):
                self.sources.append(span)
        elif self.key == b'"cell_type"':
            self.is_code = text == b'"code"'
        elif self.key in (b'"source"', b'"input"') and text.startswith(b'"'):
            self.sources.append(span)


def _pieces(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, bytes]]:
    """What a JSON string says, in pieces: where each begins and ends in the file, and its text."""
    at = start
    for match in _ESCAPE.finditer(data, start, end):
        if match.start() > at:
            yield at, match.start(), data[at : match.start()]
        try:
            text = str(json.loads(b'"' + match[0] + b'"')).encode("utf-8", "replace")
        except ValueError:
            text = match[0]
        yield match.start(), match.end(), text
        at = match.end()
    if at < end:
        yield at, end, data[at:end]


def _blanked(text: bytes) -> tuple[bytes, list[Span]]:
    """A cell without what is no Python, and the spans of that."""
    timed = _TIMED.match(text)
    if timed is None and _CELL.match(text):
        return _spaces(text), [(0, len(text))] if text else []
    spans = [timed.span("line")] if timed else []
    for match in _MAGIC.finditer(text, timed.end() if timed else 0):
        spans.append(match.span("line"))
    spans += [match.span("line") for match in _HELP.finditer(text)]
    spans = sorted(span for span in spans if span[1] > span[0])
    out = text
    for start, end in spans:
        out = out[:start] + b"0" + _spaces(text[start + 1 : end]) + out[end:]
    return out, spans


def _spaces(text: bytes) -> bytes:
    return re.sub(rb"[^\n]", b" ", text)


def _escaped(text: bytes) -> bytes:
    return json.dumps(text.decode(), ensure_ascii=False)[1:-1].encode()
