"""Devices and backends in files that are no Python: rewritten where a value says what it is, reported everywhere else.

A file that holds one of the ruleset's words is never without a hit.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace

from portside.migrate.precise.compiled import NewName, Rules
from portside.migrate.precise.contexts import named_use
from portside.migrate.precise.found import Found
from portside.migrate.precise.source import Edit, find_all
from portside.migrate.report.hits import HitClass, RuleInfo

WORD_RULES = {
    "other-code": RuleInfo(
        "code in another language, or a template",
        "precise mode reads Python; here it only sees that the device is named",
        "Look at the places; change them with a patch step.",
    ),
    "base-image": RuleInfo(
        "an image for CUDA",
        "what is built on it has CUDA's libraries and not the card's",
        "Name an image with the card's framework, by a patch step.",
    ),
    "document": RuleInfo("document kept", "it is for people to read"),
}
MOST = 20
"""Places of one rule that are kept and shown, in one such file; the last one says how many more there are."""

_KEY = re.compile(rb"""(?:^|[\s{,;(\[&|])(["']?)(?:--?)?([A-Za-z_][\w.-]*)\1[ \t]*[:=][ \t]*["']?\Z""")
_OPTION = re.compile(rb"""(?<![\w-])--?([A-Za-z][\w.-]*)(?:=|[ \t]+|["'][ \t]*,[ \t]*(?=["']))["']?\Z""")
_CONTEXT = 200
"""Bytes before a word that are looked at for what it is the value of."""
_INDEX = re.compile(rb":\d+(?![\w.])")
_IS_KEY = re.compile(rb"""["']?[ \t]*:(?![\d:/])""")
_IMAGE = re.compile(rb"(?i)[ \t]*(?:-[ \t]*)?(?:FROM[ \t]|(?:base_?)?image[ \t]*[:=])")
_BYTE = re.compile(rb"[A-Za-z0-9_]")
_GLUE = b"./@%+-:\\"
"""Beside one of these a word is a piece of a path, an address, a version or a longer name."""

Spans = Sequence[tuple[int, int]]


def report_only(data: bytes, rules: Rules, rule: str) -> Iterator[Found]:
    """One place, the first, for a file whose words are not judged one by one."""
    places = _places(data, rules)
    if places:
        start, end = _word(data, places[0])
        cls: HitClass = "kept" if rule in ("document", "notebook-text") else "needs-person"
        more = f"{len(places)} places in this file name the device." if len(places) > 1 else ""
        yield Found(start, end, cls, rule, data[start:end].decode("ascii"), note=more)


def device_words(data: bytes, rules: Rules, comments: Spans, covered: Spans, prose: bool) -> list[Found]:
    """What a script or configuration says of the device. comments, covered: sorted spans of text without effect, and of
    what other rules have judged. prose: a word inside a longer text is no argument (JSON)."""
    found = _programs(data, rules, comments)
    end = -1
    for at in _places(data, rules):
        if at >= end and not inside(covered, at):
            found.append(_judge(data, at, rules, inside(comments, at), prose))
            end = found[-1].end
    return _limited(sorted(found, key=lambda item: item.start))


def _programs(data: bytes, rules: Rules, comments: Spans) -> list[Found]:
    out: list[Found] = []
    for name, target in rules.programs.items():
        pattern = re.compile(rb"(?<![\w.-])%s(?![\w.-])" % re.escape(name.encode()))
        places = [match.span() for match in pattern.finditer(data)] if name.encode() in data else []
        out += [Found(*span, target.cls, target.rule, name) for span in places if not inside(comments, span[0])]
    return out


def inside(spans: Spans, at: int) -> bool:
    """Whether one of the sorted spans, none of which overlap, holds an offset."""
    number = bisect_right(spans, at, key=lambda span: span[0]) - 1
    return number >= 0 and spans[number][0] <= at < spans[number][1]


def _places(data: bytes, rules: Rules) -> list[int]:
    return sorted({at for word in rules.words for at in find_all(data, word)})


def _judge(data: bytes, at: int, rules: Rules, comment: bool, prose: bool) -> Found:
    start, end = _word(data, at)
    name = data[start:end].decode("ascii")
    target = rules.devices.get(name) or rules.backends.get(name)
    if comment:
        return Found(start, end, "kept", "comment", name)
    index = _INDEX.match(data, end) if name in rules.devices else None
    if _IMAGE.match(data, data.rfind(b"\n", 0, start) + 1):
        return Found(start, end, "needs-person", "base-image", name)
    if target is None or _glued(data, start, index.end() if index else end):
        return Found(start, end, "kept", "identifier" if target is None else "text", name)
    if index is None and _IS_KEY.match(data, end):
        return Found(start, end, "kept", "key", name)
    return _value(data, start, end, index, rules, target, prose)


def _value(
    data: bytes, start: int, end: int, index: re.Match[bytes] | None, rules: Rules, target: NewName, prose: bool
) -> Found:
    """A word that stands alone: what the key or option before it says."""
    line = data.rfind(b"\n", 0, start) + 1
    before = data[max(line, start - _CONTEXT) : start]
    name = data[start:end].decode("ascii")
    match = _OPTION.search(before) or _KEY.search(before)
    use = named_use(match[match.lastindex or 0].decode().replace("-", "_").rpartition(".")[2]) if match else None
    sure = use == ("device" if name in rules.devices else "backend")
    sure = sure or (index is not None and match is None and not prose)
    stop = index.end() if index is not None else end
    whole = data[start - 1 : start] in (b'"', b"'") and data[stop : stop + 1] == data[start - 1 : start]
    if sure and (whole or not prose):
        last = stop if rules.drop_index else end
        return Found(start, stop, "rewritten", target.rule, name, (Edit(start, last, target.to.encode()),))
    if prose and not whole:
        return Found(start, end, "kept", "text", name)
    kind = "a device" if name in rules.devices else "a backend"
    return Found(
        start, stop, "needs-person", target.rule, name, note=f"If this is {kind}, write {target.to!r} by hand."
    )


def _glued(data: bytes, start: int, end: int) -> bool:
    """Whether a word is a piece of a longer one."""
    before, after = data[start - 1 : start], data[end : end + 1]
    ends_sentence = after in (b".", b":") and not data[end + 1 : end + 2].strip()
    return (before in _GLUE if before else False) or (bool(after) and after in _GLUE and not ends_sentence)


def _word(data: bytes, at: int) -> tuple[int, int]:
    start = end = at
    while start and _BYTE.match(data, start - 1):
        start -= 1
    while end < len(data) and _BYTE.match(data, end):
        end += 1
    return start, end


def _limited(found: list[Found]) -> list[Found]:
    """Without what is kept beyond the first places of a rule, whose last one says so."""
    out: list[Found] = []
    by_rule: dict[str, list[int]] = {}
    for item in found:
        places = by_rule.setdefault(item.rule if item.cls == "kept" else "", [])
        places.append(len(out))
        if item.cls != "kept" or len(places) <= MOST:
            out.append(item)
    for rule, places in by_rule.items():
        if rule and len(places) > MOST:
            last = places[MOST - 1]
            out[last] = replace(out[last], note=f"And {len(places) - MOST} more places of this kind in this file.")
    return out
