"""Files that are not Python: environment variables, requirements and kernels by their rules, and what else names the
device in scripts, configuration and notebooks."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from portside.migrate.precise.compiled import NewName, Rules, places
from portside.migrate.precise.file_kind import FileKind
from portside.migrate.precise.found import Found
from portside.migrate.precise.lexer import NotLexed
from portside.migrate.precise.notebook import Code, broken_cells
from portside.migrate.precise.python import GRAMMAR, SYNTAX_RULE, Judged, edits_of, hits, judge, outermost, room
from portside.migrate.precise.signatures import Signatures
from portside.migrate.precise.source import Edit, Lines, apply
from portside.migrate.precise.words import Spans, device_words, inside, report_only
from portside.migrate.report.hits import FileReport, Hit

_COMMENT = re.compile(rb"(?:^|(?<=[\s;]))#[^\r\n]*", re.MULTILINE)
_WITHOUT_COMMENTS = re.compile(r"(?i).*\.(?:json|ipynb)")
_REPORTED: dict[FileKind, str] = {"code": "other-code", "document": "document"}


def migrate_text(
    path: str, data: bytes, rules: Rules, kind: FileKind, signatures: Signatures
) -> tuple[bytes, FileReport | None]:
    """The migrated bytes of a file that is not Python, and the report if there is any hit."""
    found = [*_by_name(path, rules), *_requirements(path, data, rules)]
    asked: frozenset[str] = frozenset()
    if kind == "notebook":
        judged = _notebook(path, data, rules, signatures)
        found, asked = [*found, *judged.found], judged.asked
    elif kind in _REPORTED:
        if not any(item.cls != "kept" for item in found):
            found += report_only(data, rules, _REPORTED[kind])
    elif kind == "configuration":
        found += _configuration(path, data, rules, _spans(found))
    if not found:
        return data, None
    found = outermost(found)
    new = apply(data, edits_of(found))
    return new, FileReport(path, "edited" if new != data else "unchanged", _hits(found, data), asked=asked)


def python_extras(path: str, data: bytes, rules: Rules) -> list[Hit]:
    """Requirements in a Python file (setup.py)."""
    return _hits(list(_requirements(path, data, rules)), data)


def _hits(found: list[Found], data: bytes) -> list[Hit]:
    """The report's hits; an empty place without edits is the file itself."""
    if not found:
        return []
    whole = [item for item in found if item.start == item.end and not item.edits]
    places_of = [item for item in found if item not in whole]
    files = [Hit(item.cls, item.rule, 0, 0, item.name, "", "", 0, item.note, item.guard) for item in whole]
    return [*files, *hits(places_of, Lines(data))]


def _spans(found: Iterable[Found]) -> list[tuple[int, int]]:
    return sorted((item.start, item.end) for item in found if item.end > item.start)


def by_name(path: str, rules: Rules) -> bool:
    """Whether a rule is for the file as such."""
    return any(_by_name(path, rules))


def _by_name(path: str, rules: Rules) -> Iterator[Found]:
    for pattern, target in rules.files:
        if pattern.match(path):
            yield Found(0, 0, target.cls, target.rule, path)


def _requirements(path: str, data: bytes, rules: Rules) -> Iterator[Found]:
    for pattern, line, target in rules.requirements:
        if pattern.match(path):
            for match in line.finditer(data):
                if data[data.rfind(b"\n", 0, match.start()) + 1 : match.start()].lstrip().startswith(b"#"):
                    continue
                yield Found(match.start(), match.end(), target.cls, target.rule, match[0].decode("ascii", "replace"))


def _configuration(path: str, data: bytes, rules: Rules, covered: Spans) -> Iterator[Found]:
    prose = _WITHOUT_COMMENTS.fullmatch(path) is not None
    comments = [] if prose else [match.span() for match in _COMMENT.finditer(data)]
    variables = list(_variables(path, data, rules, comments))
    yield from variables
    words = device_words(data, rules, comments, sorted([*covered, *_spans(variables)]), prose)
    required = next((target for pattern, _, target in rules.requirements if pattern.match(path)), None)
    for found in words:
        is_name = required is not None and found.cls == "kept" and found.rule in ("identifier", "text")
        yield replace(found, cls=required.cls, rule=required.rule) if required is not None and is_name else found


def _variables(path: str, data: bytes, rules: Rules, comments: Spans) -> Iterator[Found]:
    """Environment variables, in files that the rules for them name."""
    variables: dict[str, NewName] = {}
    for pattern, table in rules.variable_files:
        if pattern.match(path):
            variables.update(table)
    names = [name for name in variables if name.encode() in data]
    if not names:
        return
    for match in re.finditer(rb"(?<![A-Za-z0-9_])(?:%s)(?![A-Za-z0-9_])" % "|".join(names).encode(), data):
        start, end = match.span()
        name = match[0].decode()
        target = variables[name]
        if inside(comments, start):
            yield Found(start, end, "kept", "comment", name)
        else:
            edits = (Edit(start, end, target.to.encode()),) if target.cls == "rewritten" else ()
            yield Found(start, end, target.cls, target.rule, name, edits)


def _notebook(path: str, data: bytes, rules: Rules, signatures: Signatures) -> Judged:
    """What the code cells say; of what is no Python in them, what configuration would say; the rest is for people."""
    code = Code(data)
    judged, broken = _cells(code, rules, signatures), frozenset[int]()
    if judged is None:
        broken = broken_cells(code, GRAMMAR)
        code = Code(data, broken)
        judged = _cells(code, rules, signatures) or Judged([], "", frozenset())
    found = [code.in_file(item) for item in judged.found]
    new = apply(data, edits_of(found))
    if not _is_json(new) and _is_json(data):
        found = [replace(item, cls="needs-person", edits=()) for item in found if item.start < item.end]
    for start, end in code.other:
        text = data[start:end].replace(b"\\n", b" \n")
        variables = list(_variables(path, text, rules, ()))
        words = device_words(text, rules, (), _spans(variables), prose=False)
        found += [_shifted(item, start) for item in (*variables, *words)]
    whole = Code(data)
    for number in sorted(broken):
        first, last = whole.cells[number]
        start, end = whole.start(first), whole.end(last)
        found += [_shifted(item, start) for item in report_only(data[start:end], rules, SYNTAX_RULE)]
    spans = sorted((code.start(first), code.end(last)) for first, last in code.cells if last > first)
    for start, end in _between(spans, len(data)):
        texts = [_shifted(item, start) for item in report_only(data[start:end], rules, "notebook-text")]
        if texts:
            return Judged([*found, *texts], judged.summary, judged.asked)
    return Judged(found, judged.summary, judged.asked)


def _cells(code: Code, rules: Rules, signatures: Signatures) -> Judged | None:
    """What a notebook's program says; None where it is no Python."""
    marked = places(rules, code.utf8)
    if not marked:
        return Judged([], "", frozenset())
    try:
        with room():
            return judge(code.utf8, rules, marked, signatures=signatures)
    except (NotLexed, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _between(spans: Spans, end: int) -> Iterator[tuple[int, int]]:
    at = 0
    for start, last in spans:
        yield at, start
        at = last
    yield at, end


def _shifted(found: Found, by: int) -> Found:
    edits = tuple(Edit(edit.start + by, edit.end + by, edit.new) for edit in found.edits)
    return replace(found, start=found.start + by, end=found.end + by, edits=edits)


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True
