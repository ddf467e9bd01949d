"""What a bundle holds: `bundle.json`, its first member, and which members a recipe's lock asks for.

A bundle is a tar in the form of a canonical layer (docs/canonical-layer.md), so the same lock gives the same bytes:

    bundle.json               the list of all other members
    git/COMMIT.pack           each git source (pack.py)
    inputs/SHA256             .debs, wheels, sdists, weights, the documents of a registry's image
    layers/SHA256             the layers of the base
    accelerators/NAME.yaml, rulesets/NAME.yaml    those of the recipe that its project has, and not Portside
    recipes/NAME.yaml, NAME.lock, NAME/…    the recipe, and those that it extends
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

from portside.accelerators.load import accelerator_path
from portside.common.tree import Tree, file_entry
from portside.common.values import Key, RecipeName, Sha256, Size, Word
from portside.errors import RecipeError
from portside.lock.inputs import base_documents, base_layers, git_sources, locked_files
from portside.lock.record import LockedInput
from portside.lock.sources import LockedGitSource
from portside.migrate.rulesets import ruleset_path
from portside.plan.model import Plan
from portside.recipe import Recipe

NAME = "bundle.json"
FORMAT: Literal["portside bundle 1"] = "portside bundle 1"

_UNWANTED = ("__pycache__", ".pytest_cache")
"""Folders that running a recipe's checks leaves in its folder."""


class Member(BaseModel):
    """size: bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    path: str
    size: Size
    sha256: Sha256


class Contents(BaseModel):
    """`bundle.json`. keys: of the layers, as the Portside that wrote the bundle computed them. portside: its version;
    bundles of before it was noted have none."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    format: Literal["portside bundle 1"] = FORMAT
    portside: Annotated[str, AfterValidator(Word)] | None = None
    recipe: RecipeName
    keys: dict[str, Key]
    members: tuple[Member, ...]


def pack_path(source: LockedGitSource) -> str:
    return f"git/{source.commit}.pack"


def input_members(plan: Plan, size_of: Callable[[Sha256], Size]) -> list[Member]:
    """Every member but the recipes and the git packs; the lock says their sizes and hashes.

    size_of: bytes of a layer of the base of which the lock says only what travels (diff ID).
    """
    files = [("inputs", *file.pin()) for file in [*locked_files(plan.lock), *base_documents(plan.lock)]]
    layers = [("layers", *_pinned(file, size_of).pin()) for file in base_layers(plan.lock)]
    return [Member(path=f"{kind}/{sha256}", size=size, sha256=sha256) for kind, sha256, size in [*files, *layers]]


def _pinned(layer: LockedInput, size_of: Callable[[Sha256], Size]) -> LockedInput:
    if layer.size is None and layer.sha256 is not None:
        return replace(layer, size=size_of(layer.sha256))
    return layer


def pack_paths(plan: Plan) -> set[str]:
    return {pack_path(source) for source in git_sources(plan.lock)}


def chain(recipe: Recipe) -> list[str]:
    """The names of the recipe and of those it extends."""
    return [folder.name for folder in recipe.folders]


def own_files(recipe: Recipe) -> dict[str, Path]:
    """Member -> file: the recipe's accelerator and ruleset, if they are the project's own."""
    migration = recipe.model.migration
    paths = [accelerator_path(recipe.model.accelerator.name, root=recipe.root)]
    paths += [ruleset_path(migration.ruleset, recipe.root)] if migration else []
    return {f"{path.parent.name}/{path.name}": path for path in paths if path.parent.parent == recipe.root}


def recipe_tree(recipe: Recipe) -> Tree:
    """The recipe with its lock and all it extends, as files below recipes/, and the project's files that it uses.

    Raises RecipeError for what is no file.
    """
    tree = Tree(file_entry(member, path.read_bytes()) for member, path in own_files(recipe).items())
    root = recipe.path.parent
    names = [f"{name}.yaml" for name in chain(recipe)]
    for name in [*names, recipe.lock_path.name]:
        tree.put(file_entry(f"recipes/{name}", (root / name).read_bytes()))
    for folder in recipe.folders:
        for entry in Tree.from_folder(folder) if folder.is_dir() else ():
            if any(part in _UNWANTED for part in entry.path.split("/")) or entry.kind == "dir":
                continue
            if entry.kind != "file":
                raise RecipeError(
                    f"{folder / entry.path} is a {entry.kind}, which a bundle does not carry",
                    "Put the file itself there.",
                )
            path = f"recipes/{folder.name}/{entry.path}"
            tree.put(replace(entry, path=path, mode=0o755 if entry.mode & 0o100 else 0o644))
    return tree
