"""report.html: one file without any outside reference, where a person reviews a port."""

from collections import defaultdict
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Literal

from portside.common.tree import Tree
from portside.migrate.report.diff import Row, rows, split_lines
from portside.migrate.report.hits import CLASSES, FileReport, Hit, Report, RuleInfo
from portside.migrate.report.markdown import AS_IT_WAS, GONE, HEADINGS, ONLY_PATCHES, compared

_HERE = Path(__file__).parent
_CONTEXT = 3
"""Unchanged lines shown around a place."""

_MEANING = {
    "rewritten": "changed by a rule",
    "kept": "left on purpose; the rule says why",
    "unsupported": "has no counterpart; a build stops here unless the recipe accepts it",
    "needs-person": "no rule can decide this; read the note",
    "patched": "changed by a patch step of the recipe",
}


def to_html(report: Report, before: Tree | None = None, after: Tree | None = None) -> bytes:
    """before, after: the source and the result (paths as in the report); without them only the places themselves
    are shown, not the lines around them."""
    counts = report.counts()
    files = [file for _, file in sorted(report.files.items())]
    parts = [_head(report, counts), _todo(report), '<div class="files" id="files">']
    for number, file in enumerate(files):
        parts.append(_file(number, file, report.rules, before, after))
    parts += ['<p class="none" id="none" hidden>No place matches the filters.</p></div>', _comparison(report)]
    page = (_HERE / "page.html").read_text(encoding="utf-8")
    for key, value in (
        ("TITLE", f"Migration to {escape(report.ruleset)}" if report.ruleset else ONLY_PATCHES),
        ("STYLE", (_HERE / "page.css").read_text(encoding="utf-8")),
        ("SCRIPT", (_HERE / "page.js").read_text(encoding="utf-8")),
        ("FILTERS", _filters(report, counts)),
        ("INDEX", _index(files)),
        ("BODY", "\n".join(parts)),
    ):
        page = page.replace(f"@@{key}@@", value, 1)
    return page.encode("utf-8", "replace")


def _head(report: Report, counts: dict[str, int]) -> str:
    strict = ", strict" if report.strict else ""
    if not report.ruleset:
        return (
            f"<header><h1>{ONLY_PATCHES}</h1>"
            f"<p><b>{counts['edits']}</b> edits in <b>{counts['files_edited']}</b> files</p></header>"
        )
    return (
        f"<header><h1>Migration with the ruleset {escape(report.ruleset)}</h1>"
        f"<p>{escape(report.mode)} mode{strict} · <b>{counts['edits']}</b> edits in <b>{counts['files_edited']}</b> of "
        f"{counts['files']} files ({counts['python_files']} Python) · {counts['files_left']} left as they were · "
        f'ruleset <code title="{report.digest}">{report.digest[:12]}</code></p></header>'
    )


def _filters(report: Report, counts: dict[str, int]) -> str:
    per_rule: dict[str, int] = defaultdict(int)
    for _, hit in report.hits():
        per_rule[hit.rule] += 1
    out = ["<fieldset><legend>Class</legend>"]
    for name in CLASSES:
        out.append(
            f'<label class="chip {name}" title="{_MEANING[name]}"><input type="checkbox" name="class" value="{name}" '
            f"checked> {HEADINGS[name]} <b>{counts[name]}</b></label>"
        )
    out.append('</fieldset><label>Rule <select id="rule"><option value="">all rules</option>')
    for rule, count in sorted(per_rule.items()):
        out.append(f'<option value="{escape(rule)}">{escape(rule)} ({count})</option>')
    out.append('</select></label><label>File <input id="path" type="search" placeholder="part of a path"></label>')
    return "".join(out)


def _index(files: list[FileReport]) -> str:
    items = []
    for number, file in enumerate(files):
        folder, _, name = file.path.rpartition("/")
        folder = f"<small><bdi>{escape(folder)}</bdi></small>" if folder else ""
        items.append(
            f'<li data-file="{number}"><a href="#f{number}" title="{escape(file.path)}">{folder}'
            f"<span>{escape(name)}</span></a><b></b></li>"
        )
    return "".join(items)


