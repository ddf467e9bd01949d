"""Why a part has to be built: which patch step changed, and in what."""

import shutil
from pathlib import Path

import pytest

from portside.lock.file import read_lock
from portside.plan.parts import plan
from portside.plan.states import states
from portside.recipe import load_recipe
from portside.store import Store

ROOT = Path(__file__).parents[3]
PATCHES = """
patches:
  - {name: first, replace: a, with: b, files: "transformers_mlu/**", count: 1}
  - {replace: c, with: d, files: "transformers_mlu/**", count: 2}
  - {copy: embed.py, to: transformers_mlu/embed.py}
"""
GLOB = "patches.replace c.files: + 'transformers_mlu/*', - 'transformers_mlu/**'"


def reasons(root: Path, before: str, after: str, *, details: bool = True, name: str = "trees") -> tuple[str, ...]:
    """What the plan says of a part after an edit of the recipe's text, or of its file where that is empty."""
    shutil.copytree(ROOT / "recipes" / "minilm", root / "recipes" / "minilm")
    path = root / "recipes" / "minilm.yaml"
    text = (ROOT / "recipes" / "minilm.yaml").read_text() + PATCHES
    path.write_text(text)
    lock = read_lock(ROOT / "recipes" / "minilm.lock")
    assert lock is not None
    store = Store(root / "home")
    [made] = [part for part in plan(load_recipe(root, "minilm"), lock).build_order() if part.name == name]
    store.keep("built", "minilm", {f"migrated/{name}": made.manifest})
    store.keep("keys", made.key, made.record("0" * 64, 1) if details else {"diff_id": "0" * 64, "size": 1})
    if before:
        assert before in text
        path.write_text(text.replace(before, after))
    else:
        (root / "recipes" / "minilm" / "embed.py").write_text(after)
    [state] = [s for s in states(plan(load_recipe(root, "minilm"), lock), store) if s.part.name == name]
    return state.reasons


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("with: b", "with: e", ("patches.first.with: 'b' -> 'e'",)),
        ("count: 2", "count: 3", ("patches.replace c.count: 2 -> 3",)),
        ("name: first", "name: eins", ("patches.eins: new", "patches.first: gone")),
        ('files: "transformers_mlu/**", count: 2}', 'files: "transformers_mlu/*", count: 2}', (GLOB,)),
    ],
)
def test_the_step_that_changed_is_named(tmp_path: Path, before: str, after: str, expected: tuple[str, ...]) -> None:
    assert reasons(tmp_path, before, after) == expected


def test_the_file_of_a_step_is_named(tmp_path: Path) -> None:
    assert reasons(tmp_path / "a", "", "print()\n") == ("patches.embed.py: changed",)
    assert reasons(tmp_path / "b", "", "print()\n", name="files") == ("files.embed.py: changed",)


def test_another_order_is_a_change_too(tmp_path: Path) -> None:
    first, second = PATCHES.splitlines(keepends=True)[2:4]
    assert reasons(tmp_path, first + second, second + first) == ("patches: changed",)


def test_a_part_whose_steps_nobody_noted(tmp_path: Path) -> None:
    assert reasons(tmp_path, "with: b", "with: e", details=False) == ("patches: changed",)
