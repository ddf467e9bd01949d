"""The one entry: every file of a tree through its converter, then links and report."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from portside.common.tree import Entry, Tree
from portside.errors import RecipeError
from portside.migrate import precise, vendor
from portside.migrate.links import resolve
from portside.migrate.parallel import Convert, Result, convert_all
from portside.migrate.report.hits import Report
from portside.migrate.rulesets.model import Ruleset

Mode = Literal["precise", "vendor"]


@dataclass(frozen=True, slots=True)
class Migrated:
    """tree: the same paths as the source; an entry whose bytes did not change is the very same object."""

    tree: Tree
    report: Report


def migrate(tree: Tree, ruleset: Ruleset, mode: Mode, *, strict: bool = False, jobs: int | None = None) -> Migrated:
    """Migrate a tree. strict: the vendor's `-s`, for vendor mode. jobs: processes to use; None: as many as are
    worth it. The result does not depend on them.

    Raises RecipeError where the ruleset has no such mode.
    """
    report = Report(mode, strict, ruleset.name, ruleset.suffix, ruleset.digest)
    files = [entry for entry in tree if entry.kind == "file"]
    paths = [entry.path for entry in files]
    convert, wants = _vendor(ruleset, strict, report) if mode == "vendor" else _precise(ruleset, strict, report, paths)
    report.total_files = len(files)
    report.python_files = sum(entry.path.endswith(".py") for entry in files)
    out = tree.copy()
    _convert([entry for entry in files if wants(entry.path)], convert, jobs, out, report)
    asked = {path: file.asked for path, file in report.files.items() if file.asked}
    if asked:
        code = (entry.read() for entry in files if _is_python(entry.path))
        known = precise.signatures({name for names in asked.values() for name in names}, code)
        again = [entry for entry in files if not asked.get(entry.path, frozenset()).isdisjoint(known)]
        _convert(again, partial(convert, signatures=known), jobs, out, report)
    _materialise_links(tree, out, convert)
    used = {hit.rule for _, hit in report.hits()}
    report.rules = {name: info for name, info in sorted(report.rules.items()) if name in used}
    return Migrated(out, report)


def _convert(entries: list[Entry], convert: Convert, jobs: int | None, out: Tree, report: Report) -> None:
    for number, new, found in convert_all(entries, convert, jobs):
        path = entries[number].path
        if found is not None:
            report.files[path] = found
        if new is not None:
            out.write(path, new)


def _vendor(ruleset: Ruleset, strict: bool, report: Report) -> tuple[partial[Result], Callable[[str], bool]]:
    rules = ruleset.vendor
    if rules is None:
        raise RecipeError(f"the ruleset {ruleset.name} has no vendor mode", "Use precise mode.")
    pairs = [*rules.replace, *(rules.strict if strict else ())]
    report.rules = dict(vendor.RULES)
    return partial(vendor.migrate_text, pairs=pairs, module=rules.module), _is_python


def _is_python(path: str) -> bool:
    return path.endswith(".py")


def _precise(
    ruleset: Ruleset, strict: bool, report: Report, paths: list[str]
) -> tuple[partial[Result], Callable[[str], bool]]:
    if strict:
        raise RecipeError("strict is an option of vendor mode", "Leave it out, or use vendor mode.")
    rules = precise.compile_rules(ruleset)
    report.rules = precise.rule_info(rules)
    twin = precise.twins(paths, rules)
    return partial(precise.convert, rules=rules, twin=twin), partial(precise.wants, rules=rules)


def _materialise_links(tree: Tree, out: Tree, convert: Convert) -> None:
    """Links stay links, unless the file behind one would be migrated otherwise under the link's own name.

    A converter looks at names: behind `tool.py -> tool` it would migrate, behind `tool` not. There the link
    becomes a file of its own, as it does in the vendor's converter.
    """
    for entry in tree:
        if entry.kind not in ("symlink", "hardlink"):
            continue
        target = resolve(tree, entry.path)
        if target is None or entry.path.endswith(".py") == target.path.endswith(".py"):
            continue
        data = target.read()
        wanted = convert(entry.path, data)[0] if entry.path.endswith(".py") else data
        if wanted != out[target.path].read():
            out.put(Entry(entry.path, "file", target.mode, target.uid, target.gid, target.mtime))
            out.write(entry.path, wanted)
