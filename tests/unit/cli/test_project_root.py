"""Which project a call is about, in processes of their own: where it is called, and by which of the commands."""

import os
import subprocess
import sys
from pathlib import Path

import calls
import pytest

from portside.cli.root import CHECKOUT
from portside.common.root import find_root

LINE = "from portside.cli.tasks import *\n"
RECIPE = "description: of {}\nbase: {{debian: {{suite: bookworm}}}}\naccelerator: {{name: cpu}}\n"
COMMANDS = ("portside", "invoke")


def project(root: Path, *marks: str) -> Path:
    """A folder with a recipe that has its name."""
    (root / "recipes").mkdir(parents=True)
    (root / "recipes" / f"{root.name}.yaml").write_text(RECIPE.format(root.name))
    for mark in marks:
        (root / mark).write_text(LINE if mark == "tasks.py" else "")
    return root


def call(cwd: Path, *words: str, program: str = "portside") -> "subprocess.CompletedProcess[str]":
    return calls.call(cwd, words, {"PORTSIDE_HOME": str(cwd / "home"), "HOME": str(cwd)}, program)


def shown(cwd: Path, *words: str, program: str = "portside") -> list[str]:
    """The names of the recipes that this call knows."""
    done = call(cwd, *words, "recipes", program=program)
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if not line.startswith(" ")]


@pytest.mark.parametrize("mark", ["portside.toml", "tasks.py"])
def test_the_nearest_project_upwards(tmp_path: Path, mark: str) -> None:
    outer = project(tmp_path / "outer", mark)
    inner = project(outer / "a" / "inner", mark)
    (inner / "recipes" / "inner").mkdir()
    assert find_root(inner / "recipes" / "inner") == inner
    assert find_root(outer / "a") == outer
    assert find_root(tmp_path) is None
    (inner / mark).unlink()
    assert find_root(inner) == outer, "recipes/ alone make no project"
    assert shown(inner) == ["outer"]
    assert shown(tmp_path, "--search-root", str(outer / "a")) == ["outer"]
    assert shown(tmp_path, "-r", "outer/a") == ["outer"]


def test_invoke_is_about_the_project_of_its_tasks(tmp_path: Path) -> None:
    one, other = project(tmp_path / "one", "tasks.py"), project(tmp_path / "other", "tasks.py")
    inner = project(one / "inner", "portside.toml")
    assert shown(one, program="invoke") == shown(one / "recipes", program="invoke") == ["one"]
    assert shown(one, "-r", str(other), program="invoke") == ["other"]
    assert shown(inner, program="invoke") == shown(inner) == ["inner"]


def test_tasks_without_recipes_are_a_project_to_be(tmp_path: Path) -> None:
    """As where a bundle is about to be unpacked."""
    outer = project(tmp_path / "outer", "tasks.py")
    (outer / "new").mkdir()
    (outer / "new" / "tasks.py").write_text(LINE)
    assert shown(outer / "new", program="invoke") == ["no recipes: write one to recipes/NAME.yaml (docs/recipe.md)"]


def test_without_a_project(tmp_path: Path) -> None:
    done = call(tmp_path, "build", "--recipe", "x")
    assert (done.returncode, done.stdout) == (2, "")
    problem = f"neither {tmp_path} nor a folder above it has recipes/ and, beside it, portside.toml or tasks.py"
    remedy = "Change to a project, or make one: portside init FOLDER"
    assert done.stderr == f"error: no project here: {problem}\n  {remedy}\n"
    assert call(tmp_path, "-r", "gone", "recipes").stderr.startswith(
        f"error: no project here: neither {tmp_path}/gone "
    )
    assert call(tmp_path, "build").stderr.startswith(
        "error: build needs --recipe, --all or --changed-since\n  Example: portside build "
    )


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    script = 'mkdir gone && cd gone && rmdir ../gone && exec "$0" -m portside recipes'
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(
        ["sh", "-c", script, sys.executable], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: the current folder does not exist any more\n")


@pytest.mark.parametrize("words", ["--version", "--list", "--help", "help build", "doctor --help", "clean"])
def test_what_needs_no_project(tmp_path: Path, words: str) -> None:
    done = call(tmp_path, *words.split())
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


def test_files_are_compared_and_code_is_migrated_anywhere(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.py").write_text("import torch\ntorch.zeros(1).cuda()\n")
    done = call(tmp_path, "migrate", "--source", "in", "--output", "out")
    assert done.returncode == 0, done.stderr
    assert "mlu" in (tmp_path / "out" / "x.py").read_text()
    done = call(tmp_path, "diff", "nothing.tar", "nothing.tar")
    assert done.returncode == 2 and "no project" not in done.stderr, done.stderr


def test_the_persons_configuration_counts_without_a_project(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "portside"
    folder.mkdir(parents=True)
    (folder / "portside.toml").write_text('enigne = "docker"\n')
    done = call(tmp_path, "clean")
    assert done.returncode == 2
    assert f"{folder}/portside.toml:1: enigne: no such key here" in done.stderr


@pytest.mark.parametrize("program", COMMANDS)
def test_our_own_tests_are_a_task_of_our_own_checkout(tmp_path: Path, program: str) -> None:
    here = project(tmp_path / "here", "tasks.py")
    assert call(here, "help" if program == "portside" else "--help", "test", program=program).returncode != 0
    assert " test " in call(CHECKOUT, "--list", program=program).stdout
    assert " test " not in call(here, "--list", program=program).stdout
    assert " test " in call(here, "-r", str(CHECKOUT), "--list", program=program).stdout


def test_both_commands_have_the_same_tasks_and_options(tmp_path: Path) -> None:
    here = project(tmp_path / "here", "tasks.py")
    lists = [call(here, "--list", program=program).stdout for program in COMMANDS]
    tasks = [{line.split()[0] for line in text.splitlines() if line.startswith("  ")} for text in lists]
    assert tasks[0] >= {"build", "unbundle", "run-container"}
    assert tasks[0] - {"-d,", "-h,", "-l,", "-V,", "--print-completion-script"} == tasks[1]


def test_texts_name_the_command_that_was_called(tmp_path: Path) -> None:
    here = project(tmp_path / "here", "tasks.py")
    text = call(here, "recipes").stdout
    assert "portside lock --recipe here" in text and "invoke" not in text
    for words in ("--help", "help build", "help diff", "help load", "help unbundle", "help run-container"):
        text = call(here, *words.split()).stdout
        assert "portside " in text and "invoke" not in text, text
    for words in ("buid", "build", "build --foo", "plan --recipe here", "plan --recipe x", "--foo", "plan here"):
        text = call(here, *words.split()).stderr
        assert text.startswith("error: ") and "invoke" not in text, text
    assert "invoke lock --recipe here" in call(here, "plan", "--recipe", "here", program="invoke").stderr
