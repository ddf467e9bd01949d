"""A text file as patch steps see it: lines that end in LF, whatever the file has, and edits that touch nothing else.

Bytes that are no text survive as surrogate escapes. A Python file with a PEP 263 declaration is read in the
encoding that it names, so that text in a recipe matches text in the file.
"""

import bisect
import codecs
import io
import re
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from portside.patches.changes import Span

_STATELESS = ("big5", "cp", "euc_", "gb", "iso8859", "koi8", "shift_jis")
"""Beginnings of the names of codecs in which a character has the same bytes wherever it stands."""


@dataclass(frozen=True, slots=True)
class TextEdit:
    """A range of a document's text and what it becomes."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Document:
    """original: the decoded file. text: the same with LF for CRLF. crlf: where in `text` those LFs are."""

    path: str
    original: str
    text: str
    crlf: list[int]
    encoding: str
    bom: bytes

    @classmethod
    def read(cls, path: str, data: bytes) -> "Document":
        bom = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
        encoding = _encoding(path, data)
        original = data[len(bom) :].decode(encoding, "surrogateescape")
        crlf = [found.start() - number for number, found in enumerate(re.finditer("\r\n", original))]
        return cls(path, original, original.replace("\r\n", "\n"), crlf, encoding, bom)

    @cached_property
    def lines(self) -> list[str]:
        """Without their ends; what follows the last line end is a line only if it is not empty."""
        lines = self.text.split("\n")
        return lines if lines[-1] else lines[:-1]

    @cached_property
    def starts(self) -> list[int]:
        """Where in `text` each line starts."""
        out, position = [], 0
        for line in self.lines:
            out.append(position)
            position += len(line) + 1
        return out

    def line_of(self, position: int) -> int:
        """The number (from 1) of the line that a position of `text` is in."""
        return max(1, bisect.bisect_right(self.starts, position))

    def line_range(self, first: int, last: int, text: str) -> TextEdit:
        """The lines `first` to `last` (from 1, inclusive), without the last one's end, become `text`."""
        return TextEdit(self.starts[first - 1], self.starts[last - 1] + len(self.lines[last - 1]), text)

    def span(self, place: TextEdit) -> Span:
        """The lines that a place replaces; not the line that only starts where the place ends, if it stays."""
        starts = [position == 0 or self.text[position - 1] == "\n" for position in (place.start, place.end)]
        whole = starts[1] and (place.text.endswith("\n") or (not place.text and starts[0]))
        old, new = self.text.count("\n", place.start, place.end), place.text.count("\n")
        return Span(self.line_of(place.start), old + (not whole), new + (not whole))

    def whole_lines(self, place: TextEdit) -> tuple[str, str]:
        """The lines that a place touches, before and after this place alone has changed."""
        start = self._start_of(place.start)
        ended = place.end > place.start and self.text[place.end - 1] == "\n"
        end = place.end if ended else self._end_of(place.end)
        after = self.text[start : place.start] + place.text + self.text[place.end : end]
        return readable(self.text[start:end].removesuffix("\n")), readable(after.removesuffix("\n"))

    def change(self, places: Sequence[TextEdit]) -> bytes:
        """The file's bytes after the change of `places` (in order, not overlapping).

        A line end in a place's new text is the one that stood there (the first for the first, and so on);
        further ones are as at the end of the place. Raises UnicodeEncodeError for text that the file's encoding lacks.
        """
        out, done = [], 0
        for place in places:
            start, end = self._in_original(place.start), self._in_original(place.end)
            ends = re.findall(r"\r?\n", self.original[start:end])
            first, *rest = place.text.split("\n")
            further = self._line_end(place.end - self.text[place.start : place.end].endswith("\n"))
            out += [self.original[done:start], first]
            for number, line in enumerate(rest):
                out += [ends[number] if number < len(ends) else further, line]
            done = end
        out.append(self.original[done:])
        return self.bom + "".join(out).encode(self.encoding, "surrogateescape")

    @cached_property
    def _newlines(self) -> list[int]:
        """Where lines end: a line may be long, and have many places."""
        return [found.start() for found in re.finditer("\n", self.text)]

    def _start_of(self, position: int) -> int:
        """Where the line starts that a position is in."""
        before = bisect.bisect_left(self._newlines, position)
        return self._newlines[before - 1] + 1 if before else 0

    def _end_of(self, position: int) -> int:
        """Where the first line end from a position on is, or the end of the text."""
        after = bisect.bisect_left(self._newlines, position)
        return self._newlines[after] if after < len(self._newlines) else len(self.text)

    def _in_original(self, position: int) -> int:
        return position + bisect.bisect_left(self.crlf, position)

    def _line_end(self, position: int) -> str:
        """How the line at a position ends; the last line of a file without a final line end ends as the one before."""
        newline = self._end_of(position)
        if newline == len(self.text):
            newline = self._newlines[-1] if self._newlines else -1
        index = bisect.bisect_left(self.crlf, newline)
        return "\r\n" if index < len(self.crlf) and self.crlf[index] == newline else "\n"


def readable(text: str) -> str:
    """Text for people and reports: bytes that are no text as \\xNN."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _encoding(path: str, data: bytes) -> str:
    if path.endswith(".py"):
        try:
            name = codecs.lookup(tokenize.detect_encoding(io.BytesIO(data).readline)[0]).name
            if name.startswith(_STATELESS) and data.decode(name).encode(name) == data:
                return name
        except (SyntaxError, LookupError, UnicodeError):
            pass
    return "utf-8"
