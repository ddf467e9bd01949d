"""report.html: one file without any outside reference, where a person reviews a port."""

from collections import defaultdict
from html import escape
from pathlib import Path
from urllib.parse import urlencode

from portside.common.tree import Tree
from portside.migrate.report.hits import CLASSES, Report, RuleInfo
from portside.migrate.report.markdown import AS_IT_WAS, GONE, HEADINGS, ONLY_PATCHES, compared
from portside.migrate.report.page_data import page_data

_HERE = Path(__file__).parent
_SHOWN = 12
"""Names that a row of what is left to do shows; the last one links to the others."""

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
    parts = [
        _head(report, counts),
        _todo(report),
        '<p class="keys"><kbd>n</kbd> next place, <kbd>p</kbd> previous, <kbd>o</kbd> open or close all files</p>',
        "<noscript><p>This page is drawn by its script; report.md says the same as text.</p></noscript>",
        '<div class="files" id="files"></div><p class="none" id="none" hidden>No place matches the filters.</p>',
        _comparison(report),
    ]
    page = (_HERE / "page.html").read_text(encoding="utf-8")
    for key, value in (
        ("TITLE", f"Migration to {escape(report.ruleset)}" if report.ruleset else ONLY_PATCHES),
        ("STYLE", (_HERE / "page.css").read_text(encoding="utf-8")),
        ("SCRIPT", (_HERE / "page.js").read_text(encoding="utf-8")),
        ("FILTERS", _filters(report, counts)),
        ("BODY", "\n".join(parts)),
        ("DATA", page_data(report, before, after)),
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
    out.append('<label>Name <input id="name" type="search" placeholder="as it was found"></label>')
    return "".join(out)


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
        names = "<br>".join(_links(cls, rule, sorted(found[cls, rule].items())))
        out.append(
            f'<tr><td><span class="tag {cls}">{HEADINGS[cls]}</span></td>'
            f'<td><a href="#{_view(cls, rule)}">{escape(rule)}</a><br>'
            f"<small>{escape(_sentence(info.title, info.why))}</small></td><td>{names}</td>"
            f"<td>{escape(info.advice)}</td></tr>"
        )
    return "".join([*out, "</tbody></table></section>"])


def _links(cls: str, rule: str, names: list[tuple[str, int]]) -> list[str]:
    """The names, each a link to its places."""
    shown = names if len(names) <= _SHOWN else names[: _SHOWN - 1]
    out = [
        f'<a href="#{_view(cls, rule, name)}"><code>{escape(name)}</code></a>{f" &times;{count}" if count > 1 else ""}'
        for name, count in shown
    ]
    more = len(names) - len(shown)
    return [*out, f'<a href="#{_view(cls, rule)}">and {more} more</a>'] if more else out


def _view(cls: str, rule: str, name: str = "") -> str:
    """The part of the address that shows only these places."""
    return escape(urlencode({"class": cls, "rule": rule, **({"name": name} if name else {})}))


def _sentence(*parts: str) -> str:
    return ": ".join(part for part in parts if part)


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
