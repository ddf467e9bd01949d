"""Which of a recipe's files lie below its install steps, and which on top of what these make."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from portside.build.needed_files import say_needed_files
from portside.errors import RecipeError, StepError
from portside.lock.bases import DebianBase
from portside.lock.models import Lock
from portside.lock.packages import LockedEnv
from portside.plan.model import Plan
from portside.plan.parts import plan
from portside.recipe import Recipe, load_recipe

FILES = ["run.py", "tools/fix.py", "tools/deep/more.py", "notes.txt"]


def recipe_of(root: Path, install: list[Any], files: list[str] = FILES, **more: Any) -> Recipe:
    folder = root / "recipes" / "r"
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        if not (folder / file).exists():
            (folder / file).write_text(f"{file}\n")
    values = {
        "description": "x",
        "base": {"debian": {"suite": "bookworm"}},
        "accelerator": {"name": "cpu"},
        "files": [{"from": file, "to": file} for file in files],
        "install": install,
        **more,
    }
    (root / "recipes" / "r.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    return load_recipe(root, "r")


def plan_of(recipe: Recipe) -> Plan:
    base = DebianBase(
        suite="bookworm",
        architecture="amd64",
        snapshot="20240101T000000Z",
        epoch=5,
        debs=(),
        diff_id="0" * 64,
        size=1,
    )
    nothing: dict[str, Any] = {"env": LockedEnv(), "sources": {}, "weights": {}}
    return plan(recipe, Lock(recipe="r", epoch=5, requests=recipe.requests(), base=base, **nothing))


def keys(recipe: Recipe) -> dict[str, str]:
    return {part.name: part.key for part in plan_of(recipe).layer("migrated").parts}


@pytest.mark.parametrize(
    ("globs", "below"),
    [
        (["run.py"], {"run.py"}),
        ("tools/*.py", {"tools/fix.py"}),
        (["tools/**"], {"tools/fix.py", "tools/deep/more.py"}),
        (["**/*.py"], {"run.py", "tools/fix.py", "tools/deep/more.py"}),
        (["notes.txt", "run.*"], {"notes.txt", "run.py"}),
        (["**"], set(FILES)),
    ],
)
def test_what_a_step_names_lies_below(tmp_path: Path, globs: Any, below: set[str]) -> None:
    recipe = recipe_of(tmp_path, ["true", {"run": "sh x", "files": globs}])
    assert {file.to for file in recipe.files_below_install} == below
    assert {file.to for file in recipe.files_above_install} == set(FILES) - below
    parts = plan_of(recipe).layer("migrated").parts
    names = ["install-files", "install", *(["files"] if below != set(FILES) else [])]
    assert [part.name for part in parts] == names
    assert set(parts[0].manifest["files"]) == below
    assert parts[0].key in parts[1].manifest["on"].values()
    assert parts[1].manifest["instructions"].rstrip().endswith("RUN true\nRUN sh x")


def test_an_edit_runs_install_only_where_a_step_needs_the_file(tmp_path: Path) -> None:
    install: list[Any] = ["true", {"run": "sh tools/fix.py", "files": ["tools/*"]}]
    before = keys(recipe_of(tmp_path, install))
    (tmp_path / "recipes" / "r" / "run.py").write_text("another\n")
    edited = keys(recipe_of(tmp_path, install))
    assert {name for name in before if before[name] != edited[name]} == {"files"}
    (tmp_path / "recipes" / "r" / "tools" / "fix.py").write_text("another\n")
    again = keys(recipe_of(tmp_path, install))
    assert {name for name in before if edited[name] != again[name]} == {"install-files", "install"}


def test_without_steps_all_files_are_one_part(tmp_path: Path) -> None:
    assert list(keys(recipe_of(tmp_path, []))) == ["files"]


@pytest.mark.parametrize(
    ("glob", "said"),
    [
        ("tools/fxi.py", "Did you mean 'tools/fix.py'?"),
        ("tool/*.py", "Did you mean 'tools'?"),
        ("*.sh", "Name the file under `files` first"),
    ],
)
def test_a_glob_that_matches_nothing(tmp_path: Path, glob: str, said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe_of(tmp_path, ["true", {"run": "x", "files": ["run.py", glob]}])
    assert f"install.1.files: {glob!r} matches none of the recipe's `files`" in caught.value.problem
    assert "r.yaml:" in caught.value.problem
    assert said in str(caught.value.solution)
    assert caught.value.exit_code == 2


def failed(instruction: str, *output: str) -> StepError:
    return StepError("it failed", "What helps anyway.", instruction, output)


def test_a_step_that_needs_a_file_is_told_the_line(tmp_path: Path) -> None:
    install: list[Any] = ["true", {"run": "cp tools/fix.py x && python3 run.py", "files": "tools/fix.py"}]
    recipe = recipe_of(tmp_path, install)
    step = "[3/3] RUN cp tools/fix.py x && python3 run.py"
    error = failed(step, "python3: can't open file '/workspace/r/run.py': [Errno 2] No such file or directory")
    say_needed_files(recipe, error)
    assert error.solution is not None
    line = '- {run: "cp tools/fix.py x && python3 run.py", files: ["tools/fix.py", "run.py"]}'
    assert f"\n      {line}\n" in error.solution
    assert error.solution.endswith("What helps anyway.")
    [written] = yaml.safe_load(line)
    assert [file.to for file in recipe_of(tmp_path, ["true", written]).files_below_install] == written["files"][::-1]


@pytest.mark.parametrize(
    ("output", "named"),
    [
        ("sh: 0: cannot open more.py", ["tools/deep/more.py"]),
        ("No such file: ./tools/deep/more.py, notes.txt.", ["tools/deep/more.py", "notes.txt"]),
        ("cat: notes.txt.bak, my-run.py, run.pyc, xrun.py, run.py.in", []),
        ("no space left on device", []),
    ],
)
def test_what_counts_as_speaking_of_a_file(tmp_path: Path, output: str, named: list[str]) -> None:
    error = failed("[2/2] RUN sh build", output)
    say_needed_files(recipe_of(tmp_path, ["sh build"]), error)
    assert error.solution is not None
    assert [file for file in FILES if f'"{file}"' in error.solution] == [file for file in FILES if file in named]
    assert ("write the step as" in error.solution) == bool(named)


def test_files_that_are_there_are_no_matter(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, [{"run": "python3 run.py", "files": ["run.py"]}])
    error = failed("[2/2] RUN python3 run.py", "run.py:3: error")
    say_needed_files(recipe, error)
    assert error.solution == "What helps anyway."


def test_patches_bring_their_own(tmp_path: Path) -> None:
    """What a patch copies is part of the trees, which lie below: no step has to name it."""
    sources = {"s": {"git": "https://example.org/s", "commit": "0" * 40}}
    migration = {"ruleset": "mlu", "sources": ["s"]}
    patches = [{"copy": "run.py", "to": "s_mlu/run.py"}]
    recipe = recipe_of(
        tmp_path, ["python3 s_mlu/run.py"], ["run.py"], sources=sources, migration=migration, patches=patches
    )
    assert [file.to for file in recipe.files_above_install] == ["run.py"]
