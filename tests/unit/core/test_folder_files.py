"""Folders among a recipe's files."""

from pathlib import Path

import pytest

from portside.errors import RecipeError
from portside.recipe import Recipe, load_recipe

RECIPE = """\
description: folders
base: {{archive: {{file: b.tar, origin: x}}}}
accelerator: {{name: cpu}}
env: {{files: [{{from: etc, to: /etc/app}}]}}
files: [{files}]
{more}
"""


def recipe(tmp_path: Path, files: str, more: str = "") -> Recipe:
    (tmp_path / "recipes/r.yaml").write_text(RECIPE.format(files=files, more=more))
    return load_recipe(tmp_path, "r")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    for path, text in {
        "tools/run.sh": "#!/bin/sh\n",
        "tools/deep/a.txt": "a",
        "tools/__pycache__/x.pyc": "",
        "etc/app.conf": "c",
        "one.txt": "1",
    }.items():
        place = tmp_path / "recipes/r" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    (tmp_path / "recipes/r/tools/run.sh").chmod(0o700)
    return tmp_path / "recipes/r/tools"


def modes(made: Recipe) -> dict[str, int]:
    return {entry.path: entry.mode for entry in made.file_tree(made.model.files)}


def test_a_folder_stands_for_all_that_is_in_it(tmp_path: Path, folder: Path) -> None:
    made = recipe(tmp_path, "{from: tools, to: bin}, {from: one.txt, to: bin/one.txt}")
    assert modes(made) == {"bin/run.sh": 0o755, "bin/deep/a.txt": 0o644, "bin/one.txt": 0o644}
    assert [entry.path for entry in made.file_tree(made.model.env.files)] == ["etc/app/app.conf"]
    assert set(modes(recipe(tmp_path, '{from: tools, to: bin, mode: "0755"}')).values()) == {0o755}
    # An install step names one of them, and what it needs lies below it.
    made = recipe(tmp_path, "{from: tools, to: bin}", "install: [{run: 'sh bin/run.sh', files: [bin/run.sh]}]")
    assert [file.to for file in made.files_below_install] == ["bin/run.sh"]
    assert [file.to for file in made.files_above_install] == ["bin/deep/a.txt"]


def test_a_recipe_that_extends_another_adds_to_its_folder(tmp_path: Path, folder: Path) -> None:
    recipe(tmp_path, "{from: tools, to: bin}")
    own = tmp_path / "recipes/up/tools"
    (own / "deep").mkdir(parents=True)
    (own / "deep/a.txt").write_text("mine")
    (own / "new").write_text("n")
    (tmp_path / "recipes/up.yaml").write_text("extends: r\ndescription: up\n")
    made = load_recipe(tmp_path, "up")
    found = {entry.path: entry.read() for entry in made.file_tree(made.model.files)}
    assert found == {"bin/run.sh": b"#!/bin/sh\n", "bin/deep/a.txt": b"mine", "bin/new": b"n"}


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ("{from: nothing, to: x}", r"r\.yaml:5: files\.0\.from: no file nothing in"),
        ("{from: tools, to: bin}, {from: one.txt, to: bin/run.sh}", "two files go to bin/run.sh"),
        ("{from: linked, to: x}", r"files\.0\.from: .*linked leads out of"),
        ("{from: with-link, to: x}", r"files\.0\.from: with-link/l is a symlink, no plain file"),
        ("{from: empty, to: x}", r"files\.0\.from: the folder empty is empty"),
        ("{from: odd, to: x}", "cannot be one in an image"),
    ],
)
def test_what_cannot_be_taken(tmp_path: Path, folder: Path, files: str, problem: str) -> None:
    own = folder.parent
    (own / "linked").symlink_to(tmp_path)
    for name in ("with-link", "empty", "odd"):
        (own / name).mkdir()
    (own / "with-link/l").symlink_to("../one.txt")
    (own / "odd/a$b").touch()
    with pytest.raises(RecipeError, match=problem):
        recipe(tmp_path, files)