def _todo(report: Report) -> str:
    """What is unsupported or needs a person, by rule, with what to do about it."""
    found: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for _, hit in report.hits():
        if hit.cls in ("unsupported", "needs-person"):
            found[hit.cls, hit.rule][hit.name] += 1
    if not found:
        return ""
    out = ['<section class="todo"><h2>What is left to do</h2><table><thead><tr><th>Class</th><th>Rule</th>']
    out.append("<th>Found</th><th>What to do</th></tr></thead><tbody>")
    order = sorted(found, key=lambda key: (CLASSES.index(key[0]) != CLASSES.index("unsupported"), key))
    for cls, rule in order:
        info = report.rules.get(rule, RuleInfo(rule))
        names = "<br>".join(
            f"<code>{escape(name)}</code>{f' &times;{count}' if count > 1 else ''}"
            for name, count in _first(sorted(found[cls, rule].items()))
        )
        out.append(
            f'<tr><td><span class="tag {cls}">{HEADINGS[cls]}</span></td>'
            f'<td><a href="#rule={escape(rule)}" data-rule="{escape(rule)}">{escape(rule)}</a><br>'
            f"<small>{escape(_sentence(info.title, info.why))}</small></td><td>{names}</td>"
            f"<td>{escape(info.advice)}</td></tr>"
        )
    return "".join([*out, "</tbody></table></section>"])


def _first(items: list[tuple[str, int]]) -> list[tuple[str, int]]:
    return items if len(items) <= 12 else [*items[:11], (f"and {len(items) - 11} more", 1)]


def _sentence(*parts: str) -> str:
    return ": ".join(part for part in parts if part)


def _file(number: int, file: FileReport, rules: dict[str, RuleInfo], before: Tree | None, after: Tree | None) -> str:
    reason = f'<p class="reason">{"Left as it was: " if file.state == "left" else ""}{escape(file.reason)}</p>'
    out = [
        f'<details open class="file" id="f{number}" data-path="{escape(file.path.lower())}"><summary>'
        f"<h3>{escape(file.path)}</h3><span class='state'>{file.state}</span><b></b></summary>",
        reason if file.reason else "",
        f'<p class="reason">{escape(file.summary)}</p>' if file.summary else "",
        "<table><colgroup><col class='n'><col><col class='n'><col></colgroup>",
    ]
    whole = [hit for hit in file.hits if not hit.line]
    if whole:
        out.append(f"<tbody class='hunk'>{_notes(whole, rules)}</tbody>")
    for hunk in _hunks(file, before, after):
        out.append("<tbody class='hunk'>")
        for row, hits in hunk:
            out.append(_row(row, hits))
            out.append(_notes(hits, rules))
        out.append("</tbody>")
    return "".join([*out, "</table></details>"])


def _hunks(file: FileReport, before: Tree | None, after: Tree | None) -> Iterable[list[tuple[Row, list[Hit]]]]:
    placed = [hit for hit in file.hits if hit.line]
    old = before.get(file.path) if before is not None else None
    new = after.get(file.path) if after is not None else None
    if old is None or new is None or old.content is None or new.content is None:
        return [[(_own_row(hit), [hit])] for hit in placed]
    data, result = old.read(), new.read()
    if data != result:
        return _cut(rows(data, result), placed)
    lines = split_lines(data)
    wanted = {line for hit in placed for line in range(hit.line - _CONTEXT, hit.line + _CONTEXT + 1)}
    table = [
        Row("same", line, lines[line - 1], line, lines[line - 1]) for line in sorted(wanted) if 0 < line <= len(lines)
    ]
    return _cut(table, placed)


def _own_row(hit: Hit) -> Row:
    kind: Literal["same", "changed", "added"] = (
        "same" if hit.before == hit.after else "changed" if hit.before else "added"
    )
    return Row(kind, hit.line if hit.before else 0, hit.before, hit.new_line if hit.after else 0, hit.after)


def _cut(table: list[Row], hits: list[Hit]) -> list[list[tuple[Row, list[Hit]]]]:
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
        if row.kind == "same" and row.old_line not in of_old and row.new_line not in of_new:
            continue
        first = max(last + 1, at - _CONTEXT)
        if first == len(table):
            continue
        if not out or first > last + 1 or _jumps(table[last], table[first]):
            out.append([])
        for place in range(first, min(len(table), at + _CONTEXT + 1)):
            shown = table[place]
            of_row = [*of_old.pop(shown.old_line, ()), *of_new.pop(shown.new_line, ())]
            out[-1].append((shown, of_row))
            last = place
    left = [hit for found in (*of_old.values(), *of_new.values()) for hit in found]
    return [*out, [(_own_row(hit), [hit]) for hit in left]] if left else out


