"""The code in a recipe's workspace as the finished image has it, and what put each path there."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from portside.common.canonical import digest_of
from portside.common.never import never
from portside.common.tree import Entry, Tree
from portside.common.values import Key
from portside.errors import BuildError
from portside.inputs.spool import Spool
from portside.layers.layer import Layer, merge
from portside.layers.writer import read_layer
from portside.plan.model import (
    BaseLayer,
    BuiltPackages,
    Converted,
    Files,
    Install,
    InstallFiles,
    LargeWeight,
    Packages,
    Part,
    Plan,
    RecipeFiles,
    SmallWeights,
    Source,
    Trees,
    VendorInstall,
    WeightLinks,
)
from portside.plan.states import blob_of
from portside.recipe import Recipe
from portside.store import Store
from portside.store.indexes import image_index
from portside.store.layout import Blob
from portside.trees.migrated import REPORT
from portside.trees.parts import part_layer

Origin = Literal["source", "tree", "file", "install", "link", "report", "env"]
"""What put a path into the workspace: a source as upstream has it, migrating and patching, the recipe's `files`, an
install step, `weights` with `to`, the report of the migration, the env layer."""
WEIGHTS = "weights"
"""The folder of the workspace that weights are in: never laid out, mounted in its place."""


@dataclass(frozen=True)
class WorkspaceCode:
    """tree: paths relative to the workspace, without weights; hard links are files of their own. origins: of every path
    that is no folder."""

    tree: Tree
    origins: Mapping[str, Origin]


@dataclass(frozen=True)
class Installed:
    """What the install steps did in the workspace. entries: what they wrote that was not there in just this way.
    removed: what they took away."""

    entries: tuple[Entry, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass
class _Growing:
    """The workspace while one part after the other comes on top."""

    workspace: str
    entries: dict[str, Entry] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)

    def add(self, layer: Layer, origin: Origin) -> Installed:
        """Put a layer on top; gives what of it is another one than before."""
        below = self.workspace.lstrip("/") + "/"
        mine = [
            dataclasses.replace(entry, path=entry.path[len(below) :])
            for entry in _unlinked(layer.entries)
            if entry.path.startswith(below)
        ]
        gone = [path[len(below) :] for path in layer.whiteouts if path.startswith(below)]
        return self.put(mine, gone, origin)

    def put(self, entries: Iterable[Entry], gone: Iterable[str], origin: Origin) -> Installed:
        entries, gone = [e for e in entries if not _is_weight(e.path)], [p for p in gone if not _is_weight(p)]
        before = self.entries
        self.entries = merge(before, entries, gone)
        fresh = [entry for entry in entries if not _same(before.get(entry.path), entry)]
        for entry in fresh:
            if entry.kind != "dir":
                named = entry.path == REPORT or entry.path.startswith(f"{REPORT}/")
                self.origins[entry.path] = "report" if origin == "tree" and named else origin
        self.origins = {path: found for path, found in self.origins.items() if path in self.entries}
        return Installed(tuple(fresh), tuple(gone))

    def code(self) -> WorkspaceCode:
        entries = {path: entry for path, entry in self.entries.items() if entry.kind != "fifo"}
        return WorkspaceCode(
            Tree(entries.values()), {path: self.origins[path] for path in entries if path in self.origins}
        )


def _is_weight(path: str) -> bool:
    return path.partition("/")[0] == WEIGHTS


def _same(old: Entry | None, new: Entry) -> bool:
    """Whether a person sees no difference: kind, bytes, the target of a link, who may execute it."""
    if old is None or old.kind != new.kind:
        return False
    if new.kind == "dir":
        return True
    return (old.sha256, old.size, old.link, old.mode & 0o100) == (new.sha256, new.size, new.link, new.mode & 0o100)


def _unlinked(entries: Iterable[Entry]) -> Iterable[Entry]:
    """The entries with hard links as files of their own."""
    entries = list(entries)
    files = {entry.path: entry for entry in entries}
    for entry in entries:
        if entry.kind != "hardlink":
            yield entry
            continue
        target = files[entry.link]
        yield dataclasses.replace(target, path=entry.path)


def built_code(plan: Plan, store: Store) -> tuple[WorkspaceCode, Installed]:
    """The code of a recipe that is built up to the migrated layer, out of the store's blobs.

    Raises BuildError where a part is not built.
    """
    growing = _Growing(plan.recipe.workspace)
    installed = Installed()
    env: list[Blob] = []
    for part in plan.stack("migrated"):
        blob = blob_of(part, store)
        if blob is None:
            raise BuildError(
                f"{plan.recipe.name}'s layer {part.layer} is not built",
                f"Build it: invoke build --recipe {plan.recipe.name} --layer migrated",
            )
        if part.layer == "env":
            env.append(blob)
            continue
        if env:
            _add_env(growing, env, plan, store)
            env = []
        found = growing.add(read_layer(store.layout.tar(blob.digest)), _origin(part))
        if isinstance(part.of, Install):
            installed = found
    if env:
        _add_env(growing, env, plan, store)
    return growing.code(), installed


def _add_env(growing: _Growing, blobs: list[Blob], plan: Plan, store: Store) -> None:
    """What the env layer has in the workspace: nothing, as a rule, which the index tells without reading the base."""
    below = plan.recipe.workspace.lstrip("/") + "/"
    foreign = sum(isinstance(part.of, BaseLayer) and part.of.number is not None for part in plan.stack("env"))
    index = image_index(blobs, store, foreign)
    if not any(entry.path.startswith(below) for entry in index):
        return
    for blob in blobs[foreign:]:
        growing.add(read_layer(store.layout.tar(blob.digest)), "env")


@contextmanager
def code_of(plan: Plan, store: Store, installed: Installed) -> Iterator[WorkspaceCode]:
    """The code that a plan gives, worked out from its sources; nothing need be built. It can be read inside the block.

    installed: what the install steps did when they were last run. Raises MigrationError where a patch has no place.
    """
    growing = _Growing(plan.recipe.workspace)
    blobs = _converted(plan, store)
    with store.workspace() as work, Spool(work) as spool:
        for part in plan.stack("migrated"):
            if isinstance(part.of, Install):
                growing.put(installed.entries, installed.removed, "install")
            elif part.kind == "data" and part.layer != "env":
                growing.add(part_layer(plan, part, store, spool, blobs), _origin(part))
            elif isinstance(part.of, Converted):
                growing.add(read_layer(store.layout.tar(blobs[part.key].digest)), "tree")
        yield growing.code()


def _converted(plan: Plan, store: Store) -> dict[Key, Blob]:
    """In image mode, what the converter of the image made."""
    found: dict[Key, Blob] = {}
    for part in plan.layer("migrated").parts:
        if isinstance(part.of, Converted):
            blob = blob_of(part, store)
            if blob is None:
                raise BuildError(
                    f"what the converter of the image makes for {plan.recipe.name} is not built",
                    f"Build it: invoke build --recipe {plan.recipe.name} --layer migrated",
                )
            found[part.key] = blob
    return found


def _origin(part: Part) -> Origin:
    match part.of:
        case Source():
            return "source"
        case Converted() | Trees():
            return "tree"
        case InstallFiles() | RecipeFiles():
            return "file"
        case Install():
            return "install"
        case WeightLinks():
            return "link"
        case BaseLayer() | Packages() | VendorInstall() | BuiltPackages() | Files() | SmallWeights() | LargeWeight():
            return "env"
        case other:
            never(other)


def code_key(plan: Plan) -> str:
    """A hash of everything that the code is made of but the install steps' environment: two plans of one key give the
    same code as long as what is installed stays."""
    kept: list[Any] = []
    for part in plan.stack("migrated"):
        if part.layer != "env" and part.kind == "data":
            kept.append([part.name, part.manifest])
        elif isinstance(part.of, Install | Converted):
            kept.append([part.name, part.manifest["instructions"]])
    return digest_of(kept)


def source_folders(recipe: Recipe) -> tuple[str, ...]:
    """The folders of the sources that are migrated: they stay as upstream has them, and are not laid out by default."""
    return recipe.model.migration.sources if recipe.model.migration else ()


def patched_folders(recipe: Recipe) -> set[str]:
    """The folders of the workspace that patch steps can change: migrated trees, and sources that are not migrated."""
    suffix = recipe.ruleset.suffix if recipe.model.migration else ""
    return {f"{name}{suffix}" for name in source_folders(recipe)} | recipe.unmigrated_sources
