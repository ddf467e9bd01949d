"""Pointers of Git LFS that the finished image has where a program looks for the files themselves.

A port stands beside its source, so what counts of a source that is migrated is the migrated tree.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from portside.common.canonical import digest_of
from portside.common.progress import human_bytes
from portside.common.tree import Entry
from portside.common.values import Sha256
from portside.errors import PortsideError, RecipeError
from portside.inputs.pointers import KIND, PointerFile, pointer_file, remember, remembered, source_pointers
from portside.layers.layer import merge
from portside.layers.writer import read_layer
from portside.lock.inputs import git_sources
from portside.net.suspect import POINTER_SIZES, read_pointer
from portside.patches.steps import Copy, Delete, Diff
from portside.patches.unified import parse_diff
from portside.patches.workspace import reaches
from portside.plan.model import Part, Plan, WeightLinks
from portside.plan.states import blob_of
from portside.recipe import Recipe
from portside.store import Store
from portside.store.layout import Blob


@dataclass(frozen=True)
class Left:
    """files: their paths are those in the image. built: that is what the image has; else what it would have if no
    install step changed it."""

    files: tuple[PointerFile, ...]
    built: bool


def left_pointers(plan: Plan, store: Store) -> Left:
    """The pointers in the sources and migrated trees of a plan's image.

    Of a built image its layers tell, else the sources in the store without what patches and files of the recipe
    replace. Both are remembered, so that a second look reads nothing.
    """
    if not git_sources(plan.lock):
        return Left((), built=False)
    parts = _parts(plan)
    name = record_name(plan)
    found = remembered(store, name)
    if found is None:
        blobs = [blob for part in parts if (blob := blob_of(part, store)) is not None]
        if len(blobs) < len(parts):
            return Left(tuple(_expected(plan, store)), built=False)
        found = list(_in_files(_merged(blobs, store), (*_originals(plan.recipe), *_accepted(plan))))
        remember(store, name, found)
    return Left(tuple(found), built=True)


def _merged(blobs: Sequence[Blob], store: Store) -> Iterable[Entry]:
    """What these layers hold together, with contents."""
    state: dict[str, Entry] = {}
    for blob in blobs:
        layer = read_layer(store.layout.tar(blob.digest))
        state = merge(state, layer.entries, frozenset(layer.whiteouts))
    return state.values()


def record_name(plan: Plan) -> Sha256:
    """The name under which the store remembers what a plan's image has."""
    return digest_of([KIND, [part.key for part in _parts(plan)], (*_originals(plan.recipe), *_accepted(plan))])


def _parts(plan: Plan) -> list[Part]:
    return [part for part in plan.stack() if part.layer in ("sources", "migrated")]


def _originals(recipe: Recipe) -> tuple[str, ...]:
    """The folders of sources that have a migrated tree beside them."""
    migration = recipe.model.migration
    return tuple(f"{recipe.workspace}/{name}/" for name in (migration.sources if migration else ()))


def _accepted(plan: Plan) -> tuple[str, ...]:
    """The folders of sources whose pointers may stay, as the recipe says, and of what is made of them."""
    recipe = plan.recipe
    suffixes = ("", recipe.ruleset.suffix) if recipe.model.migration is not None else ("",)
    sources = [(name, source.commit_of) for name, source in sorted(plan.lock.sources.items())]
    names = [name for name, commit in sources if commit is not None and commit.pointers]
    return tuple(f"{recipe.workspace}/{name}{suffix}/" for name in names for suffix in suffixes)


def _in_files(entries: Iterable[Entry], passed: tuple[str, ...]) -> Iterable[PointerFile]:
    """Those outside of the folders that are passed over."""
    for entry in sorted(entries, key=lambda entry: entry.path):
        if entry.kind != "file" or entry.size not in POINTER_SIZES or f"/{entry.path}".startswith(passed):
            continue
        if (pointer := read_pointer(entry.read())) is not None:
            yield pointer_file(f"/{entry.path}", pointer)


