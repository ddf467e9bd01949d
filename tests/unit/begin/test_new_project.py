"""`invoke init`: what a new project has, and that nothing of a person's is lost."""

import os
import re
import subprocess
from pathlib import Path

import calls
import pytest

from portside.begin import example_names, make_project
from portside.cli.root import CHECKOUT
from portside.common.url import SecretUrl
from portside.config import Config, Mirrors, load_config
from portside.errors import PortsideError, RecipeError
from portside.lock.file import check_lock, read_lock
from portside.plan.parts import plan
from portside.project import Project
from portside.recipe import find_recipes, load_recipe

FILES = {
    ".github/workflows/portside.yml",
    ".gitignore",
    ".gitlab-ci.yml",
    "portside.toml",
    "recipes/hello.yaml",
    "recipes/hello/checks/test_hello.py",
    "recipes/hello/hello.py",
    "tasks.py",
}


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_new_project_is_whole(tmp_path: Path) -> None:
    made = make_project(tmp_path / "a" / "demo")
    assert made.recipe == "hello"
    assert set(made.written) == set(files(tmp_path / "a" / "demo")) == FILES
    project = Project.find(tmp_path / "a" / "demo" / "recipes")
    assert project.root == tmp_path / "a" / "demo"
    assert project.recipe("hello").model.accelerator.name == "cpu"


def test_our_own_repository_is_such_a_project() -> None:
    assert Project.find(CHECKOUT / "docs").root == CHECKOUT
    assert (CHECKOUT / "tasks.py").read_bytes() == (CHECKOUT / "portside/begin/files/tasks.py").read_bytes()


def test_what_is_there_and_the_same_stays(tmp_path: Path) -> None:
    make_project(tmp_path)
    (tmp_path / "recipes" / "hello.yaml").unlink()
    os.utime(tmp_path / "tasks.py", (1, 1))
    assert make_project(tmp_path).written == ("recipes/hello.yaml",)
    assert make_project(tmp_path).written == ()
    assert (tmp_path / "tasks.py").stat().st_mtime == 1


def in_the_way(folder: Path) -> None:
    (folder / "tasks.py").write_text("theirs = 1\n")
    (folder / "elsewhere").mkdir()
    (folder / ".gitignore").symlink_to("gone")
    (folder / "recipes").mkdir()
    (folder / "recipes" / "hello").touch()
    (folder / "portside.toml").mkdir()


def test_nothing_is_overwritten_and_nothing_is_written_beside_it(tmp_path: Path) -> None:
    in_the_way(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RecipeError) as caught:
        make_project(tmp_path)
    assert caught.value.problem.partition(": ")[2].split(", ") == [
        ".gitignore",
        "portside.toml",
        "recipes/hello/checks/test_hello.py",
        "recipes/hello/hello.py",
        "tasks.py",
    ]
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "tasks.py").read_text() == "theirs = 1\n"


def test_a_file_is_no_place_for_a_project(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("theirs")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(PortsideError):
            make_project(folder)
    assert files(tmp_path) == {"file": b"theirs"}


@pytest.mark.parametrize("name", example_names())
def test_an_example_comes_with_all_that_it_needs(tmp_path: Path, name: str) -> None:
    make_project(tmp_path, name)
    recipe, origin = load_recipe(tmp_path, name), load_recipe(CHECKOUT, name)
    assert find_recipes(tmp_path) == sorted(folder.name for folder in origin.folders)
    keys = []
    for one in (recipe, origin):
        if (lock := read_lock(one.lock_path)) is not None:
            check_lock(one, lock)
            keys.append([layer.key for layer in plan(one, lock).layers])
    assert keys == keys[:1] * 2 or not origin.lock_path.exists()


def test_examples_are_those_of_the_repository() -> None:
    assert example_names() == find_recipes(CHECKOUT)


def test_an_example_is_added_to_a_project(tmp_path: Path) -> None:
    make_project(tmp_path)
    (tmp_path / "portside.toml").write_text('engine = "podman"\n')
    written = make_project(tmp_path, "chatglm-cpu").written
    assert {path.partition("/")[0] for path in written} == {"recipes"}
    assert find_recipes(tmp_path) == ["chatglm", "chatglm-cpu", "hello"]
    (tmp_path / "recipes" / "chatglm.yaml").write_text("description: mine\n")
    with pytest.raises(RecipeError, match=r"would be: recipes/chatglm\.yaml\n"):
        make_project(tmp_path, "chatglm-ptuning")
    assert find_recipes(tmp_path) == ["chatglm", "chatglm-cpu", "hello"]


def test_an_unknown_example_is_told_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no example 'minlm'") as caught:
        make_project(tmp_path / "new", "minlm")
    assert caught.value.solution == f"Did you mean 'minilm'? The examples are {', '.join(example_names())}."
    for name in ("../recipes/minilm", "", "MiniLM"):
        with pytest.raises(RecipeError):
            make_project(tmp_path / "new", name or ".")
    assert not (tmp_path / "new").exists()


def test_settings_name_every_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    make_project(tmp_path)
    path = tmp_path / "portside.toml"
    assert load_config(tmp_path).engine is None, "as it comes it says nothing"
    path.write_text(re.sub(r"^# (?=[\[a-z_]+( =|\]))", "", path.read_text(), flags=re.MULTILINE))
    assert load_config(tmp_path).mirrors.debian == (SecretUrl("https://mirror.example/debian"),)
    for key in [*Config.model_fields, *Mirrors.model_fields]:
        assert re.search(rf"^\[?{key}\b", path.read_text(), re.MULTILINE), key


def call(cwd: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return calls.call(cwd, words, {"HOME": str(cwd)})


def test_the_folder_may_be_left_out(tmp_path: Path) -> None:
    done = call(tmp_path, "init")
    assert done.returncode == 0, done.stderr
    assert set(files(tmp_path)) == FILES
    assert done.stderr.endswith("\nBuild it: portside build --recipe hello\n")
    done = call(tmp_path, "init", "--example", "minilm")
    assert done.stderr.endswith("\nBuild it: portside build --recipe minilm\n")
    done = call(tmp_path, "init", "my models", "--example=minilm")
    assert done.stderr.endswith("\nBuild it: cd 'my models' && portside build --recipe minilm\n")
    assert "hello" not in call(tmp_path / "my models", "recipes").stdout
    done = call(tmp_path, "init", "one", "two")
    assert (done.returncode, (tmp_path / "one").exists()) == (2, False)
    assert "init does not take 'two'" in done.stderr
