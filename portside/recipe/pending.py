"""A change of several files of a recipe that happens at once: a kill leaves the old recipe or the new one.

The new files lie complete in a folder beside the recipe before the first of them is put in its place. A call that is
killed while they are put there leaves that folder, and whoever reads the recipe next puts the rest in its place first.
"""

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from portside.common.canonical import sha256_hex
from portside.common.outputs import sync_folder, write_bytes
from portside.errors import RecipeError

_LIST = "list.json"


@dataclass(frozen=True, slots=True)
class NewFile:
    """What a file of `recipes/` becomes. mode: its permission bits."""

    data: bytes
    mode: int = 0o644


def pending_folder(root: Path, name: str) -> Path:
    return root / "recipes" / f".{name}.change"


def change_recipe(root: Path, name: str, files: Mapping[str, NewFile | None]) -> None:
    """Give files of `root`/recipes, by their paths there, new bytes; None removes one. All of it happens, or nothing.

    Raises StoreError where they cannot be written.
    """
    recipes = root / "recipes"
    finish_change(root, name)
    new = recipes / f".{name}.{secrets.token_hex(4)}.new"
    _remove_abandoned(recipes, name)
    new.mkdir()
    rows = []
    try:
        for number, (path, file) in enumerate(sorted(files.items())):
            rows.append([path, _digest(recipes / path), None if file is None else [str(number), file.mode]])
            if file is not None:
                write_bytes(new / str(number), file.data)
        write_bytes(new / _LIST, json.dumps(rows).encode())
        new.rename(pending_folder(root, name))
        sync_folder(recipes)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    finish_change(root, name)


def finish_change(root: Path, name: str) -> None:
    """Finish a change of a recipe that was cut short, if there is one.

    Raises RecipeError where a file of it has been edited since.
    """
    folder, recipes = pending_folder(root, name), root / "recipes"
    if not folder.is_dir():
        return
    with suppress(FileNotFoundError):  # another call has just finished it
        rows = json.loads((folder / _LIST).read_bytes())
        for path, before, after in rows:
            target = recipes / path
            data = None if after is None else (folder / after[0]).read_bytes()
            wanted = None if data is None else sha256_hex(data)
            if _digest(target) not in (before, wanted):
                raise RecipeError(
                    f"a change of the recipe '{name}' was cut short, and {target} has been edited since",
                    f"What it was to become is in {folder}; take over what you need, and remove that folder.",
                )
        for path, _, after in rows:
            target = recipes / path
            if after is None:
                _remove(target, recipes)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                write_bytes(target, (folder / after[0]).read_bytes(), after[1])
        done = recipes / f".{name}.{secrets.token_hex(4)}.new"
        folder.rename(done)
        shutil.rmtree(done, ignore_errors=True)


def _digest(path: Path) -> str | None:
    try:
        return sha256_hex(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None


def _remove(target: Path, recipes: Path) -> None:
    with suppress(FileNotFoundError):
        target.unlink()
    above = target.parent
    while above not in (recipes, recipes.parent):
        try:
            above.rmdir()
        except OSError:
            return
        above = above.parent


def _remove_abandoned(recipes: Path, name: str) -> None:
    """Remove what a call left that was killed before its files were complete."""
    for left in recipes.glob(f".{name}.*.new"):
        if os.path.isdir(left):
            shutil.rmtree(left, ignore_errors=True)
