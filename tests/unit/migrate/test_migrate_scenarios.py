"""Each folder of scenarios/: what goes in, what comes out, and the class of every hit.

The name begins with the ruleset's; options.json has a recipe's extension of it; hits.txt lists `path:line:column
class rule name` and the files that were left with the reason.
"""

import json
from pathlib import Path

import pytest

from portside.common.tree import Tree
from portside.migrate.migration import Migrated, migrate
from portside.migrate.precise.python import compiles
from portside.migrate.rulesets import Ruleset, load

SCENARIOS = sorted(path for path in (Path(__file__).parent / "scenarios").iterdir())


def ruleset_of(scenario: Path) -> Ruleset:
    options = scenario / "options.json"
    data = json.loads(options.read_text()) if options.exists() else {}
    return load(scenario.name.partition("-")[0], data.get("overrides"))


def contents(tree: Tree) -> dict[str, bytes]:
    return {entry.path: entry.read() for entry in tree.files()}


def lines(migration: Migrated) -> list[str]:
    out = [f"{path}:{hit.line}:{hit.column} {hit.cls} {hit.rule} {hit.name}" for path, hit in migration.report.hits()]
    left = [file for file in migration.report.files.values() if file.state == "left"]
    return out + [f"{file.path} left: {file.reason}" for file in left]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.name)
def test_scenario(scenario: Path) -> None:
    source = Tree.from_folder(scenario / "in")
    migration = migrate(source, ruleset_of(scenario), "precise")
    assert contents(migration.tree) == contents(Tree.from_folder(scenario / "out"))
    assert lines(migration) == (scenario / "hits.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.name)
def test_a_second_migration_changes_nothing(scenario: Path) -> None:
    ruleset = ruleset_of(scenario)
    once = migrate(Tree.from_folder(scenario / "in"), ruleset, "precise").tree
    twice = migrate(once, ruleset, "precise").tree
    assert contents(twice) == contents(once)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.name)
def test_what_compiled_still_compiles_and_what_did_not_change_is_the_same_entry(scenario: Path) -> None:
    source = Tree.from_folder(scenario / "in")
    migration = migrate(source, ruleset_of(scenario), "precise")
    for entry in source.files():
        new = migration.tree[entry.path]
        if entry.path.endswith(".py"):
            assert compiles(new.read()) == compiles(entry.read()), entry.path
        if new.read() == entry.read():
            assert new is entry
        else:
            assert migration.report.files[entry.path].state == "edited"
            assert (new.mode, new.mtime) == (entry.mode, entry.mtime)


def test_every_edit_is_in_the_report() -> None:
    """Applying the report's hits to the source gives the result: nothing else was changed."""
    for scenario in SCENARIOS:
        source = Tree.from_folder(scenario / "in")
        migration = migrate(source, ruleset_of(scenario), "precise")
        for file in migration.report.files.values():
            if file.state != "edited":
                continue
            old, new = source[file.path].read(), migration.tree[file.path].read()
            changed = [hit for hit in file.hits if hit.cls == "rewritten"]
            assert changed, file.path
            for hit in changed:
                assert hit.before.encode("latin-1", "replace") in old or hit.before.encode() in old
                assert hit.after.encode("latin-1", "replace") in new or hit.after.encode() in new
