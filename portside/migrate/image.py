"""Image mode: what the converter of a base image did, read back from the difference between source and result.

The converter itself runs in the engine (`run_converter`); nothing here knows what it replaces.
"""

import re

from portside.common.tree import Entry, Tree
from portside.errors import RecipeError
from portside.migrate.migration import Migrated, migrate
from portside.migrate.other_converter import compare
from portside.migrate.report.diff import rows, split_lines
from portside.migrate.report.hits import FileReport, Hit, Report, RuleInfo
from portside.migrate.rulesets.model import Converter, Ruleset

EDIT_RULE = "converter-edit"
ADDED_RULE = "converter-added"
REMOVED_RULE = "converter-removed"
LEFT_RULE = "converter-left"
DROPPED_RULE = "converter-dropped"
MADE_RULE = "converter-made"

RULES = {
    EDIT_RULE: RuleInfo("changed by the image's converter"),
    ADDED_RULE: RuleInfo("added by the image's converter"),
    REMOVED_RULE: RuleInfo("removed by the image's converter"),
    LEFT_RULE: RuleInfo("left by the image's converter", "the line names the device, and stays as it was"),
    DROPPED_RULE: RuleInfo(
        "not in the converter's result",
        "the converter did not write this path",
        "Look whether something needs it; a copy step of the recipe's patches can bring it back.",
    ),
    MADE_RULE: RuleInfo("made by the image's converter", "the source has no such path"),
}


def converter_of(ruleset: Ruleset) -> Converter:
    """The ruleset's converter. Raises RecipeError where it has none."""
    if ruleset.converter is None:
        raise RecipeError(f"the ruleset {ruleset.name} has no converter", "Use precise mode.")
    return ruleset.converter


def read_back(source: Tree, result: Tree, ruleset: Ruleset, *, strict: bool = False) -> Migrated:
    """The converter's result with its report: every edit, and every difference to what precise mode would give.

    source, result: the same paths, those below the migrated folders' names.
    """
    report = Report("image", strict, ruleset.name, ruleset.suffix, ruleset.digest)
    files = [entry for entry in source if entry.kind == "file"]
    report.total_files = len(files)
    report.python_files = sum(entry.path.endswith(".py") for entry in files)
    words = re.compile("|".join(map(re.escape, ruleset.words)))
    for path in sorted({entry.path for tree in (source, result) for entry in tree if entry.kind != "dir"}):
        found = _file(path, source.get(path), result.get(path), words)
        if found is not None:
            report.files[path] = found
    used = {hit.rule for _, hit in report.hits()}
    report.rules = {name: info for name, info in RULES.items() if name in used}
    precise = migrate(source, ruleset, "precise")
    report.comparison = compare(source, result, precise.tree, precise.report)
    explained = {item.rule for item in report.comparison}
    report.rules |= {name: info for name, info in precise.report.rules.items() if name in explained}
    return Migrated(result, report)


def _file(path: str, old: Entry | None, new: Entry | None, words: re.Pattern[str]) -> FileReport | None:
    if old is None:
        return FileReport(path, "edited", [Hit("rewritten", MADE_RULE, 0, 0, path, "", "")])
    if new is None:
        return FileReport(path, "edited", [Hit("needs-person", DROPPED_RULE, 0, 0, path, "", "")])
    if old.kind != "file" or new.kind != "file":
        same = (old.kind, old.link) == (new.kind, new.link)
        return None if same else FileReport(path, "edited", reason=f"the {_word(old)} became a {_word(new)}")
    # Of modes only the right to execute tells something: an sdist's others are those of whoever packed it.
    reasons = [f"its mode {old.mode:04o} became {new.mode:04o}"] if (old.mode ^ new.mode) & 0o111 else []
    before, after = old.read(), new.read()
    looked_at = before != after or (path.endswith(".py") and words.search(after.decode("latin-1")))
    hits = _hits(before, after, words) if looked_at else []
    if before != after and not any(hit.cls == "rewritten" for hit in hits):
        same = split_lines(before) == split_lines(after)
        reasons.append("only its line ends changed" if same else "its bytes changed")
    if not hits and not reasons:
        return None
    return FileReport(path, "edited" if before != after or reasons else "unchanged", hits, "; ".join(reasons))


def _hits(before: bytes, after: bytes, words: re.Pattern[str]) -> list[Hit]:
    """What changed, line by line, and where one of the words still stands. What was added belongs to the line above."""
    hits: list[Hit] = []
    last = 1
    for row in rows(before, after):
        last = row.old_line or last
        old, new = row.old.strip(), row.new.strip()
        if row.kind == "added":
            hits.append(Hit("rewritten", ADDED_RULE, last, 0, "", "", new, row.new_line))
        elif row.kind == "removed":
            hits.append(Hit("rewritten", REMOVED_RULE, last, 0, "", old, ""))
        elif row.kind == "changed":
            hits.append(Hit("rewritten", EDIT_RULE, last, 0, "", old, new, row.new_line))
        if row.new_line and (found := words.search(row.new)):
            column = found.start() + 1 if row.kind == "same" else 0
            hits.append(Hit("kept", LEFT_RULE, last, column, found[0], found[0], found[0], row.new_line))
    return hits


def _word(entry: Entry) -> str:
    return {"symlink": "link", "hardlink": "hard link", "fifo": "FIFO", "dir": "folder"}.get(entry.kind, "file")
