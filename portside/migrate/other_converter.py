"""What another converter's result has different, line by line, each with the class of the hit that accounts for it."""

from portside.common.tree import Entry, Tree
from portside.migrate.report.diff import rows
from portside.migrate.report.hits import Difference, FileReport, Hit, HitClass, Report, RuleInfo

NO_IMPORT = "no-import-needed"
UNACCOUNTED = "unaccounted"

_INFO = {
    NO_IMPORT: RuleInfo("no import needed", "the module uses nothing of the device"),
    UNACCOUNTED: RuleInfo("no hit accounts for this", "", "Look at the line: no rule saw it."),
}
_ORDER: tuple[HitClass, ...] = ("unsupported", "needs-person", "kept", "patched", "rewritten")

_Lines = dict[int, tuple[str, ...]]


def compare(source: Tree, other: Tree, ours: Tree, report: Report) -> list[Difference]:
    """Every line in which the Python files of `other` and `ours` (made from `source`, at the same paths) differ.

    White space around a line does not count. `report` is that of `ours`; it gets the differences and the rules
    that explain them.
    """
    out: list[Difference] = []
    for entry in source.files():
        theirs, mine = other.get(entry.path), ours.get(entry.path)
        if entry.path.endswith(".py") and theirs is not None and theirs.kind == "file" and mine is not None:
            out += _file(entry, theirs, mine, report.files.get(entry.path))
    report.rules.update({item.rule: _INFO[item.rule] for item in out if item.rule in _INFO})
    report.comparison = out
    return out


def _file(source: Entry, theirs: Entry, mine: Entry, file: FileReport | None) -> list[Difference]:
    before, vendor, new = source.read(), theirs.read(), mine.read()
    if vendor == new:
        return []
    one, other = _changes(before, vendor), _changes(before, new)
    hits: dict[int, list[Hit]] = {}
    for hit in file.hits if file is not None else ():
        hits.setdefault(hit.line, []).append(hit)
    return [
        _difference(source.path, line, one.get(line), other.get(line), hits)
        for line in sorted({*one, *other})
        if one.get(line) != other.get(line)
    ]


def _changes(before: bytes, after: bytes) -> _Lines:
    """Changed line of the source -> the lines in its place; what is added belongs to the line above it."""
    out: dict[int, list[str]] = {}
    last = 0
    for row in rows(before, after):
        last = row.old_line or last
        if row.kind != "same":
            texts = out.setdefault(last, [])
            if row.kind == "added" and not texts:
                texts.append(_ABOVE)
            if row.new_line:
                texts.append(row.new.strip())
    return {line: tuple(texts) for line, texts in out.items()}


_ABOVE = ""
"""Stands for the unchanged line above an added one."""


def _difference(
    path: str, line: int, vendor: tuple[str, ...] | None, ours: tuple[str, ...] | None, hits: dict[int, list[Hit]]
) -> Difference:
    found = sorted(hits.get(line or 1) or hits.get(0, []), key=lambda hit: _ORDER.index(hit.cls))
    cls, rule = (found[0].cls, found[0].rule) if found else ("needs-person", UNACCOUNTED)
    if not found and vendor is not None and vendor[:1] == (_ABOVE,) and ours is None:
        cls, rule = _import_elsewhere(hits)
    return Difference(path, line, cls, rule, _shown(vendor), _shown(ours))


def _import_elsewhere(hits: dict[int, list[Hit]]) -> tuple[HitClass, str]:
    """The other converter added an import here: ours stands at another place, or none is needed."""
    placed = [hit for found in hits.values() for hit in found if hit.rule == "import-module"]
    return ("rewritten", "import-module") if placed else ("kept", NO_IMPORT)


def _shown(texts: tuple[str, ...] | None) -> str | None:
    if texts is None:
        return None
    return "\n".join(text for text in texts if text)
