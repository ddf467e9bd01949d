"""Migrate a folder of the machine, for a person who wants to look at the result."""

from pathlib import Path

from portside.errors import RecipeError
from portside.migrate.report.model import Report
from portside.migrate.rulesets.model import Ruleset
from portside.migrate.run import Mode, migrate
from portside.tree import Tree


def migrate_folder(source: Path, ruleset: Ruleset, mode: Mode, output: Path, strict: bool = False) -> Report:
    """Write the migrated tree of `source` to `output`; `source` is never changed.

    Raises RecipeError where `source` is no folder, or `output` is in use, or one lies inside the other.
    """
    _check_places(source, output)
    migration = migrate(Tree.from_folder(source), ruleset, mode, strict=strict)
    migration.tree.write_to(output)
    return migration.report


def _check_places(source: Path, output: Path) -> None:
    if not source.is_dir():
        raise RecipeError(f"{source} is not a folder", "--source names the folder to migrate.")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise RecipeError(f"{output} is not empty", "--output names a new or an empty folder.")
    inside, outside = output.resolve(), source.resolve()
    if inside == outside or outside in inside.parents:
        raise RecipeError(f"{output} lies inside {source}", "Choose a folder outside the source.")
