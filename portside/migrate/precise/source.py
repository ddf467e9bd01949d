"""A Python file as UTF-8 bytes with places, whatever encoding it is written in; edits as byte spans."""

import re
import tokenize
from bisect import bisect_right
from dataclasses import dataclass
from io import BytesIO
from itertools import accumulate

_LINE_END = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"


class Unreadable(Exception):
    """The bytes are not text in the encoding that the file declares; the message says why."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes start..end of the UTF-8 text become `new`."""

    start: int
    end: int
    new: bytes


class Lines:
    """Line numbers and columns of a text; lines end as Python's grammar says (`\\n`, `\\r\\n`, `\\r`)."""

    def __init__(self, utf8: bytes) -> None:
        self.utf8 = utf8
        self.starts = [0]
        if b"\r" in utf8:
            self.starts += [match.end() for match in _LINE_END.finditer(utf8)]
        else:
            self.starts += accumulate([len(line) + 1 for line in utf8.split(b"\n")[:-1]])

    def offset(self, line: int, column: int) -> int:
        """line from 1, column in bytes from 0, as the ast module counts."""
        return self.starts[line - 1] + column

    def line(self, offset: int) -> int:
        """The line, from 1, of an offset."""
        return bisect_right(self.starts, offset)

    def column(self, offset: int) -> int:
        """The column of an offset, from 1, in characters."""
        start = self.starts[self.line(offset) - 1]
        return len(self.utf8[start:offset].decode("utf-8", "replace")) + 1

    def end_of(self, line: int) -> int:
        """The offset after a line's end."""
        return self.starts[line] if line < len(self.starts) else len(self.utf8)


def find_all(data: bytes, text: bytes) -> list[int]:
    """Where a text stands, from the left, without overlaps."""
    out: list[int] = []
    at = data.find(text)
    while at >= 0:
        out.append(at)
        at = data.find(text, at + len(text))
    return out


@dataclass(frozen=True, slots=True)
class Decoded:
    """A file's text as UTF-8 without BOM, and how to write it again."""

    utf8: bytes
    encoding: str
    bom: bool

    def encode(self, utf8: bytes) -> bytes:
        if self.encoding == "utf-8":
            return _BOM + utf8 if self.bom else utf8
        return utf8.decode("utf-8").encode(self.encoding)


def decode(data: bytes) -> Decoded:
    """Read a file as PEP 263 says. Raises Unreadable, also where writing it again would change other bytes."""
    declared = any(b"coding" in line for line in data.split(b"\n", 2)[:2])
    bom = data.startswith(_BOM)
    encoding = "utf-8"
    if declared:
        try:
            encoding = tokenize.detect_encoding(BytesIO(data).readline)[0].removesuffix("-sig")
        except SyntaxError as error:
            raise Unreadable("it declares an encoding that does not exist, or two that differ") from error
    if encoding == "utf-8":
        utf8 = data[len(_BOM) :] if bom else data
        try:
            utf8.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Unreadable(f"byte {error.start} is not UTF-8, and no other encoding is declared") from error
        return Decoded(utf8, encoding, bom)
    try:
        text = data.decode(encoding)
        if text.encode(encoding) != data:
            raise Unreadable(f"its bytes have more than one spelling in {encoding}")
        return Decoded(text.encode("utf-8"), encoding, False)
    except (UnicodeError, LookupError, ValueError) as error:
        raise Unreadable(f"it is not text in the encoding that it declares, {encoding}") from error


def apply(utf8: bytes, edits: list[Edit]) -> bytes:
    """The text after edits that are sorted by start and do not overlap."""
    out: list[bytes] = []
    at = 0
    for edit in edits:
        assert edit.start >= at, "edits overlap"
        out += (utf8[at : edit.start], edit.new)
        at = edit.end
    out.append(utf8[at:])
    return b"".join(out)
