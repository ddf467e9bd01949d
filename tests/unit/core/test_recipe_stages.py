"""What a recipe adds to the packages of the one it extends, and what `null` and another base do to it."""

from pathlib import Path

import pytest

from portside.errors import RecipeError
from portside.recipe import Recipe, load_recipe

LOWER = """
description: lower
base: {debian: {suite: bookworm}}
accelerator: {name: mlu370, driver: ">=5.10"}
env:
  debian: [python3]
  path: [/lower/bin]
  python: {version: "3.11", requirements: [numpy], given: {torch: "1.9.0"}}
  variables: {A: "1"}
"""


def load(root: Path, upper: str, lower: str = LOWER) -> Recipe:
    folder = root / "recipes"
    folder.mkdir()
    (folder / "lower.yaml").write_text(lower)
    (folder / "upper.yaml").write_text(f"description: upper\nextends: lower\n{upper}")
    return load_recipe(root, "upper")


def test_each_recipe_has_what_it_adds(tmp_path: Path) -> None:
    upper = (
        'env: {debian: [git], python: {requirements: [jieba], given: {x: "1"}}, variables: {B: "2"}, path: [/upper]}'
    )
    below, own = load(tmp_path, upper).stages
    assert (below.recipe, below.debian, below.path, below.variables) == (
        "lower",
        ("python3",),
        ("/lower/bin",),
        {"A": "1"},
    )
    assert below.python is not None and below.python.requirements == ("numpy",)
    assert (own.recipe, own.debian, own.path) == ("upper", ("git",), ("/lower/bin", "/upper"))
    assert own.variables == {"A": "1", "B": "2"}
    assert own.python is not None and own.python.requirements == ("jieba",)
    assert (own.python.version, own.python.given) == ("3.11", {"torch": "1.9.0", "x": "1"})


def test_a_lower_stage_is_the_lower_recipes(tmp_path: Path) -> None:
    upper = load(tmp_path, "env: {debian: [git]}")
    assert upper.stages[0] == load_recipe(tmp_path, "lower").stages[0]
    assert upper.requests()["env.lower"] == load_recipe(tmp_path, "lower").requests()["env.lower"]


def test_who_adds_nothing_has_an_empty_stage(tmp_path: Path) -> None:
    own = load(tmp_path, "").stages[1]
    assert (own.debian, own.python, own.files) == ((), None, ())


def test_another_base_makes_all_packages_ones_own(tmp_path: Path) -> None:
    [own] = load(tmp_path, "base: {debian: {suite: trixie}}\nenv: {debian: [git]}").stages
    assert (own.recipe, own.debian) == ("upper", ("python3", "git"))


def test_null_drops_what_is_inherited(tmp_path: Path) -> None:
    recipe = load(tmp_path, "accelerator: {name: cpu, driver: null}\nenv: {path: null, python: {given: {torch: null}}}")
    assert recipe.model.accelerator.driver is None
    assert recipe.model.env.path == ()
    assert recipe.model.env.python is not None and recipe.model.env.python.given == {}


def test_null_alone_means_nothing(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"upper\.yaml:3: env\.files"):
        load(tmp_path, "env: {files: null}")


def test_a_lower_env_must_stand_by_itself(tmp_path: Path) -> None:
    lower = LOWER.replace('version: "3.11", ', "")
    with pytest.raises(RecipeError, match="the env of 'lower', which it extends, is not complete"):
        load(tmp_path, 'env: {python: {version: "3.11"}}', lower)


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("{}", "expected either debian or archive"),
        ("{debian: {suite: bookworm}, archive: {file: a.tar, origin: b}}", "expected either debian or archive"),
        ("{archive: {file: ../a.tar, origin: b}}", "base.archive.file"),
        ("{archive: {file: a.tar}}", "base.archive.origin: this key is missing"),
    ],
)
def test_bases_that_cannot_be_used(tmp_path: Path, base: str, expected: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load(tmp_path, f"base: {base}")
    assert expected in caught.value.problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("env: {python: {manual: [{file: cndsp.tar, origin: a}]}}", "expected the file name of a wheel"),
        (
            "run: {targets: {t: {description: d, command: c, data: [x]}}}",
            ":3: run.targets.t.data: x is not among the data sets (none)",
        ),
        ("data: {x: {file: x.tar, origin: a, to: /x}}", "data.x.to: expected a path below the folder"),
    ],
)
def test_files_that_a_person_brings(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load(tmp_path, text)
    assert expected in caught.value.problem


def test_a_patch_step_knows_the_line_of_the_recipe_that_has_it(tmp_path: Path) -> None:
    step = "  - {delete: x_mlu/%s, count: 1}\n"
    port = LOWER + "sources: {x: {sdist: x==1}}\nmigration: {ruleset: mlu, sources: [x]}\npatches:\n" + step % "a"
    recipe = load(tmp_path, "patches:\n" + step % "b" + step % "c", port)
    folder = tmp_path / "recipes"
    assert recipe.patch_places == (
        f"{folder}/lower.yaml:{port.count(chr(10))}",
        *(f"{folder}/upper.yaml:{n}" for n in (4, 5)),
    )


ARM = "base: {debian: {suite: bookworm, architecture: arm64}}\n"


@pytest.mark.parametrize(
    ("upper", "platform"),
    [
        ("env: {python: {requirements: [jieba]}}", "x86_64-manylinux_2_28"),
        (f"{ARM}env: {{python: {{requirements: [jieba]}}}}", "aarch64-manylinux_2_28"),
        (
            "base: {archive: {file: a.tar, origin: b, architecture: arm64}}\nenv: {debian: null}",
            "aarch64-manylinux_2_28",
        ),
        (f"{ARM}env: {{python: {{platform: aarch64-manylinux2014}}}}", "aarch64-manylinux2014"),
    ],
)
def test_wheels_are_for_the_architecture_of_the_base(tmp_path: Path, upper: str, platform: str) -> None:
    recipe = load(tmp_path, upper)
    python = recipe.stages[-1].python
    assert python is not None and python.platform == platform
    assert recipe.requests()["env.upper"]["python"]["platform"] == platform


def test_an_inherited_platform_can_be_dropped(tmp_path: Path) -> None:
    lower = LOWER.replace('version: "3.11"', 'version: "3.11", platform: x86_64-manylinux2014')
    [own] = load(tmp_path, f"{ARM}env: {{python: {{platform: null}}}}", lower).stages
    assert own.python is not None and own.python.platform == "aarch64-manylinux_2_28"


@pytest.mark.parametrize(
    ("upper", "lower", "place"),
    [
        ("env: {python: {platform: aarch64-manylinux_2_28}}", LOWER, "upper.yaml:3"),
        (f"{ARM}env:\n  python:\n    platform: x86_64-manylinux2014", LOWER, "upper.yaml:6"),
        (ARM, LOWER.replace('"3.11"', '"3.11", platform: x86_64-manylinux2014'), "lower.yaml:8"),
        # Its packages would be wrong, whatever the upper one says of its own.
        (
            "env: {python: {platform: x86_64-manylinux2014, requirements: [x]}}",
            LOWER.replace('"3.11"', '"3.11", platform: aarch64-manylinux2014'),
            "lower.yaml:8",
        ),
    ],
)
def test_a_platform_of_another_architecture(tmp_path: Path, upper: str, lower: str, place: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load(tmp_path, upper, lower)
    assert f"{place}: env.python.platform: wheels for " in caught.value.problem
    assert "manylinux_2_28" in str(caught.value.solution)
