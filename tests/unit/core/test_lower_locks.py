"""A recipe repeats in its lock what it shares with the one it extends: what happens when that one's lock moves on."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from portside.cli.report.recipes import overview, overview_lines
from portside.errors import LockError, RecipeError
from portside.lock.bases import ArchiveBase, ArchiveLayer
from portside.lock.file import dump_lock, read_lock, write_lock
from portside.lock.lower import behind, known
from portside.lock.models import Lock
from portside.prepare import locked_plan, say_behind
from portside.project import Project
from portside.resolve.chain import lock_recipe

ROOT = Path(__file__).parents[3]
UPPER = ("chatglm-ptuning", "chatglm-ptuning-parallel", "chatglm-finetune")
SAME_NEEDS = UPPER[:2]
"""Those with the transformers of chatglm, whose needs are read into chatglm's packages."""
SEEN = {"sha256": "a" * 64, "size": 5, "layers": (ArchiveLayer(diff_id="b" * 64, size=7),), "epoch": 1}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("PORTSIDE_HOME", str(tmp_path / "home"))
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    return Project(tmp_path)


def lock_of(project: Project, name: str) -> Lock:
    found = read_lock(project.recipe(name).lock_path)
    assert found is not None
    return found


def change(project: Project, name: str, **parts: Any) -> Lock:
    lock = lock_of(project, name).model_copy(update=parts)
    write_lock(project.recipe(name), lock)
    return lock


def with_wheel(lock: Lock, name: str, version: str) -> Any:
    """The lock's env with another version of a wheel."""
    new = {"version": version, "file": f"{name}-{version}-py3-none-any.whl", "sha256": "c" * 64}
    sets = []
    for one in lock.env.sets:
        assert one.python is not None
        wheels = tuple(w.model_copy(update=new) if w.name == name else w for w in one.python.wheels)
        sets.append(one.model_copy(update={"python": one.python.model_copy(update={"wheels": wheels})}))
    return lock.env.model_copy(update={"sets": tuple(sets)})


def with_numpy(lock: Lock, version: str) -> Any:
    """The lock's env with another numpy in the set of chatglm."""
    return with_wheel(lock, "numpy", version)


def seen(lock: Lock, **more: Any) -> ArchiveBase:
    assert isinstance(lock.base, ArchiveBase)
    return lock.base.model_copy(update={**SEEN, **more})


@pytest.mark.parametrize("name", ["chatglm", *UPPER, "chatglm-cpu", "minilm"])
def test_the_committed_locks_agree(project: Project, name: str) -> None:
    assert behind(project.recipe(name), lock_of(project, name)) == []


@pytest.mark.parametrize(
    ("name", "below", "wheel", "line"),
    [
        *((name, "chatglm", "numpy", "wheel numpy: 1.21.6 -> 1.21.9") for name in SAME_NEEDS),
        *((name, "chatglm-ptuning", "nltk", "wheel nltk: 3.8.1 -> 1.21.9") for name in UPPER[1:]),
    ],
)
def test_a_package_that_moved_below_is_named(project: Project, name: str, below: str, wheel: str, line: str) -> None:
    change(project, below, env=with_wheel(lock_of(project, below), wheel, "1.21.9"))
    assert behind(project.recipe(name), lock_of(project, name)) == [line]


def test_what_a_recipe_asks_for_in_other_words_is_its_own(project: Project) -> None:
    """chatglm-finetune has another transformers and so other needs, chatglm-cpu another base: packages of their own."""
    lock = lock_of(project, "chatglm")
    source = lock.sources["transformers"]
    assert source.kind == "sdist"
    other = source.sdist.model_copy(update={"sha256": "e" * 64})
    moved = lock.sources | {"transformers": source.model_copy(update={"sdist": other})}
    change(project, "chatglm", sources=moved, env=with_numpy(lock, "1.21.9"), base=seen(lock))
    finetune = behind(project.recipe("chatglm-finetune"), lock_of(project, "chatglm-finetune"))
    assert not any("transformers" in line or "numpy" in line for line in finetune)
    [line] = behind(project.recipe("chatglm-cpu"), lock_of(project, "chatglm-cpu"))
    assert line.startswith(
        "source transformers: transformers-4.27.4.tar.gz -> transformers-4.27.4.tar.gz with sha256 eeee"
    )


