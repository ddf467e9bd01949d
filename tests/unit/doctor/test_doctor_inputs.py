"""Inputs that the doctor looks for: which a download brings, and which a person."""

from pathlib import Path

from examined import glm, glm_lock
from runtime_recipes import make_recipe

from portside.config import Config
from portside.doctor.lacking import examine_inputs, take_inventory
from portside.lock.file import read_lock
from portside.lock.models import Lock
from portside.recipe import Recipe, load_recipe

ROOT = Path(__file__).parents[3]


def problems(recipe: Recipe, lock: Lock, home: Path) -> dict[str, str]:
    """The texts about inputs that a person has to bring, each with its remedy."""
    config = Config(home=home)
    findings = examine_inputs(take_inventory(recipe, lock, config), recipe, lock, config)
    return {finding.text: finding.remedy or "" for finding in findings if finding.status == "problem"}


def test_wheels_that_a_person_brings_are_named_with_their_origin(tmp_path: Path) -> None:
    recipe = load_recipe(ROOT, "chatglm-finetune")
    lock = read_lock(recipe.lock_path)
    assert lock is not None and recipe.stages[-1].python is not None
    (wanted,) = recipe.stages[-1].python.manual
    found = problems(recipe, lock, tmp_path)
    remedy = found[f"{wanted.file} is missing (size unknown, sha256 unknown)"]
    assert wanted.origin in remedy

    (wheel,) = (w for packages in lock.env.sets if packages.python for w in packages.python.manual)
    known = wheel.model_copy(update={"size": 1 << 20, "sha256": "a" * 64})
    sets = [
        s.model_copy(update={"python": s.python.model_copy(update={"manual": (known,)})})
        if s.python and s.python.manual
        else s
        for s in lock.env.sets
    ]
    pinned = lock.model_copy(update={"env": lock.env.model_copy(update={"sets": tuple(sets)})})
    assert f"{wanted.file} is missing (1.0 MiB, sha256 {'a' * 64})" in problems(recipe, pinned, tmp_path)


def test_a_lock_of_another_version_of_the_recipe_is_examined_too(tmp_path: Path) -> None:
    assert not problems(make_recipe(), glm_lock(), tmp_path)
    assert len(problems(glm(), glm_lock(), tmp_path)) == 1
