"""report.md: the report for a terminal or a code review."""

from collections import defaultdict

from portside.migrate.report.hits import CLASSES, Hit, Report

HEADINGS = {
    "rewritten": "Rewritten",
    "kept": "Kept",
    "unsupported": "Unsupported",
    "needs-person": "Needs a person",
    "patched": "Patched",
}
ONLY_PATCHES = "Patches, without a migration"
"""The heading where no ruleset had anything to do."""
AS_IT_WAS, GONE = "as it was", "gone"
"""What stands for a line on the side of a comparison that did not change it, or took it away."""
_FIRST = ("unsupported", "needs-person")


def to_markdown(report: Report) -> bytes:
    """Counts, what is unsupported or needs a person with what to do, then every file."""
    counts = report.counts()
    migration = f"Migration with the ruleset {report.ruleset}, {report.mode} mode{' (strict)' if report.strict else ''}"
    lines = [
        f"# {migration if report.ruleset else ONLY_PATCHES}",
        "",
        f"{counts['edits']} edits in {counts['files_edited']} files."
        if not report.ruleset
        else f"{counts['edits']} edits in {counts['files_edited']} of {counts['files']} files "
        f"({counts['python_files']} Python); {counts['files_left']} left as they were.",
        "",
        "| class | hits |",
        "|---|---:|",
        *(f"| {HEADINGS[name]} | {counts[name]} |" for name in CLASSES),
        "",
    ]
    for name in _FIRST:
        lines += _open(report, name)
    lines += ["## Files", ""]
    for path, file in sorted(report.files.items()):
        lines += [f"### {_code(path)}", ""]
        if file.reason:
            lines += [f"{'Left as it was: ' if file.state == 'left' else ''}{file.reason}", ""]
        lines += [file.summary, ""] if file.summary else []
        lines += [_line(hit) for hit in file.hits]
        lines += [""] if file.hits else []
    lines += _comparison(report)
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def _open(report: Report, name: str) -> list[str]:
    """What a person has to look at, by rule."""
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path, hit in report.hits():
        if hit.cls == name:
            places[hit.rule, hit.name].append(f"{path}:{hit.line}" if hit.line else path)
    if not places:
        return []
    lines = [f"## {HEADINGS[name]}", ""]
    for (rule, found), where in sorted(places.items()):
        info = report.rules.get(rule)
        text = ". ".join(part.rstrip(".") for part in (info.why, info.advice) if part) if info else ""
        lines += [f"- {_code(found)} ({rule}, {len(where)}x): {text or (info.title if info else '')}"]
        lines += [f"  - {_code(place)}" for place in where]
    return [*lines, ""]


def _line(hit: Hit) -> str:
    place = f"{hit.line}:{hit.column}" if hit.column else str(hit.line) if hit.line else "file"
    if hit.before == hit.after:
        what = _code(hit.before.strip() or hit.name)
    elif not hit.before:
        what = f"+ {_code(hit.after)}"
    else:
        what = f"{_code(hit.before)} → {_code(hit.after)}"
    said = (hit.note.rstrip("."), f"under {hit.guard}" if hit.guard else "")
    return ". ".join([f"- {place} {hit.cls} ({hit.rule}): {what}", *filter(None, said)])


def compared(report: Report) -> tuple[str, str, str]:
    """What the report's comparison is called, and either side of it."""
    if report.mode == "image":
        return "Differences between the image's converter and precise mode", "Converter", "Precise mode"
    return "Differences to the vendor's converter", "Vendor", "Here"


def _comparison(report: Report) -> list[str]:
    if not report.comparison:
        return []
    lines = [f"## {compared(report)[0]}", ""]
    for item in report.comparison:
        lines.append(
            f"- {_code(f'{item.path}:{item.line}')} {item.cls} ({item.rule}): {_side(item.vendor)} / {_side(item.ours)}"
        )
    return [*lines, ""]


def _side(text: str | None) -> str:
    return AS_IT_WAS if text is None else _code(text) if text else GONE


def _code(text: str) -> str:
    """Text between as many backquotes as it needs, on one line."""
    text = " ⏎ ".join(part.strip() for part in text.splitlines()) or " "
    longest = run = 0
    for character in text:
        run = run + 1 if character == "`" else 0
        longest = max(longest, run)
    fence = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"
