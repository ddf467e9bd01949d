"""Tasks on several recipes: which are chosen, and what becomes of bad ones."""

import json
import os
import subprocess
from pathlib import Path

import calls
import pytest

from portside.errors import RecipeError
from portside.recipe import load_recipe
from portside.recipe.changed import changed_files, is_changed

RECIPE = "description: {}\nbase: {{debian: {{suite: bookworm}}}}\naccelerator: {{name: cpu}}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Recipes one, two (which extends one) and three, in a git repository below which the project is."""
    root = tmp_path / "repository" / "models"
    (root / "recipes" / "one").mkdir(parents=True)
    (root / "portside.toml").touch()
    for name in ("one", "three"):
        (root / "recipes" / f"{name}.yaml").write_text(RECIPE.format(name))
    (root / "recipes" / "two.yaml").write_text("description: two\nextends: one\n")
    (root / "recipes" / "one" / "a file.txt").write_text("a")
    git(root.parent, "init", "--quiet")
    commit(root)
    return root


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", *who, *words], cwd=folder, env=environment, check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root.parent, "add", "--all")
    git(root.parent, "commit", "--quiet", "--allow-empty", "--message", "x")


def call(project: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return calls.call(project, words, {"PORTSIDE_HOME": str(project.parent / "home")})


def changed(project: Path, since: str = "HEAD") -> list[str]:
    files = changed_files(project, since)
    return [name for name in ("one", "three", "two") if is_changed(load_recipe(project, name), files)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("recipes/three.yaml", ["three"]),
        ("recipes/three.lock", ["three"]),
        ("recipes/two.lock", ["two"]),
        ("recipes/one.yaml", ["one", "two"]),
        ("recipes/one.lock", ["one", "two"]),
        ("recipes/one/a file.txt", ["one", "two"]),
        ("recipes/one/new/größe", ["one", "two"]),
        ("recipes/one-more.txt", []),
        ("README", []),
        ("portside.toml", ["one", "three", "two"]),
        ("accelerators/cpu.yaml", ["one", "three", "two"]),
        ("rulesets/own.yaml", []),
        ("code/m.py", ["three"]),
        ("../elsewhere.txt", []),
    ],
)
def test_what_counts_as_changed(project: Path, path: str, expected: list[str]) -> None:
    recipe = project / "recipes" / "three.yaml"
    recipe.write_text(recipe.read_text() + "sources: {code: {folder: code}}\n")
    commit(project)
    assert changed(project) == []
    file = project / path
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as stream:
        stream.write("# more\n")
    if not path.startswith("accelerators"):
        assert changed(project) == expected  # not committed, or not even known to git
        commit(project)
        assert changed(project) == [] and changed(project, "HEAD~1") == expected
    else:
        assert file.relative_to(project).as_posix() in changed_files(project, "HEAD")


def test_a_ruleset_of_the_project_counts_for_those_that_migrate_by_it(project: Path) -> None:
    recipe = project / "recipes" / "three.yaml"
    recipe.write_text(
        recipe.read_text() + "sources: {code: {folder: code}}\nmigration: {ruleset: mlu, sources: [code]}\n"
    )
    loaded = load_recipe(project, "three")
    assert is_changed(loaded, {"rulesets/mlu.yaml"}) and not is_changed(loaded, {"rulesets/npu.yaml"})


def test_what_git_does_not_know_is_told(project: Path, tmp_path: Path) -> None:
    for since in ("nosuch", "--output=x", "", "HEAD^{tree}"):
        with pytest.raises(RecipeError, match="no commit"):
            changed_files(project, since)
    with pytest.raises(RecipeError, match="is in no git repository"):
        changed_files(tmp_path, "HEAD")
    assert not (project / "x").exists()


def test_one_bad_recipe_of_many_is_told_before_anything_is_done(project: Path) -> None:
    for name in ("four", "five"):
        (project / "recipes" / f"{name}.yaml").write_text("description: x\nbase: {debian: 7}\n")
    for task in ("build", "plan", "check", "push", "lock", "verify"):
        done = call(project, task, "--all")
        assert done.returncode == 2 and done.stdout == ""
        assert "2 of 5 recipes cannot be used" in done.stderr
        assert "recipes/four.yaml:2" in done.stderr and "recipes/five.yaml:2" in done.stderr
    assert not (project.parent / "home" / "inputs").exists()


def test_locks_that_do_not_fit_are_told_together(project: Path) -> None:
    done = call(project, "lock", "--check", "--recipe", "one", "--recipe", "three")
    assert done.returncode == 3
    assert "2 of 2 recipes failed" in done.stderr
    assert "one: one is not locked" in done.stderr and "portside lock --recipe three" in done.stderr
    done = call(project, "build", "--offline", "--all", "--no-load", "--json")
    assert done.returncode in (3, 6), done.stderr


def test_nothing_that_changed_is_nothing_to_do(project: Path) -> None:
    for words in (("lock", "--check"), ("lock", "--outdated", "--json")):
        done = call(project, *words, "--changed-since", "HEAD")
        assert done.returncode == 0 and "no recipe is other than in HEAD" in done.stderr
    assert json.loads(done.stdout) == {"recipes": [], "failed": []}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--all", "--recipe", "one"], "--all and --recipe do not go together"),
        (["--all", "--changed-since", "nosuch"], "has no commit 'nosuch'"),
        (["--recipe", "one", "--recipe", "oen"], "oen: no recipe 'oen'"),
        (["--all", "--jobs", "0"], "--jobs: nothing is built by 0 at once"),
        (["--all", "--jobs", "many"], "--jobs: expected a number"),
        (["--all", "--push", "--offline"], "--push and --offline do not go together"),
        (["--all", "--push", "--layer", "env"], "--push pushes finished images"),
        (["--all", "--push"], "registry"),
    ],
)
def test_words_of_build_that_do_not_go_together(project: Path, words: list[str], said: str) -> None:
    done = call(project, "build", *words)
    assert done.returncode == 2 and said in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("words", "codes"),
    [
        (["plan", "--no-pull"], (3,)),
        (["check"], (3, 6)),
        (["lock", "--check"], (3,)),
        (["verify", "--offline"], (3, 6)),
        (["build", "--offline"], (3, 6)),
    ],
)
def test_what_fails_for_each_recipe_is_told_of_each(project: Path, words: list[str], codes: tuple[int, ...]) -> None:
    """None of them is locked; where no engine answers, that is told."""
    done = call(project, *words, "--recipe", "one", "--recipe", "three")
    assert done.returncode in codes and "Traceback" not in done.stderr, done.stderr
    if done.returncode == 3:
        assert "one: " in done.stderr and "three: " in done.stderr