def test_what_only_the_upper_lock_knows_is_not_behind(project: Project) -> None:
    upper = change(project, "chatglm-ptuning", base=seen(lock_of(project, "chatglm-ptuning")))
    assert behind(project.recipe("chatglm-ptuning"), upper) == []


def test_the_same_version_with_other_bytes_is_named(project: Project) -> None:
    change(project, "chatglm", env=with_numpy(lock_of(project, "chatglm"), "1.21.6"))
    [line] = behind(project.recipe("chatglm-ptuning"), lock_of(project, "chatglm-ptuning"))
    assert line.startswith("wheel numpy: 1.21.6 -> 1.21.6 with sha256 cccccccccccc")


def test_a_lower_lock_that_is_stale_or_damaged_says_nothing(project: Project) -> None:
    recipe, lock = project.recipe("chatglm-ptuning"), lock_of(project, "chatglm-ptuning")
    lower = lock_of(project, "chatglm")
    change(project, "chatglm", env=with_numpy(lower, "1.21.9"), requests={})
    assert behind(recipe, lock) == []
    project.recipe("chatglm").lock_path.write_text("{")
    assert behind(recipe, lock) == []
    project.recipe("chatglm").lock_path.unlink()
    assert behind(recipe, lock) == []


def test_it_is_said_with_the_command_and_the_plan_stays(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = project.recipe("chatglm-ptuning-parallel")
    before = locked_plan(project, recipe)
    say_behind(before)
    assert capsys.readouterr().err == ""
    change(project, "chatglm", env=with_numpy(lock_of(project, "chatglm"), "1.21.9"))
    after = locked_plan(project, recipe)
    say_behind(after)
    said = capsys.readouterr().err
    assert "wheel numpy: 1.21.6 -> 1.21.9" in said
    assert "invoke lock --recipe chatglm-ptuning-parallel" in said
    assert [part.key for part in after.build_order()] == [part.key for part in before.build_order()]


def test_the_list_of_recipes_shows_it(project: Project) -> None:
    change(project, "chatglm", env=with_numpy(lock_of(project, "chatglm"), "1.21.9"))
    rows = overview(project)
    assert [row["name"] for row in rows if row["behind"]] == sorted(SAME_NEEDS)
    assert "    its lock is older than one below it: invoke lock --recipe chatglm-ptuning" in overview_lines(rows)


def test_a_file_that_a_lower_recipe_has_seen_is_known(project: Project) -> None:
    lock = lock_of(project, "chatglm-finetune")
    assert known(project.recipe("chatglm-finetune"), lock) == lock
    lower = change(project, "chatglm", base=seen(lock_of(project, "chatglm")))
    assert known(project.recipe("chatglm-finetune"), lock).base == lower.base
    own = lock.model_copy(update={"base": seen(lock, sha256="d" * 64)})
    assert known(project.recipe("chatglm-finetune"), own) == own
    assert dump_lock(own) == dump_lock(known(project.recipe("chatglm-finetune"), own))


@pytest.mark.parametrize(
    ("recipe", "update", "problem", "solution"),
    [
        ("minilm", "nmpy", "the lock of minilm has no input named nmpy", "Did you mean 'numpy'?"),
        ("chatglm-ptuning", "numpy", "numpy comes from chatglm", "invoke lock --recipe chatglm --update numpy"),
    ],
)
def test_updates_of_what_the_lock_does_not_have(
    project: Project, recipe: str, update: str, problem: str, solution: str
) -> None:
    with pytest.raises(RecipeError, match=problem) as caught:
        lock_recipe(project, project.recipe(recipe), [update])
    assert solution in str(caught.value)


def test_updates_where_there_is_no_lock_yet(project: Project) -> None:
    recipe = project.recipe("minilm")
    recipe.lock_path.unlink()
    with pytest.raises(LockError, match="minilm is not locked, so there is no numpy to update") as caught:
        lock_recipe(project, recipe, ["numpy"])
    assert caught.value.solution == "Lock it first: invoke lock --recipe minilm"
