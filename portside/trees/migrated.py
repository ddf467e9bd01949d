"""The tree of the sources that are migrated or patched: migrated, patched, with their reports."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from portside.common.tree import Entry, Tree, encode_path, file_entry
from portside.errors import MigrationError
from portside.layers.layer import Layer
from portside.recipe import Recipe

if TYPE_CHECKING:
    from portside.migrate.migration import Migrated
    from portside.migrate.report import Report
    from portside.migrate.rulesets import Ruleset
    from portside.recipe.models import Migration

REPORT = "migration"
"""The folder of the workspace that holds report.json, report.md and report.html."""
CONVERTER_REPORTS = f"{REPORT}/converter"
"""The folder of the workspace with the reports that a base image's converter wrote, SOURCE.md each."""


def migrated_tree(recipe: Recipe, sources: Mapping[str, Tree], converted: Tree | None = None) -> Tree:
    """The migrated and patched sources and their reports; paths relative to the workspace. Of a source that is patched
    where it is, the whole. Empty where nothing is migrated or patched.

    sources: by name, at least those that the recipe migrates or patches. converted: in image mode, what the converter
    left in the workspace. Raises MigrationError.
    """
    model = recipe.model
    migration = model.migration
    if migration is None and not model.patches:
        return Tree()
    from portside.migrate.report import PatchHit, Report, to_html, to_json, to_markdown
    from portside.patches.apply import apply
    from portside.patches.workspace import SourceFolders

    together, report, folders = Tree(), Report("none", False, "", "", ""), {}
    if migration is not None:
        folders = {name: f"{name}{recipe.ruleset.suffix}" for name in sorted(migration.sources)}
        together = _together(sources, folders)
        migrated = _migrate(together, recipe.ruleset, migration, converted)
        result, report = migrated.tree, migrated.report
    else:
        result = Tree()
    beside = _together(sources, {name: name for name in recipe.patched_sources})
    where = SourceFolders(folders, recipe.unmigrated_sources)
    whole = Tree([*result, *beside])
    patched = apply(whole, model.patches, recipe.folder_tree(), recipe.patch_places, where)
    if migration is not None:
        _stop_at_unsupported(report, patched.tree, recipe.ruleset, migration)
        report.accept(migration.accept)
    report.follow(patched.lines.follow)
    for change in patched.changes:
        hit = PatchHit(change.name, change.line, change.before, change.after, change.new_line, change.note)
        report.add_patches(change.path, [hit])
    html = to_html(report, Tree([*together, *beside]), patched.tree)
    reports = {"report.json": to_json(report), "report.md": to_markdown(report), "report.html": html}
    for name, content in reports.items():
        patched.tree.put(file_entry(f"{REPORT}/{name}", content))
    for entry in converted or ():
        if entry.path.startswith(f"{CONVERTER_REPORTS}/"):
            patched.tree.put(entry)
    return patched.tree


def before_patches(recipe: Recipe, sources: Mapping[str, Tree]) -> Tree:
    """What the recipe's patches are applied to: the migrated trees, and the sources that are patched where they are.

    sources: as for `migrated_tree`. Not for image mode, in which a build makes it.
    """
    migration = recipe.model.migration
    result = Tree()
    if migration is not None:
        folders = {name: f"{name}{recipe.ruleset.suffix}" for name in sorted(migration.sources)}
        result = _migrate(_together(sources, folders), recipe.ruleset, migration, None).tree
    return Tree([*result, *_together(sources, {name: name for name in recipe.patched_sources})])


def _together(sources: Mapping[str, Tree], folders: Mapping[str, str]) -> Tree:
    """Several sources, each in its folder. folders: by the source's name."""
    return Tree(entry for name, folder in folders.items() for entry in sources[name].at(folder))


def _migrate(together: Tree, ruleset: "Ruleset", migration: "Migration", converted: Tree | None) -> "Migrated":
    from portside.migrate.image import read_back
    from portside.migrate.migration import migrate

    if migration.mode != "image":
        return migrate(together, ruleset, migration.mode, strict=migration.strict)
    assert converted is not None
    below = tuple(f"{name}{ruleset.suffix}" for name in migration.sources)
    result = Tree(entry for entry in converted if entry.path.partition("/")[0] in below)
    return read_back(together, result, ruleset, strict=migration.strict)


