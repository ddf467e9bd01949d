"""Every occurrence of the ruleset's words that no rule edits: it is kept, and the report says why."""

import re
from collections.abc import Sequence

from portside.migrate.precise.compiled import Rules
from portside.migrate.precise.found import Found
from portside.migrate.precise.lexer import Token
from portside.migrate.report.hits import RuleInfo

KEPT = {
    "comment": RuleInfo("comment kept", "a comment has no effect"),
    "docstring": RuleInfo("docstring kept", "a text that only people read has no effect"),
    "text": RuleInfo("text kept", "a text that merely contains the word is no device"),
    "path": RuleInfo("file name kept", "the file keeps its name, so a path or URL to it does as well"),
    "key": RuleInfo("key kept", "checkpoints and dictionaries that exist have this key"),
    "question": RuleInfo("comparison kept", "it asks whether there is a card, and what follows is for one"),
    "flag": RuleInfo("command-line flag kept", "people and scripts pass it"),
    "identifier": RuleInfo("identifier kept", "a name that merely contains the word is the code's own"),
    "own-attribute": RuleInfo("attribute kept", "it is an option of that name and no method"),
    "foreign-module": RuleInfo("other library kept", "the function belongs to another library"),
}

_FILE = re.compile(rb"[\w.*-]*[\w*-]\.[A-Za-z]\w{0,4}|[^\s]*/[^\s]*")
_WORD = re.compile(rb"[A-Za-z0-9_\x80-\xff]")


def left_over(
    utf8: bytes, rules: Rules, tokens: Sequence[Token], covered: list[tuple[int, int]], uses: dict[int, str]
) -> list[Found]:
    """Hits for the words outside `covered` (sorted spans). uses: start of a string token -> the rule that keeps it."""
    if not rules.words:
        return []
    pattern = re.compile(b"|".join(sorted(rules.words, reverse=True)))
    out: list[Found] = []
    number = place = 0
    last: tuple[int, int] | None = None
    for match in pattern.finditer(utf8):
        at = match.start()
        while place < len(covered) and covered[place][1] <= at:
            place += 1
        if place < len(covered) and covered[place][0] <= at:
            continue
        while number < len(tokens) and tokens[number].end <= at:
            number += 1
        token = tokens[number] if number < len(tokens) and tokens[number].start <= at else None
        start, end = _on_line(utf8, at, token.start, token.end) if token else _word(utf8, at)
        if last == (start, end):
            continue
        last = (start, end)
        rule = "identifier" if token is None else _rule(utf8, token, uses)
        before, after = _word(utf8, at)
        out.append(Found(start, end, "kept", rule, utf8[before:after].decode("utf-8", "replace")))
    return out


def _word(utf8: bytes, at: int) -> tuple[int, int]:
    """The identifier around an offset."""
    start = end = at
    while start and _WORD.match(utf8, start - 1):
        start -= 1
    while end < len(utf8) and _WORD.match(utf8, end):
        end += 1
    return start, end


def _on_line(utf8: bytes, at: int, start: int, end: int) -> tuple[int, int]:
    """The part of start..end that lies on the line of `at`."""
    first = max(start, utf8.rfind(b"\n", 0, at) + 1)
    newline = utf8.find(b"\n", at, end)
    last = end if newline < 0 else newline
    while first < at and utf8[first] in b" \t":
        first += 1
    return first, last if utf8[last - 1] != 0x0D else last - 1


def _rule(utf8: bytes, token: Token, uses: dict[int, str]) -> str:
    if token.kind == "comment":
        return "comment"
    known = uses.get(token.start)
    if known:
        return known
    body = utf8[token.body_start : token.body_end]
    if body.startswith(b"-"):
        return "flag"
    return "path" if _FILE.fullmatch(body) else "text"
