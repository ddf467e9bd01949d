"""What two versions of a text differ in: times, order, numbers, temporary folders, the way numbers are written."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from portside.diff.text import printable
from portside.verify.cause import Cause, Window

_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_CLOCK = r"[0-2]?\d:[0-5]\d(?::[0-6]\d(?:[.,]\d+)?)?(?: ?[AP]M)?"
_ZONE = r"(?: ?(?:Z|UTC|GMT|[A-Z]{3,4}|[+-]\d\d:?\d\d)\b)?"
TIME = re.compile(
    rf"(?:{_DAY},? )?{_MONTH} {{1,2}}\d{{1,2}},? (?:{_CLOCK}{_ZONE}(?: \d{{4}})?|\d{{4}}(?: {_CLOCK}{_ZONE})?)"
    rf"|(?:{_DAY},? )?\d{{1,2}}[ -]{_MONTH}[ -]\d{{4}}(?: {_CLOCK}{_ZONE})?"
    rf"|\b\d{{4}}-\d\d-\d\d(?:[T ]{_CLOCK}{_ZONE})?"
    rf"|\b\d{{1,2}}[/.]\d{{1,2}}[/.](?:\d{{4}}|\d\d)\b(?: {_CLOCK})?"
    r"|\b(?:19|20)\d\d[01]\d[0-3]\d(?:[T_-]?[0-2]\d[0-5]\d[0-5]\d)?Z?\b"
    rf"|\b{_CLOCK}\b"
)
"""Dates and times of day as date(1), RFC 5322, ISO 8601 and common log formats write them."""

_NUMBER = re.compile(r"\b\d{10,19}\b(?:\.\d+)?")
_TEMPORARY = re.compile(r"(?:/[\w.+-]+)*/(?:tmp|temp|work|build|cache)[\w.+-]*(?:/[\w.+-]+)*", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z0-9_]+")
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_HOSTS = ("buildkitsandbox",)
_FEW = 60


def text_causes(left: str, right: str, window: Window) -> list[Cause]:
    """The likely causes why two texts differ; at least one."""
    if left == right:
        return []
    if cause := _reordered(left, right):
        return [cause]
    found: list[Cause] = []
    masked = []
    for text in (left, right):
        masked.append(_NUMBER.sub(lambda match: _mask_seconds(match, window), TIME.sub("\0time", text)))
    before, after = masked
    if _differ_in(left, right, before, after, "\0time"):
        found.append(Cause("time", _times(left, right, window)))
    if before == after:
        return found or [Cause("unknown", "the texts differ")]
    if cause := _reordered(before, after):
        return [*found, cause]
    return [*found, *_rest(before, after)] or [Cause("unknown", "the texts differ")]


def _mask_seconds(match: "re.Match[str]", window: Window) -> str:
    digits = match[0].partition(".")[0]
    # Seconds, milliseconds, microseconds or nanoseconds since 1970.
    seconds = int(digits) / 10 ** {13: 3, 16: 6, 19: 9}.get(len(digits), 0)
    return "\0time" if seconds in window else match[0]


def _differ_in(left: str, right: str, before: str, after: str, mask: str) -> bool:
    """Whether masking brought the texts nearer to each other, or hid all that differed."""
    return mask in before and mask in after and (before == after or _distance(left, right) > _distance(before, after))


def _distance(left: str, right: str) -> int:
    """Lines that only one of the texts has."""
    a, b = Counter(left.splitlines()), Counter(right.splitlines())
    return (a - b).total() + (b - a).total()


def _times(left: str, right: str, window: Window) -> str:
    def found(text: str) -> list[str]:
        numbers = [m[0] for m in _NUMBER.finditer(text) if _mask_seconds(m, window) != m[0]]
        return [match[0] for match in TIME.finditer(text)] + numbers

    pairs = [(a, b) for a, b in zip(found(left), found(right), strict=False) if a != b]
    return _pairs(pairs) if pairs else "it holds times"


def _reordered(left: str, right: str) -> Cause | None:
    """The same lines, or the same words of one line, in another order."""
    a, b = left.splitlines(), right.splitlines()
    if Counter(a) == Counter(b) and a != b:
        if _collated(a, b) or _collated(b, a):
            return Cause(
                "locale", f"the same {len(a)} lines, sorted by bytes in one build and by a language's rules else"
            )
        moved = sum(x != y for x, y in zip(a, b, strict=True))
        return Cause("order", f"the same {len(a)} lines, {moved} of them in another place")
    if len(a) != len(b):
        return None
    words = moved = 0
    for x, y in zip(a, b, strict=True):
        if x != y:
            one, other = re.findall(r"[^\s,;:=\[\]{}()]+", x), re.findall(r"[^\s,;:=\[\]{}()]+", y)
            if len(one) < 2 or Counter(one) != Counter(other):
                return None
            words += len(one)
            moved += 1
    return Cause("order", f"the same {words} words in another order, in {moved} lines") if moved else None


def _collated(left: Sequence[str], right: Sequence[str]) -> bool:
    by_language = sorted(right, key=lambda line: (line.casefold(), line.swapcase()))
    return list(left) == sorted(left) and [line.casefold() for line in right] == [x.casefold() for x in by_language]


def _rest(left: str, right: str) -> list[Cause]:
    """What is left when times are masked: line by line, each cause once."""
    found: dict[str, list[tuple[str, str]]] = {}
    a, b = left.splitlines(), right.splitlines()
    if len(a) != len(b):
        gone, new = list((Counter(a) - Counter(b)).elements()), list((Counter(b) - Counter(a)).elements())
        if len(gone) != len(new):
            return [Cause("unknown", f"{len(a)} lines in one build, {len(b)} in the other")]
        a, b = gone, new
    for one, other in zip_longest(a, b, fillvalue=""):
        if one != other:
            kind, pair = _line_cause(one, other)
            found.setdefault(kind, []).append(pair)
    return [_cause(kind, pairs) for kind, pairs in found.items()]


def _cause(kind: str, pairs: Iterable[tuple[str, str]]) -> Cause:
    evidence = _pairs(pairs)
    if kind == "random":
        return Cause("random", f"{evidence}: a random number, a process ID or an address")
    if kind == "locale":
        return Cause("locale", f"{evidence}: numbers are written by another language's rules")
    if kind == "host":
        return Cause("host", evidence)
    if kind == "path":
        return Cause("path", evidence)
    return Cause("unknown", evidence)


def _line_cause(left: str, right: str) -> tuple[str, tuple[str, str]]:
    for name in _HOSTS:
        if (name in left) != (name in right):
            return "host", (left, right)
    if left.replace(",", ".") == right.replace(",", ".") and re.search(r"\d[.,]\d", left):
        return "locale", (left, right)
    paths = _TEMPORARY.findall(left), _TEMPORARY.findall(right)
    if all(paths) and _TEMPORARY.sub("", left) == _TEMPORARY.sub("", right):
        return "path", next(pair for pair in zip(*paths, strict=False) if pair[0] != pair[1])
    if _UUID.sub("", left) == _UUID.sub("", right):
        return "random", (_first(_UUID, left), _first(_UUID, right))
    if _WORD.sub("", left) == _WORD.sub("", right):
        pairs = [(x, y) for x, y in zip(_WORD.findall(left), _WORD.findall(right), strict=False) if x != y]
        if pairs and all(_looks_random(x) and _looks_random(y) for x, y in pairs):
            return "random", pairs[0]
    # Base64 and the like: a long word with no spaces, the same length, hardly anything in common.
    if len(left) == len(right) >= 8 and " " not in left.strip() and _unlike(left, right):
        return "random", (left, right)
    return "unknown", (left, right)


def _looks_random(word: str) -> bool:
    """A number, hexadecimal digits, or letters and digits mixed as no word is."""
    if word.isdigit() or re.fullmatch(r"(?:0x)?[0-9a-fA-F]{4,}", word):
        return True
    return len(word) >= 6 and bool(re.search(r"\d", word)) and bool(re.search(r"[A-Za-z]", word))


def _unlike(left: str, right: str) -> bool:
    return sum(x == y for x, y in zip(left, right, strict=True)) * 4 < len(left)


def _first(pattern: "re.Pattern[str]", text: str) -> str:
    match = pattern.search(text)
    return match[0] if match else text


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    some = list(pairs)
    text = "; ".join(f"'{_short(left)}' and '{_short(right)}'" for left, right in some[:2])
    return text if len(some) <= 2 else f"{text}; and {len(some) - 2} more"


def _short(text: str) -> str:
    text = printable(text.replace("\0time", "…"))
    return text if len(text) <= _FEW else f"{text[:_FEW]}…"
