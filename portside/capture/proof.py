"""The proof of a capture: the recipe that it would write gives the working folder's code, byte for byte."""

import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from portside.common.canonical import sha256_hex
from portside.common.tree import encode_path
from portside.develop.code import Installed, WorkspaceCode, code_of, source_folders
from portside.develop.repository import WorkRepository
from portside.lock.models import Lock
from portside.plan.model import Plan
from portside.plan.parts import plan
from portside.recipe import Recipe, load_recipe
from portside.recipe.pending import NewFile
from portside.store import Store

BESIDE = ("rulesets", "accelerators")
"""Folders of a project that recipes name things of."""


@dataclass(frozen=True)
class Rebuilt:
    """A recipe that is not written yet, its plan, and the code that it gives."""

    recipe: Recipe
    plan: Plan
    code: WorkspaceCode


@contextmanager
def staged(recipe: Recipe, files: Mapping[str, NewFile | None]) -> Iterator[Recipe]:
    """The recipe as it would be with these files of `recipes/`, by their paths there; a copy of what it consists of.

    Raises RecipeError where it would be none.
    """
    with TemporaryDirectory(prefix="portside-capture-") as scratch:
        root = Path(scratch)
        recipes = root / "recipes"
        recipes.mkdir()
        for folder in recipe.folders:
            shutil.copy2(folder.with_name(f"{folder.name}.yaml"), recipes)
            if folder.is_dir():
                shutil.copytree(folder, recipes / folder.name, symlinks=True)
        for name in BESIDE:
            if (recipe.root / name).is_dir():
                (root / name).symlink_to((recipe.root / name).resolve(), target_is_directory=True)
        for path, new in files.items():
            target = recipes / path
            if new is None:
                target.unlink(missing_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(new.data)
                target.chmod(new.mode)
        yield load_recipe(root, recipe.name)


def rebuild(recipe: Recipe, lock: Lock, store: Store, installed: Installed) -> Rebuilt:
    """Make the code of a recipe anew, from its sources. Raises MigrationError where a patch has no place."""
    made = plan(recipe, lock)
    with code_of(made, store, installed) as code:
        return Rebuilt(recipe, made, code)


def differing(
    rebuilt: Rebuilt, repository: WorkRepository, tree: str, sources: bool, but: Collection[str]
) -> list[str]:
    """The paths of a working folder's tree that the recipe gives otherwise, each with how.

    sources: whether the sources that are migrated are laid out there. but: paths that nobody expects to be the same.
    """
    hidden = () if sources else source_folders(rebuilt.recipe)
    given = {
        entry.path: entry
        for entry in rebuilt.code.tree
        if entry.kind != "dir"
        and entry.path.partition("/")[0] not in hidden
        and rebuilt.code.origins.get(entry.path) != "report"
        and entry.path not in but
    }
    report = {path for path, origin in rebuilt.code.origins.items() if origin == "report"}
    there = {path: found for path, found in repository.listing(tree).items() if path not in report and path not in but}
    hashes = {name: sha256_hex(data) for name, data in repository.blobs({name for _, name in there.values()})}
    links = dict(repository.blobs({n for m, n in there.values() if m == "120000"}))
    found = []
    for path in sorted(given.keys() | there.keys(), key=encode_path):
        entry, own = given.get(path), there.get(path)
        if entry is None:
            found.append(f"{path}: the recipe does not give it")
        elif own is None:
            found.append(f"{path}: the recipe gives it, and the folder does not have it")
        elif (entry.kind == "symlink") != (own[0] == "120000"):
            found.append(f"{path}: one of the two is a link")
        elif entry.kind == "symlink":
            if encode_path(entry.link) != links[own[1]]:
                found.append(f"{path}: it leads elsewhere")
        elif entry.sha256 != hashes[own[1]]:
            found.append(f"{path}: other bytes")
        elif bool(entry.mode & 0o100) != (own[0] == "100755"):
            found.append(f"{path}: one of the two may be executed")
    return found
