"""The trees that data layers are made of, each from verified inputs alone; no engine, no network."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from portside.common.never import never
from portside.common.tree import Entry, Tree, file_entry
from portside.common.values import Key
from portside.errors import LockError, fetch_once
from portside.inputs.kinds import SOURCES, WEIGHTS
from portside.inputs.spool import Spool
from portside.layers.canonical import data_layer
from portside.layers.layer import Layer
from portside.layers.writer import read_layer
from portside.lock.models import Lock, LockedWeights
from portside.lock.packages import PackageSet, PythonSet
from portside.lock.sources import LockedSource
from portside.plan.instructions import builder_context, converter_context
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
from portside.plan.places import check_layer
from portside.recipe import Recipe
from portside.store import Store
from portside.store.layout import Blob
from portside.trees.migrated import Over, converted_tree, migrated_tree, over


def source_tree(source: LockedSource, store: Store, spool: Spool) -> Tree:
    """A source exactly as its input has it; paths relative to the source's folder."""
    return SOURCES[source.kind].tree(source, store, spool)


def weights_tree(weights: LockedWeights, store: Store) -> Tree:
    """All files of one set of weights; paths relative to its folder, bytes left where they are."""
    tree = Tree()
    for file in weights.files:
        if file.size is None or file.sha256 is None:
            raise LockError(f"the lock has no sha256 for {file.path}", fetch_once)
        content = WEIGHTS[weights.kind].content(weights, file, store)
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
        for pip in python.installers:
            place = store.inputs.require(pip.sha256, pip.file)
            path = f"installer/{pip.file}"
            tree.put(Entry(path, "file", 0o644, size=pip.size, sha256=pip.sha256, content=place))
        lines = [f"{w.name}=={w.version} --hash=sha256:{w.sha256}\n" for w in python.all_wheels()]
        tree.put(file_entry("requirements.txt", "".join(lines).encode()))
    return tree


def vendor_context(packages: PackageSet, store: Store) -> Tree:
    """What the RUN of one recipe's vendor files sees at its bind mount: the files."""
    tree = Tree()
    for item in (item for file in packages.vendor for item in file.inputs("env")):
        sha256, size = item.pin()
        place = store.inputs.require(sha256, item.file)
        tree.put(Entry(item.file, "file", 0o644, size=size, sha256=sha256, content=place))
    return tree


def build_context(python: PythonSet, store: Store) -> Tree:
    """What the RUN that builds one recipe's source distributions sees at its bind mount."""
    built = python.built
    assert built is not None, "only what is built has a context"
    tree = builder_context(built)
    for folder, files in (("sdists", built.sdists), ("tools", built.tools), ("installer", python.installers)):
        for file in files:
            place = store.inputs.require(file.sha256, file.file)
            entry = Entry(f"{folder}/{file.file}", "file", 0o644, size=file.size, sha256=file.sha256, content=place)
            tree.put(entry)
    return tree


def run_context(plan: Plan, part: Part, store: Store) -> dict[str, Tree]:
    """What a run part's instructions see at their bind mounts, by the folder in the context."""
    match part.of:
        case Packages(recipe):
            packages = plan.lock.env.of(recipe)
            assert packages is not None, recipe
            return {f"env/{recipe}": env_context(packages, store)}
        case VendorInstall(recipe):
            packages = plan.lock.env.of(recipe)
            assert packages is not None, recipe
            return {f"vendor/{recipe}": vendor_context(packages, store)}
        case BuiltPackages(recipe):
            packages = plan.lock.env.of(recipe)
            assert packages is not None and packages.python is not None, recipe
            return {f"build/{recipe}": build_context(packages.python, store)}
        case Converted():
            return {"converter": converter_context()}
        case Install():
            return {}
        case BaseLayer() | Files() | Source() | Trees() | InstallFiles() | RecipeFiles() | WeightLinks():
            raise AssertionError(f"{part.name} is executed by no engine")
        case SmallWeights() | LargeWeight():
            raise AssertionError(f"{part.name} is executed by no engine")
        case other:
            never(other)


