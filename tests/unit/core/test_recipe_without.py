"""Items of lists that an extending recipe replaces or leaves out, and packages that it wants otherwise."""

from pathlib import Path

import pytest

from portside.errors import RecipeError
from portside.recipe import Recipe, load_recipe

LOWER = """
description: "lower: it's 中文 and “é”"
base: {debian: {suite: bookworm}}
accelerator: {name: mlu370}
env:
  debian: [python3, git]
  files: [{from: a, to: /etc/a}]
  python:
    version: "3.11"
    requirements: [numpy, Pydantic<2, "uvicorn[standard]"]
    manual: [{file: x-1-py3-none-any.whl, origin: "the vendor's page"}]
sources:
  m: {git: "https://h.example/m", commit: abcdef1}
  n: {git: "https://h.example/n", commit: abcdef1}
migration: {ruleset: mlu, sources: [m, n]}
patches:
  - {name: one, replace: a, with: b, files: m_mlu/a, count: 1}
  - {name: two, replace: b, with: c, files: m_mlu/a, count: 1}
  - {replace: c, with: d, files: m_mlu/a, count: 1}
files: [{from: a, to: m_mlu/model.py}, {from: a, to: other}]
install: [one && two, {run: python3 other, files: other}]
weights:
  w: {files: [{path: a, origin: x}, {path: b, origin: x}]}
checks: [a, {file: b, layer: env}]
"""


def load(root: Path, upper: str) -> Recipe:
    folder = root / "recipes"
    for name in ("lower", "upper"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in ("a", "b"):
        (folder / "lower" / name).write_text("x")
    (folder / "lower.yaml").write_text(LOWER)
    (folder / "upper.yaml").write_text(f"description: upper\nextends: lower\n{upper}")
    return load_recipe(root, "upper")


def test_an_item_of_the_same_name_takes_its_place(tmp_path: Path) -> None:
    (tmp_path / "recipes/upper").mkdir(parents=True)
    (tmp_path / "recipes/upper/own").write_text("own")
    upper = """
patches:
  - {replace: x, with: y, files: m_mlu/a, count: 3}
  - {name: one, replace: a, with: z, files: m_mlu/a, count: 2}
files: [{from: own, to: m_mlu/model.py}]
weights: {w: {files: [{path: b, origin: y}, {path: c, origin: x}]}}
checks: [{file: a, layer: migrated}]
"""
    recipe = load(tmp_path, upper)
    model = recipe.model
    assert [step.count for step in model.patches] == [2, 1, 1, 3]
    assert [str(place).rpartition("/")[2] for place in recipe.patch_places] == [
        "upper.yaml:6", "lower.yaml:18", "lower.yaml:19", "upper.yaml:5",
    ]  # fmt: skip
    assert [(file.source, file.to) for file in model.files] == [("own", "m_mlu/model.py"), ("a", "other")]
    brought = list(model.weights["w"].brought("w"))
    assert [(file.file, file.origin) for file in brought] == [("w/a", "x"), ("w/b", "y"), ("w/c", "x")]
    assert model.checks_of("migrated") == ["a"] and model.checks_of("env") == ["b"]
    assert len(recipe.stages) == 2, "the env layer is shared"


def test_items_are_left_out_by_name(tmp_path: Path) -> None:
    upper = """
without:
  patches: [two]
  files: [other]
  install: [python3 other]
  migration: {sources: [n]}
  weights: {w: [a]}
  checks: [b]
  env: {path: [/bin]}
"""
    with pytest.raises(RecipeError, match=r"upper\.yaml:11: without\.env\.path\.0: '/bin' is none of what 'lower' has"):
        load(tmp_path, upper)
    recipe = load(tmp_path, upper.replace("  env: {path: [/bin]}\n", ""))
    model = recipe.model
    assert [step.count for step in model.patches] == [1, 1]
    assert [str(place).rpartition("/")[2] for place in recipe.patch_places] == ["lower.yaml:17", "lower.yaml:19"]
    assert ([file.to for file in model.files], model.install) == (["m_mlu/model.py"], ("one && two",))
    assert model.migration is not None and model.migration.sources == ("m",)
    assert [file.file for file in model.weights["w"].brought("w")] == ["w/b"]
    assert model.checks == ("a",)
    assert len(recipe.stages) == 2
    (tmp_path / "recipes/top.yaml").write_text("description: top\nextends: upper\n")
    assert load_recipe(tmp_path, "top").model.patches == model.patches, "what a lower one leaves out stays so"


@pytest.mark.parametrize(
    ("upper", "requirements", "debian"),
    [
        ("env: {python: {requirements: [pydantic<1.10]}}", ("Pydantic<2", "pydantic<1.10"), ("python3", "git")),
        ("without: {env: {python: {requirements: [pydantic]}}}", (), ("python3", "git")),
        ("without: {env: {debian: [git]}}", ("Pydantic<2",), ("python3",)),
        ("env: {debian: [git=1.0]}", ("Pydantic<2",), ("python3", "git=1.0")),
        ("env: {files: [{from: b, to: /etc/a}]}", ("Pydantic<2",), ("python3", "git")),
        ("without: {env: {python: {manual: [x-1-py3-none-any.whl]}}}", ("Pydantic<2",), ("python3", "git")),
    ],
)
def test_other_packages_are_a_layer_of_ones_own(
    tmp_path: Path, upper: str, requirements: tuple[str, ...], debian: tuple[str, ...]
) -> None:
    [stage] = load(tmp_path, upper).stages
    assert stage.recipe == "upper" and stage.debian == debian and stage.python is not None
    assert tuple(str(one) for one in stage.python.requirements if "ydantic" in str(one)) == requirements


def test_the_same_package_in_the_same_words_shares_the_layer(tmp_path: Path) -> None:
    assert [stage.recipe for stage in load(tmp_path, "env: {python: {requirements: [numpy, rich]}}").stages] == [
        "lower",
        "upper",
    ]


def test_what_is_not_there_is_told_with_what_comes_close(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"upper\.yaml:3: without\.patches\.1: 'tow' is .*\n.*Did you mean 'two'\?"):
        load(tmp_path, "without: {patches: [one, tow]}")
    with pytest.raises(RecipeError, match=r"without\.files\.0: 'm_mlu/mode\.py' is none of what 'lower' has there"):
        load(tmp_path, "without: {files: [m_mlu/mode.py]}")
    with pytest.raises(RecipeError, match=r"without\.patches: expected a list"):
        load(tmp_path, "without: {patches: two}")