def _jumps(row: Row, following: Row) -> bool:
    """Whether lines are missing between two rows of a table that holds only some lines."""
    return row.kind == following.kind == "same" and following.new_line > row.new_line + 1


def _row(row: Row, hits: list[Hit]) -> str:
    old, new = _marked(row.old, row.new, [hit for hit in hits if hit.column])
    numbers = [str(number) if number else "" for number in (row.old_line, row.new_line)]
    classes = row.kind if row.kind != "same" else "same"
    return (
        f"<tr class='{classes}'><td class='n'>{numbers[0]}</td><td class='old'>{old}</td>"
        f"<td class='n'>{numbers[1]}</td><td class='new'>{new}</td></tr>"
    )


def _marked(old: str, new: str, hits: list[Hit]) -> tuple[str, str]:
    """Both sides with the places of the hits marked, where they can be found."""
    sides: list[list[str]] = [[], []]
    at = [0, 0]
    shift = 0
    for hit in sorted(hits, key=lambda hit: hit.column):
        before, after = hit.before.splitlines()[:1], hit.after.splitlines()[:1]
        texts = (before[0] if before else "", after[0] if after else "")
        starts = (hit.column - 1, hit.column - 1 + shift)
        found = all(line.startswith(text, start) for line, text, start in zip((old, new), texts, starts, strict=True))
        if not found or starts[0] < at[0] or starts[1] < at[1]:
            continue
        for side, line in enumerate((old, new)):
            end = starts[side] + len(texts[side])
            sides[side] += (
                escape(line[at[side] : starts[side]]),
                f'<mark class="{hit.cls}">{escape(line[starts[side] : end])}</mark>',
            )
            at[side] = end
        shift += len(texts[1]) - len(texts[0])
    return "".join([*sides[0], escape(old[at[0] :])]), "".join([*sides[1], escape(new[at[1] :])])


def _notes(hits: list[Hit], rules: dict[str, RuleInfo]) -> str:
    out = []
    for hit in hits:
        info = rules.get(hit.rule, RuleInfo(hit.rule))
        why = _sentence(info.title, info.why)
        advice = hit.note or (info.advice if hit.cls in ("unsupported", "needs-person") else "")
        name = f" <code>{escape(hit.name)}</code>" if hit.name and hit.cls != "patched" else ""
        out.append(
            f'<tr class="hit" data-class="{hit.cls}" data-rule="{escape(hit.rule)}"><td></td><td colspan="3">'
            f'<span class="tag {hit.cls}">{HEADINGS[hit.cls]}</span> <b>{escape(hit.rule)}</b>{name} '
            f"<span class='why'>{escape(why)}{f' · under {escape(hit.guard)}' if hit.guard else ''}</span>"
            + (f"<span class='advice'>{escape(advice)}</span>" if advice else "")
            + "</td></tr>"
        )
    return "".join(out)


def _comparison(report: Report) -> str:
    if not report.comparison:
        return ""
    heading, theirs, ours = compared(report)
    out = [
        f'<details class="comparison" id="comparison"><summary><h2>{heading}</h2>'
        f"<b>{len(report.comparison)}</b></summary><table><thead><tr><th>Place</th><th>Class</th><th>Rule</th>"
        f"<th>{theirs}</th><th>{ours}</th></tr></thead><tbody>"
    ]
    for item in report.comparison:
        out.append(
            f"<tr><td>{escape(item.path)}:{item.line}</td>"
            f'<td><span class="tag {item.cls}">{HEADINGS[item.cls]}</span></td><td>{escape(item.rule)}</td>'
            f"<td>{_side(item.vendor)}</td><td>{_side(item.ours)}</td></tr>"
        )
    return "".join([*out, "</tbody></table></details>"])


def _side(text: str | None) -> str:
    return AS_IT_WAS if text is None else f"<code>{escape(text)}</code>" if text else GONE
