"""Migrate a folder of the machine, for a person who wants to look at the result."""

import json
from pathlib import Path

from portside.common.os_errors import remedy
from portside.common.outputs import output as new_file
from portside.common.tree import Tree
from portside.errors import RecipeError
from portside.migrate.migration import Mode, migrate
from portside.migrate.parallel import beside, without_collector
from portside.migrate.report import Report, to_html, to_json, to_markdown
from portside.migrate.rulesets.model import Ruleset

REPORTS = ("report.json", "report.md", "report.html")
BESIDE = "migration-report"
"""The folder that the reports go to where the source has a file of one of these names itself."""


def migrate_folder(source: Path, ruleset: Ruleset, mode: Mode, output: Path, strict: bool = False) -> Report:
    """Write the migrated tree of `source` to `output`, and report.json, report.md and report.html with it.

    The reports lie at the top of `output`; where the source has a file of such a name itself, in the folder
    `migration-report` there. The reports of an earlier migration that lie in `source` are not part of it.
    `source` is never changed. Raises RecipeError where it is no folder, `output` is in use, or one lies inside
    the other.
    """
    _check_places(source, output)
    with without_collector():
        tree = _without_reports(Tree.from_folder(source))
        migration = migrate(tree, ruleset, mode, strict=strict)
        report = migration.report
        folder = output / BESIDE if any(name in tree for name in REPORTS) else output
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with beside(lambda: _write_reports(folder, report, tree, migration.tree)):
                migration.tree.write_to(output)
        except OSError as error:
            raise RecipeError(f"{output} cannot be written: {error.strerror}", remedy(error, output)) from error
    return report


def _write_reports(folder: Path, report: Report, before: Tree, after: Tree) -> None:
    contents = (to_json(report), to_markdown(report), to_html(report, before, after))
    for name, data in zip(REPORTS, contents, strict=True):
        with new_file(folder / name, None, RecipeError) as stream:
            stream.write(data)


def _without_reports(tree: Tree) -> Tree:
    """The tree without the reports that an earlier migration put there."""
    out = tree.copy()
    for prefix in ("", f"{BESIDE}/"):
        entry = tree.get(prefix + REPORTS[0])
        if entry is not None and entry.kind == "file" and _is_ours(entry.read()):
            for name in REPORTS:
                out.remove(prefix + name)
    if BESIDE in out and not any(entry.path.startswith(f"{BESIDE}/") for entry in out):
        out.remove(BESIDE)
    return out


def _is_ours(data: bytes) -> bool:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "portside_migration_report" in found


def _check_places(source: Path, output: Path) -> None:
    if not source.is_dir():
        raise RecipeError(f"{source} is not a folder", "--source names the folder to migrate.")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise RecipeError(f"{output} is not empty", "--output names a new or an empty folder.")
    inside, outside = output.resolve(), source.resolve()
    if inside == outside or outside in inside.parents or inside in outside.parents:
        raise RecipeError(f"{output} and {source} lie inside each other", "Choose a folder outside the source.")
