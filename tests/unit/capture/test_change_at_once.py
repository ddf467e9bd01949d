"""A change of a recipe's files is whole or not there, wherever the process that makes it is killed."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from portside.errors import RecipeError
from portside.recipe import load_recipe, pending
from portside.recipe.pending import NewFile, change_recipe, pending_folder

RECIPE = "description: {}\nbase: {{archive: {{file: b.tar, origin: x}}}}\naccelerator: {{name: cpu}}\n{}"
BEFORE = {"r.yaml": RECIPE.format("old", "files: [{from: a, to: a}]\n").encode(), "r/a": b"old\n", "r/gone": b"g\n"}
AFTER = {
    "r.yaml": RECIPE.format("new", "files: [{from: a, to: a}, {from: b, to: b}]\n").encode(),
    "r/a": b"new\n",
    "r/b": b"b\n",
}
CHANGE: dict[str, NewFile | None] = {**{path: NewFile(data) for path, data in AFTER.items()}, "r/gone": None}
CALLS = ("write_bytes", "sync_folder", "_remove")
"""What a change does step by step; between any two the process may end."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path, data in BEFORE.items():
        (tmp_path / "recipes" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "recipes" / path).write_bytes(data)
    return tmp_path


def found(root: Path) -> dict[str, bytes]:
    folder = root / "recipes"
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def killed_at(root: Path, number: int) -> bool:
    """Make the change in a process that is killed before its step `number`; False where it had no so many."""
    child = os.fork()
    if not child:
        try:
            _change(root, number)
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or status == 0
    return os.WIFSIGNALED(status)


def _change(root: Path, left: int) -> None:
    def counted(function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **named)

        return call

    for name in CALLS:
        setattr(pending, name, counted(getattr(pending, name)))
    for name in ("rename", "mkdir"):
        setattr(Path, name, counted(getattr(Path, name)))
    change_recipe(root, "r", CHANGE)


def test_killed_anywhere_the_recipe_is_the_old_or_the_new_one(root: Path) -> None:
    seen = set()
    for number in range(100):
        for path in sorted((root / "recipes").rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        for path, data in BEFORE.items():
            (root / "recipes" / path).parent.mkdir(parents=True, exist_ok=True)
            (root / "recipes" / path).write_bytes(data)
        killed = killed_at(root, number)
        recipe = load_recipe(root, "r")
        now = {path: data for path, data in found(root).items() if not path.startswith(".")}
        assert now == (AFTER if recipe.model.description == "new" else BEFORE), number
        seen.add(recipe.model.description)
        change_recipe(root, "r", CHANGE)
        assert found(root) == AFTER, "what a killed call left is cleared away"
        if not killed:
            break
    assert seen == {"old", "new"} and number > 8, number


def test_what_was_edited_meanwhile_is_not_overwritten(root: Path) -> None:
    for number in range(100):
        killed_at(root, number)
        if pending_folder(root, "r").exists():
            break
    (root / "recipes/r/a").write_bytes(b"mine\n")
    with pytest.raises(RecipeError, match=r"cut short, and .*r/a has been edited since"):
        load_recipe(root, "r")
    assert (root / "recipes/r/a").read_bytes() == b"mine\n"
    assert (root / "recipes/r.yaml").read_bytes() == BEFORE["r.yaml"]
