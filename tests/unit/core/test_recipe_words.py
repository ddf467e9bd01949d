"""What a person reads who made a mistake in a recipe: file, line, key, what was expected and what was found.

recipe_mistakes.txt holds the mistakes: what a recipe says, and the lines of the error. After [good] it is what comes
behind GOOD, after [port] behind PORT, and after [] the whole recipe.
"""

import re
from pathlib import Path

import pytest

from portside.errors import RecipeError
from portside.recipe import load_recipe

GOOD = """\
description: a test
base:
  debian:
    suite: bookworm
accelerator:
  name: cpu
"""
PORT = GOOD + "sources: {x: {sdist: x==1}}\nmigration: {ruleset: mlu, sources: [x]}\n"
BEGINNINGS = {"[good]": GOOD, "[port]": PORT, "[]": ""}
JARGON = re.compile(
    r"\b(Input|Field|Value error|pydantic|tuple|union|dict|str|int|float|None|NoneType|pattern)\b|\^|_type"
)


def mistakes() -> list[tuple[str, list[str]]]:
    found = []
    for block in (Path(__file__).parent / "recipe_mistakes.txt").read_text(encoding="utf-8").split("\n\n"):
        head, *rows = block.strip("\n").split("\n")
        text = BEGINNINGS[head] + "".join(f"{row}\n" for row in rows if not row.startswith("--> "))
        found.append((text, [row.removeprefix("--> ") for row in rows if row.startswith("--> ")]))
    return found


def problem(root: Path, text: bytes) -> RecipeError:
    (root / "recipes").mkdir(exist_ok=True)
    (root / "recipes" / "r.yaml").write_bytes(text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(root, "r")
    return caught.value


@pytest.mark.parametrize(("text", "expected"), mistakes())
def test_mistakes_in_words(tmp_path: Path, text: str, expected: list[str]) -> None:
    error = problem(tmp_path, text.encode())
    shown = error.problem.replace(f"{tmp_path}/recipes/r.yaml:", "").replace(f"{tmp_path}/", "")
    assert shown.splitlines() == expected
    assert error.problem.startswith(f"{tmp_path}/recipes/r.yaml:")
    assert error.solution
    assert not JARGON.search(shown)


def test_a_recipe_that_is_no_text(tmp_path: Path) -> None:
    error = problem(tmp_path, GOOD.encode() + "run: {command: echo café}\n".encode("latin-1"))
    assert error.problem == f"{tmp_path}/recipes/r.yaml:7: expected text in UTF-8, found the byte 0xe9"
    assert error.solution == (f"Save it as UTF-8, or convert it: iconv -f latin1 -t utf-8 {tmp_path}/recipes/r.yaml")
    assert problem(tmp_path, b"").problem.endswith("r.yaml:1: expected a mapping of keys to values")
    error = problem(tmp_path, GOOD.encode() + b"\a: x\n")
    assert error.problem.endswith("r.yaml:7: not valid YAML: the character '\\x07' is not allowed")


def test_a_byte_order_mark_is_none_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "r.yaml").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load_recipe(tmp_path, "r").model.description == "a test"


def test_a_circle_of_recipes_names_the_place_and_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "a.yaml").write_text("extends: r\n")
    error = problem(tmp_path, b"description: x\nextends: a\n")
    assert error.problem == f"{tmp_path}/recipes/a.yaml:1: extends: 'r' extends itself: r -> a -> r"
    assert error.solution == "Take `extends` out of one of them."
    error = problem(tmp_path, b"description: x\nextends: b\n")
    assert error.problem == f"{tmp_path}/recipes/r.yaml:2: extends: no recipe 'b'"


def test_a_mistake_in_a_lower_recipe_names_that_file(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "lower.yaml").write_text(GOOD + "env:\n  path: [x]\n")
    error = problem(tmp_path, b"extends: lower\nenv:\n  path: [/y, z]\n")
    assert [line.removeprefix(f"{tmp_path}/recipes/") for line in error.problem.splitlines()] == [
        "r.yaml:3: env.path.2: expected an absolute path in the image, found 'z'",
        "lower.yaml:8: env.path.0: expected an absolute path in the image, found 'x'",
    ]
