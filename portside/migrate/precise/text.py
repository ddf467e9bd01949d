"""Files that are not Python: environment variables in scripts, configuration and notebooks; requirements; kernels."""

import re
from bisect import bisect_right
from collections.abc import Iterator

from portside.migrate.precise.compiled import NewName, Rules
from portside.migrate.precise.found import Found
from portside.migrate.precise.source import Edit, Lines, apply
from portside.migrate.report.hits import FileReport, Hit

_COMMENT = re.compile(rb"(?:^|(?<=[\s;]))#[^\r\n]*", re.MULTILINE)
_WITH_COMMENTS = re.compile(
    r"(?i).*\.(?:sh|bash|zsh|slurm|sbatch|ya?ml|toml|cfg|ini|env|mk|txt|dockerfile)|.*/?(?:\.env|Makefile|Dockerfile[^/]*)"
)
_JSON = re.compile(rb'"(?:[^"\\]|\\.)*"?|[][{},:]|[^\s"\][{},:]+', re.DOTALL)


def concerns(rules: Rules, path: str) -> bool:
    """Whether any rule looks at the file at `path`, Python or not."""
    return any(
        pattern.match(path) is not None
        for pattern in (
            *(pattern for pattern, _ in rules.variable_files),
            *(pattern for pattern, _ in rules.files),
            *(pattern for pattern, _, _ in rules.requirements),
        )
    )


def migrate_text(path: str, data: bytes, rules: Rules) -> tuple[bytes, FileReport | None]:
    """The migrated bytes of a file that is not Python, and the report if there is any hit."""
    found = list(_found(path, data, rules))
    if not found:
        return data, None
    found.sort(key=lambda item: (item.start, item.end))
    lines = Lines(data)
    new = apply(data, [edit for item in found for edit in item.edits])
    out = [_hit(item, lines, data) for item in found]
    return new, FileReport(path, "edited" if new != data else "unchanged", out)


def python_extras(path: str, data: bytes, rules: Rules) -> list[Hit]:
    """Requirements in a Python file (setup.py)."""
    found = list(_requirements(path, data, rules))
    lines = Lines(data) if found else Lines(b"")
    return [_hit(item, lines, data) for item in found]


def _hit(item: Found, lines: Lines, data: bytes) -> Hit:
    before = data[item.start : item.end].decode("utf-8", "replace")
    after = item.edits[0].new.decode() if item.edits else before
    whole = item.start == item.end
    line, column = (0, 0) if whole else (lines.line(item.start), lines.column(item.start))
    return Hit(item.cls, item.rule, line, column, item.name, before, after, line, item.note)


def _found(path: str, data: bytes, rules: Rules) -> Iterator[Found]:
    for pattern, target in rules.files:
        if pattern.match(path):
            yield Found(0, 0, target.cls, target.rule, path)
    yield from _requirements(path, data, rules)
    variables: dict[str, NewName] = {}
    for pattern, table in rules.variable_files:
        if pattern.match(path):
            variables.update(table)
    names = [name for name in variables if name.encode() in data]
    if names:
        yield from _variables(path, data, variables, names)


def _requirements(path: str, data: bytes, rules: Rules) -> Iterator[Found]:
    for pattern, line, target in rules.requirements:
        if pattern.match(path):
            for match in line.finditer(data):
                if data[data.rfind(b"\n", 0, match.start()) + 1 : match.start()].lstrip().startswith(b"#"):
                    continue
                yield Found(match.start(), match.end(), target.cls, target.rule, match[0].decode("ascii", "replace"))


def _variables(path: str, data: bytes, variables: dict[str, NewName], names: list[str]) -> Iterator[Found]:
    pattern = re.compile(rb"(?<![A-Za-z0-9_])(?:%s)(?![A-Za-z0-9_])" % "|".join(names).encode())
    commented = [match.span() for match in _COMMENT.finditer(data)] if _WITH_COMMENTS.fullmatch(path) else []
    allowed = _notebook_code(data) if path.endswith(".ipynb") else None
    for match in pattern.finditer(data):
        start, end = match.span()
        name = match[0].decode()
        target = variables[name]
        if _inside(commented, start, end):
            yield Found(start, end, "kept", "comment", name)
        elif allowed is not None and not _inside(allowed, start, end):
            yield Found(start, end, "kept", "notebook-text", name)
        else:
            edits = (Edit(start, end, target.to.encode()),) if target.cls == "rewritten" else ()
            yield Found(start, end, target.cls, target.rule, name, edits)


def _inside(spans: list[tuple[int, int]], start: int, end: int) -> bool:
    """Whether one of the sorted spans, none of which overlap, holds start..end."""
    at = bisect_right(spans, start, key=lambda span: span[0]) - 1
    return at >= 0 and spans[at][0] <= start and end <= spans[at][1]


def _notebook_code(data: bytes) -> list[tuple[int, int]]:
    """The spans of the strings that are source of a notebook's code cells: `cells[].source` (format 4) and
    `worksheets[].cells[].input` (format 3) of cells whose `cell_type` is `code`; markdown and outputs are not."""
    spans: list[tuple[int, int]] = []
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
            if closed.is_object and closed.is_code:
                spans += closed.sources
            elif stack and not closed.is_object:
                stack[-1].sources += closed.sources if closed.parent in (b'"source"', b'"input"') else []
        elif text == b":" and stack:
            stack[-1].key, stack[-1].is_value = stack[-1].last, True
        elif text == b"," and stack:
            stack[-1].is_value = False
        elif stack:
            stack[-1].take(text, match.span())
    return sorted(spans)


class _Level:
    """An open object or array: `parent` is the key that it is the value of."""

    def __init__(self, is_object: bool, parent: bytes) -> None:
        self.is_object = is_object
        self.parent = parent
        self.key = b"" if is_object else parent
        self.last = b""
        self.is_value = False
        self.is_code = False
        self.sources: list[tuple[int, int]] = []

    def take(self, text: bytes, span: tuple[int, int]) -> None:
        """A string, number or word inside."""
        if not self.is_object or not self.is_value:
            self.last = text
            if not self.is_object and text.startswith(b'"'):
                self.sources.append(span)
        elif self.key == b'"cell_type"':
            self.is_code = text == b'"code"'
        elif self.key in (b'"source"', b'"input"') and text.startswith(b'"'):
            self.sources.append(span)
