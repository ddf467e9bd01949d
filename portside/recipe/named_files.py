"""Folders among the files that a recipe names: all that is in one, each file by itself."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from portside.common.tree import Entry, Tree
from portside.errors import RecipeError
from portside.recipe.models import File

F = TypeVar("F", bound=File)

LEFT_OUT = ("__pycache__", ".pytest_cache")
"""What running the files leaves among them."""


def expanded(files: Sequence[F], folders: Sequence[Path], recipe: Path) -> Iterator[F]:
    """The files, with those of a folder in its place, by path.

    folders: the recipe's own, then those of the recipes that it extends: what several have, the first of them gives.
    recipe: its file, for errors. Raises RecipeError for a folder that is empty, or holds what is no plain file.
    """
    for file in files:
        there = [folder / file.source for folder in folders if (folder / file.source).exists()]
        if not there or not there[0].is_dir() or there[0].is_symlink():
            yield file
            continue
        found = {
            entry.path: entry
            for path in reversed(there)
            if path.is_dir() and not path.is_symlink()
            for entry in Tree.from_folder(path)
            if entry.kind != "dir" and not any(part in LEFT_OUT for part in entry.path.split("/"))
        }
        if not found:
            raise RecipeError.about(recipe, f"the folder {file.source} is empty", "Put files into it, or leave it out.")
        for path, entry in sorted(found.items()):
            yield _one(file, path, entry, recipe)


def _one(folder: F, path: str, entry: Entry, recipe: Path) -> F:
    if entry.kind != "file":
        raise RecipeError.about(
            recipe, f"{folder.source}/{path} is a {entry.kind}, no plain file", "Put the file itself there."
        )
    mode = "0755" if entry.mode & 0o100 else "0644"
    said = {
        "from": f"{folder.source}/{path}",
        "to": f"{folder.to}/{path}",
        "mode": folder.mode if "mode" in folder.model_fields_set else mode,
    }
    try:
        return type(folder).model_validate(said)
    except ValidationError:
        raise RecipeError.about(
            recipe, f"the name of {folder.source}/{path!r} cannot be one in an image", "Give the file another name."
        ) from None