def _stop_at_unsupported(report: "Report", patched: Tree, ruleset: "Ruleset", migration: "Migration") -> None:
    """Raise MigrationError for what the accelerator does not support and no patch has taken care of."""
    from portside.migrate.migration import migrate

    if migration.mode == "image" or not (open_hits := report.unaccepted(migration.accept)):
        return
    # What counts is what the patched files still have.
    suspects = Tree(patched[path] for path in {path for path, _ in open_hits} if path in patched)
    _stop_at(migrate(suspects, ruleset, migration.mode, strict=migration.strict).report, migration)


def _stop_at(report: "Report", migration: "Migration") -> None:
    """Raise MigrationError for what the accelerator does not support, unless the recipe accepts it with a reason."""
    if not (open_hits := report.unaccepted(migration.accept)):
        return
    shown = [
        f"  {path}:{hit.line}: {hit.name}: {report.rules[hit.rule].title} ({hit.rule})" for path, hit in open_hits[:20]
    ]
    more = [f"  and {len(open_hits) - 20} more"] if len(open_hits) > 20 else []
    name, rule = open_hits[0][1].name, open_hits[0][1].rule
    raise MigrationError(
        "\n".join([f"{len(open_hits)} place(s) use what {migration.ruleset} does not support:", *shown, *more]),
        "Patch them, or accept each by its name, or all of a rule by its id (in brackets), with a reason, in the "
        f"recipe's migration: accept: {{{name}: never reached}} or accept: {{{rule}: never reached}}",
    )


def converted_tree(recipe: Recipe, layer: Layer) -> Tree:
    """What the converter of the image left in the workspace, paths relative to it, out of its run's layer.

    Raises MigrationError where the run changed anything there but the folders that it was to write.
    """
    migration = recipe.model.migration
    assert migration is not None
    suffix = recipe.ruleset.suffix
    results = {f"{name}{suffix}" for name in migration.sources}
    workspace = recipe.workspace.lstrip("/") + "/"
    tree = Tree()
    for path in (*(entry.path for entry in layer.entries if entry.kind != "dir"), *layer.whiteouts):
        top = path.removeprefix(workspace).partition("/")[0]
        if path.startswith(workspace) and top not in results and top != REPORT:
            raise MigrationError(
                f"the image's converter changed /{path}, which is no part of its result",
                "Sources stay as they are. Use precise or vendor mode with this image.",
            )
    for entry in Tree(layer.entries).below(workspace.rstrip("/")):
        if entry.path.partition("/")[0] in (*results, REPORT):
            tree.put(entry)
    return tree


@dataclass(frozen=True)
class Over:
    """What turns one tree into another, where the first lies below.

    tree: what is new or other, with the folders above it and above what is gone. removed: topmost paths that are gone.
    replaced: paths that are of another kind now.
    """

    tree: Tree
    removed: tuple[str, ...]
    replaced: tuple[str, ...]


def over(whole: Tree, below: Tree) -> Over:
    """What lies over `below` makes it `whole`; times do not count."""
    whole = whole.with_folders()
    old = {entry.path: entry for entry in below.with_folders()}
    changed = [entry for entry in whole if (was := old.get(entry.path)) is None or not _same(entry, was)]
    gone = [path for path in old if path not in whole and _is_folder(whole, path.rpartition("/")[0])]
    tree = Tree(changed)
    for path in (*(entry.path for entry in changed), *gone):
        while (path := path.rpartition("/")[0]) and path not in tree:
            tree.put(whole[path])
    replaced = [entry.path for entry in changed if entry.path in old and old[entry.path].kind != entry.kind]
    return Over(tree, tuple(sorted(gone, key=encode_path)), tuple(replaced))


def _same(entry: Entry, other: Entry) -> bool:
    return replace(entry, mtime=other.mtime) == other


def _is_folder(tree: Tree, path: str) -> bool:
    return not path or (path in tree and tree[path].kind == "dir")
