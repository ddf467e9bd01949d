"""Where strings and comments lie in Python source: the part of the lexical grammar that an AST does not tell.

The same on every Python version (the tokenize module is not: f-strings changed in 3.12).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

_START = re.compile(rb"['\"#]")
"""One class of bytes is searched for several times faster than alternatives."""
_COMMENT = re.compile(rb"[^\r\n]*")
_BEFORE = re.compile(rb"(?:^|[^A-Za-z0-9_\x80-\xff])([A-Za-z]{1,2})\Z")
_LETTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_PREFIXES = frozenset(["", "r", "u", "b", "f", "br", "rb", "fr", "rf"])
_KEYWORDS = frozenset(["as", "if", "in", "is", "or"])
_BODY = {
    b"'": re.compile(rb"[^'\\\r\n]*(?:\\(?:\r\n|[\s\S])[^'\\\r\n]*)*'"),
    b'"': re.compile(rb'[^"\\\r\n]*(?:\\(?:\r\n|[\s\S])[^"\\\r\n]*)*"'),
    b"'''": re.compile(rb"[^'\\]*(?:(?:\\[\s\S]|'(?!''))[^'\\]*)*'''"),
    b'"""': re.compile(rb'[^"\\]*(?:(?:\\[\s\S]|"(?!""))[^"\\]*)*"""'),
}


class NotLexed(Exception):
    """A string without an end; the message says what."""

    newer = False


class NewerSyntax(NotLexed):
    """Syntax newer than what is understood."""

    newer = True


@dataclass(frozen=True, slots=True)
class Token:
    """A string (body: what lies between its quotes) or a comment, as byte offsets."""

    kind: Literal["string", "comment"]
    start: int
    end: int
    prefix: str = ""
    body_start: int = 0
    body_end: int = 0

    @property
    def is_f(self) -> bool:
        return "f" in self.prefix


def tokens(utf8: bytes) -> Iterator[Token]:
    """Every string and comment, in order. Raises NotLexed."""
    at = 0
    while match := _START.search(utf8, at):
        start = match.start()
        quote = match[0]
        if quote == b"#":
            at = _COMMENT.match(utf8, start).end()  # type: ignore[union-attr]
            yield Token("comment", start, at)
            continue
        prefix = _prefix(utf8, at, start) if start > at and utf8[start - 1] in _LETTERS else ""
        if utf8.startswith(quote * 3, start):
            quote *= 3
        body = start + len(quote)
        found = _BODY[quote].match(utf8, body)
        if found is None:
            raise NotLexed("a string that does not end")
        at = found.end()
        yield Token("string", start - len(prefix), at, prefix, body, at - len(quote))


def _prefix(utf8: bytes, after: int, start: int) -> str:
    """The prefix of the string whose quotes begin at `start`; nothing before `after` belongs to it."""
    word = _BEFORE.search(utf8[max(after, start - 3) : start])
    prefix = word[1].decode().lower() if word is not None else ""
    if prefix in _KEYWORDS:
        return ""
    if prefix not in _PREFIXES:
        raise NewerSyntax(f"the string prefix {prefix!r}")
    return prefix


_FIELD = re.compile(rb"\{\{|\}\}|[{}]|\\N\{[^}]*\}")
_INSIDE = re.compile(rb"'''|\"\"\"|['\"]|[][(){}]|!=|[!:=#]")


def fields(utf8: bytes, token: Token) -> list[tuple[int, int]]:
    """The spans of the expressions in an f-string's replacement fields, also of those in format specifications.

    Raises NotLexed for what only Python 3.12 and newer understand.
    """
    out: list[tuple[int, int]] = []
    _literal(utf8, token, token.body_start, token.body_end, out, nested=False)
    return out


def _literal(utf8: bytes, token: Token, at: int, end: int, out: list[tuple[int, int]], nested: bool) -> int:
    """Read literal text up to `end`, or in a format specification (nested) to the brace that closes its field."""
    while at < end and (match := _FIELD.search(utf8, at, end)):
        found = match[0]
        if nested and found in (b"}", b"}}"):
            return match.start()
        if nested and found == b"{{":
            found = b"{"
        at = match.start() + len(found)
        if found == b"{":
            at = _field(utf8, token, at, end, out)
        elif found.startswith(b"\\N") and "r" in token.prefix:
            at = match.start() + 2
    return end


def _field(utf8: bytes, token: Token, start: int, end: int, out: list[tuple[int, int]]) -> int:
    """One replacement field from after its brace to after its closing brace."""
    depth = 0
    at = start
    while at < end and (match := _INSIDE.search(utf8, at, end)):
        found = match[0]
        at = match.end()
        if found[:1] in b"'\"":
            body = _BODY[found].match(utf8, at, end)
            if body is None and len(found) == 3:
                at = match.start() + 2
                continue
            if body is None:
                raise NewerSyntax("an f-string that reuses its quotes")
            at = body.end()
        elif found in (b"(", b"[", b"{"):
            depth += 1
        elif found in (b")", b"]") or (found == b"}" and depth):
            depth -= 1
        elif found == b"#":
            raise NewerSyntax("an f-string with a comment in a field")
        elif depth or found == b"!=":
            continue
        elif found == b"=" and utf8[at : at + 1] == b"=":
            at += 1
        elif found == b"=" and utf8[match.start() - 1 : match.start()] in (b"<", b">"):
            continue
        else:
            if b"\\" in utf8[start : match.start()]:
                raise NewerSyntax("an f-string with a backslash in a field")
            out.append((start, match.start()))
            return _after(utf8, token, match.start(), end, out)
    raise NewerSyntax("an f-string whose field does not end")


_CONVERSION = re.compile(rb"(?:=[ \t]*)?(?:![a-z])?[ \t]*")


def _after(utf8: bytes, token: Token, at: int, end: int, out: list[tuple[int, int]]) -> int:
    """What follows a field's expression: `=`, a conversion, a format specification, the closing brace."""
    match = _CONVERSION.match(utf8, at, end)
    at = match.end() if match else at
    if utf8[at : at + 1] == b":":
        at = _literal(utf8, token, at + 1, end, out, nested=True)
    if utf8[at : at + 1] != b"}":
        raise NewerSyntax("an f-string whose field does not end")
    return at + 1
