"""What report.html draws: every place with the lines around it, as compact as JSON can say it.

A page of 10,000 places would be 15 MB of table cells, so the page's script makes them, and only those that are looked
at.
"""

import json
from collections import defaultdict
from typing import Any

from portside.common.tree import Tree
from portside.migrate.report.diff import Row, rows, split_lines
from portside.migrate.report.hits import CLASSES, FileReport, Hit, Report, RuleInfo

_CONTEXT = (3, 1)
"""Unchanged lines shown around a place, in a small report and in one of more than _SMALL places; around what is kept
there are none."""

_SMALL = 2000

KINDS = ("same", "changed", "added", "removed")
_LONGEST = 500
"""Characters of a line that are shown."""


class _Numbers:
    """Texts that come again and again, each once."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._number: dict[str, int] = {}

    def __getitem__(self, text: str) -> int:
        if text not in self._number:
            self._number[text] = len(self.texts)
            self.texts.append(text)
        return self._number[text]


def page_data(report: Report, before: Tree | None, after: Tree | None) -> str:
    """JSON for a script element: it holds no `<`.

    classes, kinds: names, by number. texts: rules, names, notes, guards and lines, by number. rules: id -> [title, why,
    advice]. files: [path, state, reason, summary, hunks]. A hunk is [line before, line after, rows, hits], its lines
    those of its first row. A row that is the same on both sides is the number of its text, any other
    [kind, text before, text after], without the last where the hits of the row lead from one to the other. A hit is
    [row, class, rule, name, column, text before, text after, note, guard], texts by number, without its end as far as
    that says nothing: the text after is the one before, there is no note and no guard.
    """
    numbers = _Numbers()
    around = _CONTEXT[sum(1 for _ in report.hits()) > _SMALL]
    files = [_file(file, numbers, before, after, around) for _, file in sorted(report.files.items())]
    used = {hit.rule for _, hit in report.hits()}
    infos = {rule: report.rules.get(rule, RuleInfo(rule)) for rule in sorted(used)}
    data = {
        "classes": CLASSES,
        "kinds": KINDS,
        "texts": numbers.texts,
        "rules": {rule: [info.title, info.why, info.advice] for rule, info in infos.items()},
        "files": files,
    }
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _file(file: FileReport, numbers: _Numbers, before: Tree | None, after: Tree | None, around: int) -> list[Any]:
    whole = [_hit(0, hit, numbers) for hit in file.hits if not hit.line]
    hunks: list[list[Any]] = [[0, 0, [], whole]] if whole else []
    for hunk in _hunks(file, before, after, around):
        first = hunk[0][0]
        lines = [_row(row, hits, numbers) for row, hits in hunk]
        hits = [_hit(at, hit, numbers) for at, (_, found) in enumerate(hunk) for hit in found]
        hunks.append([first.old_line, first.new_line, lines, hits])
    return [file.path, file.state, file.reason, file.summary, hunks]


def _row(row: Row, hits: list[Hit], numbers: _Numbers) -> Any:
    if row.kind == "same":
        return numbers[row.old[:_LONGEST]]
    out = [KINDS.index(row.kind), numbers[row.old[:_LONGEST]], numbers[row.new[:_LONGEST]]]
    return out[:2] if row.kind == "changed" and applied(row.old, hits) == row.new and len(row.old) < _LONGEST else out


def applied(line: str, hits: list[Hit]) -> str | None:
    """A line after what the hits on it changed; None where they do not say it."""
    out, at = "", 0
    for hit in sorted(hits, key=lambda hit: hit.column):
        start = hit.column - 1
        if hit.before == hit.after:
            continue
        if start < at or line[start : start + len(hit.before)] != hit.before or "\n" in hit.before + hit.after:
            return None
        out, at = out + line[at:start] + hit.after, start + len(hit.before)
    return out + line[at:]


def _hit(at: int, hit: Hit, numbers: _Numbers) -> list[Any]:
    first = [text.splitlines()[0][:_LONGEST] if text else "" for text in (hit.before, hit.after)]
    texts = [hit.rule, hit.name, *first, hit.note, hit.guard]
    rule, name, before, after, note, guard = (numbers[text] for text in texts)
    out = [at, CLASSES.index(hit.cls), rule, name, hit.column, before, after, note, guard]
    empty = numbers[""]
    while len(out) > 7 and out[-1] == empty:
        out.pop()
    return out[:6] if len(out) == 7 and before == after else out


def _hunks(file: FileReport, before: Tree | None, after: Tree | None, around: int) -> list[list[tuple[Row, list[Hit]]]]:
    placed = [hit for hit in file.hits if hit.line]
    old = before.get(file.path) if before is not None else None
    new = after.get(file.path) if after is not None else None
    if old is None or new is None or old.content is None or new.content is None:
        return [[(_own_row(hit), [hit])] for hit in placed]
    data, result = old.read(), new.read()
    if data != result:
        return _cut(rows(data, result), placed, around)
    lines = split_lines(data)
    wanted = {line for hit in placed for line in range(hit.line - around, hit.line + around + 1)}
    table = [
        Row("same", line, lines[line - 1], line, lines[line - 1]) for line in sorted(wanted) if 0 < line <= len(lines)
    ]
    return _cut(table, placed, around)


def _own_row(hit: Hit) -> Row:
    if hit.before == hit.after:
        return Row("same", hit.line, hit.before, hit.new_line, hit.after)
    kind = KINDS[1] if hit.before else KINDS[2]
    old_line = hit.line if hit.before else 0
    return Row(kind, old_line, hit.before, hit.new_line if hit.after else 0, hit.after)  # type: ignore[arg-type]


def _cut(table: list[Row], hits: list[Hit], context: int) -> list[list[tuple[Row, list[Hit]]]]:
    """The rows with hits or changes and a few around each; a hit goes to the row of its line."""
    of_old: dict[int, list[Hit]] = defaultdict(list)
    of_new: dict[int, list[Hit]] = defaultdict(list)
    for hit in hits:
        if hit.cls == "patched" or not hit.before:
            of_new[hit.new_line].append(hit)
        else:
            of_old[hit.line].append(hit)
    out: list[list[tuple[Row, list[Hit]]]] = []
    last = -1
    for at, row in enumerate(table):
        here = [*of_old.get(row.old_line, ()), *of_new.get(row.new_line, ())]
        if row.kind == "same" and not here:
            continue
        around = 0 if row.kind == "same" and all(hit.cls == "kept" for hit in here) else context
        first = max(last + 1, at - around)
        if first == len(table):
            continue
        if first > at:
            first = at
        if not out or first > last + 1 or (last >= 0 and _jumps(table[last], table[first])):
            out.append([])
        for place in range(max(first, last + 1), min(len(table), at + around + 1)):
            shown = table[place]
            of_row = [*of_old.pop(shown.old_line, ()), *of_new.pop(shown.new_line, ())]
            out[-1].append((shown, of_row))
            last = place
    left = [hit for found in (*of_old.values(), *of_new.values()) for hit in found]
    return (
        [*(hunk for hunk in out if hunk), [(_own_row(hit), [hit]) for hit in left]] if left else [h for h in out if h]
    )


def _jumps(row: Row, following: Row) -> bool:
    """Whether lines are missing between two rows of a table that holds only some lines."""
    return row.kind == following.kind == "same" and following.new_line > row.new_line + 1