def _expected(plan: Plan, store: Store) -> Iterable[PointerFile]:
    recipe = plan.recipe
    migration, links = recipe.model.migration, _links(plan)
    for name, source in sorted(plan.lock.sources.items()):
        pointers = source_pointers(commit, store) if (commit := source.commit_of) is not None else None
        if commit is None or not pointers or commit.pointers:
            continue
        fetched = {file.path for file in commit.lfs}
        pointers = [file for file in pointers if file.path not in fetched]
        migrated = migration is not None and name in migration.sources
        folder = f"{name}{recipe.ruleset.suffix}" if migrated else name
        placed = [replace(file, path=f"{folder}/{file.path}") for file in pointers]
        for file in _unreplaced(placed, recipe, links):
            yield replace(file, path=f"{recipe.workspace}/{file.path}")


def _unreplaced(files: Sequence[PointerFile], recipe: Recipe, links: Mapping[str, str]) -> Iterable[PointerFile]:
    """Those that no patch deletes or writes anew, and no file of the recipe or link to weights either. Paths as patches
    have them."""
    written = {file.to for file in recipe.expanded(recipe.model.files)} | links.keys()
    deleted: list[str] = []
    for step in recipe.model.patches:
        if isinstance(step, Delete):
            deleted += step.delete
        elif isinstance(step, Copy):
            written.add(step.to)
        elif isinstance(step, Diff):
            above = f"{step.folder}/" if step.folder else ""
            with suppress(RecipeError):  # a build says what is wrong with it
                changes = parse_diff(recipe.file(step.diff).read_bytes(), step.diff, step.strip)
                written |= {above + path for change in changes for path in (change.old, change.new) if path}
    others = recipe.unmigrated_sources
    return [file for file in files if file.path not in written and not reaches(deleted, file.path, others)]


def _links(plan: Plan) -> Mapping[str, str]:
    """The links to weights: path below the workspace -> what it leads to."""
    parts = [part for part in plan.layer("migrated").parts if isinstance(part.of, WeightLinks)]
    return {path: target for part in parts for path, target in part.manifest["links"].items()}


def given_way(plan: Plan, store: Store) -> list[str]:
    """What a person is told of pointers in whose place links to weights stand, a line for each."""
    recipe, links = plan.recipe, _links(plan)
    suffix = recipe.ruleset.suffix if recipe.model.migration is not None else ""
    weights = {
        f"{recipe.workspace}/weights/{name}/{file.path}": file.sha256
        for name, locked in plan.lock.weights.items()
        for file in locked.files
    }
    lines = []
    for name, source in sorted(plan.lock.sources.items()):
        commit = source.commit_of
        for file in (source_pointers(commit, store) if links and commit is not None else None) or ():
            for path in dict.fromkeys((f"{name}/{file.path}", f"{name}{suffix}/{file.path}")):
                if path not in links:
                    continue
                line = f"  {path}: a pointer of Git LFS gives way to a link to {links[path]}"
                other = weights[links[path]] not in (None, file.sha256)
                lines.append(f"{line}, which is another file than it stands for" if other else line)
    return lines


def what_is_left(plan: Plan, store: Store) -> list[str]:
    """What a person is told of pointers that are in the image where files should be, or that links replace."""
    with suppress(PortsideError):  # whatever is wrong with a layer, the task's own work says it
        return [*given_way(plan, store), *pointer_lines(left_pointers(plan, store))]
    return []


def pointer_lines(left: Left, most: int = 5) -> list[str]:
    """What a person is told; nothing where there are none."""
    if not left.files:
        return []
    has = "the image has" if left.built else "the image will have, unless an install step replaces them,"
    return [
        f"warning: {has} {len(left.files)} pointer(s) of Git LFS in place of the files that they stand for:",
        *(f"  {file.path}: {human_bytes(file.size)}, sha256 {file.sha256}" for file in left.files[:most]),
        *([f"  and {len(left.files) - most} more"] if len(left.files) > most else []),
        "What reads them finds a few lines of text. Say `lfs: fetch` of their source; or name the files under "
        "`weights`, with these sizes and hashes, and say there with `to` where they belong.",
    ]