def part_layer(plan: Plan, part: Part, store: Store, spool: Spool, blobs: Mapping[Key, Blob]) -> Layer:
    """The layer of one part that we write. What has no time of its own, as files that we write, gets the part's epoch.

    blobs: of other parts, by key; what is made from a run part's result needs that one's. Raises RecipeError where
    it has something where weights lie.
    """
    layer = _part_layer(plan, part, store, spool, blobs)
    if part.layer != "weights":
        check_layer(plan, part, layer)
    return layer


def _part_layer(plan: Plan, part: Part, store: Store, spool: Spool, blobs: Mapping[Key, Blob]) -> Layer:
    workspace = plan.recipe.workspace.lstrip("/")
    match part.of:
        case Files(recipe):
            stage = next(stage for stage in plan.recipe.stages if stage.recipe == recipe)
            tree = plan.recipe.file_tree(stage.files)
        case Source(name):
            tree = source_tree(plan.lock.sources[name], store, spool).at(f"{workspace}/{name}")
        case Trees():
            converted = None
            if part.after is not None:
                store.layout.check(blobs[part.after])
                converted = read_layer(store.layout.tar(blobs[part.after].digest))
            return migrated_layer(plan, part, _migrated_sources(plan.recipe, plan.lock, store, spool), converted)
        case InstallFiles():
            tree = plan.recipe.file_tree(plan.recipe.files_below_install).at(workspace)
        case RecipeFiles():
            tree = plan.recipe.file_tree(plan.recipe.files_above_install).at(workspace)
        case WeightLinks():
            tree = link_tree(part).at(workspace)
        case SmallWeights(name, paths):
            tree = _some_weights(plan.lock.weights[name], paths, store).at(f"{workspace}/weights/{name}")
        case LargeWeight(name, path):
            tree = _some_weights(plan.lock.weights[name], (path,), store).at(f"{workspace}/weights/{name}")
        case BaseLayer() | Packages() | VendorInstall() | BuiltPackages() | Converted() | Install():
            raise AssertionError(f"{part.name} is made of no tree")
        case other:
            never(other)
    return data_layer(_timed(tree, part.epoch), part.epoch)


def link_tree(part: Part) -> Tree:
    """The links to weights in a part, if it has any; paths relative to the workspace."""
    return Tree(Entry(path, "symlink", 0o777, link=target) for path, target in part.manifest.get("links", {}).items())


def _some_weights(weights: LockedWeights, paths: Collection[str], store: Store) -> Tree:
    chosen = tuple(file for file in weights.files if file.path in paths)
    return weights_tree(weights.model_copy(update={"files": chosen}), store)


def migrated_layer(plan: Plan, part: Part, sources: Mapping[str, Tree], converted: Layer | None) -> Layer:
    """The layer of the part `trees`. sources: by name, at least those that the recipe migrates or patches, paths
    relative to each.

    converted: in image mode, the layer that the image's converter made.
    """
    workspace = plan.recipe.workspace.lstrip("/")
    made = over_sources(plan, sources, converted)
    layer = data_layer(_timed(made.tree.at(workspace), part.epoch), part.epoch)
    return replace(layer, whiteouts=tuple(f"{workspace}/{path}" for path in made.removed))


def over_sources(plan: Plan, sources: Mapping[str, Tree], converted: Layer | None) -> Over:
    """What the migrated layer has over the sources and, in image mode, over what the image's converter made of them;
    paths relative to the workspace. The arguments are those of `migrated_layer`."""
    recipe = plan.recipe
    if converted is None and not recipe.patched_sources:
        return Over(migrated_tree(recipe, sources), (), ())
    made = converted_tree(recipe, converted) if converted is not None else None
    below = [*(made or ()), *(entry for name in recipe.patched_sources for entry in sources[name].at(name))]
    return over(migrated_tree(recipe, sources, made), Tree(below))


def _timed(tree: Tree, epoch: int) -> Tree:
    return Tree(entry if entry.mtime else replace(entry, mtime=epoch) for entry in tree)


def _migrated_sources(recipe: Recipe, lock: Lock, store: Store, spool: Spool) -> dict[str, Tree]:
    return {name: source_tree(lock.sources[name], store, spool) for name in recipe.tree_sources}
