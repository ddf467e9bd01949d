"""What an accelerator's software wants where no card is: seen by what a build executes, and by no image."""

import re
from pathlib import Path
from typing import Any

import pytest

from portside.begin import make_project
from portside.build.render import dockerfile
from portside.errors import RecipeError
from portside.image.config import environment
from portside.lock.file import read_lock
from portside.plan.environment import building
from portside.plan.model import Plan
from portside.plan.parts import plan
from portside.recipe import load_recipe

CARD = """\
name: card
description: a card of the project
cards: {node: "/dev/card{index}"}
"""
VARIABLES = 'building: {AUTOLOAD: "0", FLAGS: "-a -b"}\n'
ACCELERATOR = re.compile(r"^accelerator:(?:\n  .*| .+)$", re.MULTILINE)
VARIANTS = 'variants: {big: {description: big chips, building: {CHIP: c2, AUTOLOAD: "1"}}}\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    make_project(root, "minilm")
    (root / "accelerators").mkdir()
    return root


def planned(root: Path, text: str, variant: str | None = None) -> Plan:
    (root / "accelerators" / "card.yaml").write_text(text)
    path = root / "recipes" / "minilm.yaml"
    more = f", variant: {variant}" if variant else ""
    path.write_text(ACCELERATOR.sub(f"accelerator: {{name: card{more}}}", path.read_text()))
    recipe = load_recipe(root, "minilm")
    lock = read_lock(recipe.lock_path)
    assert lock is not None
    return plan(recipe, lock)


def keys(made: Plan) -> dict[str, Any]:
    return {f"{part.layer}/{part.name}": part.key for layer in made.layers for part in layer.parts}


def run_parts(made: Plan) -> list[str]:
    return [f"{p.layer}/{p.name}" for layer in made.layers for p in layer.parts if "instructions" in p.manifest]


def test_what_is_executed_sees_them_and_no_image_has_them(root: Path) -> None:
    without = planned(root, CARD)
    assert "AUTOLOAD" not in dockerfile(without)
    made = planned(root, CARD + VARIABLES)
    for layer in made.layers:
        for part in layer.parts:
            if "instructions" in part.manifest:
                assert 'ARG AUTOLOAD="0"\nARG FLAGS="-a -b"\n' in part.manifest["instructions"]
    assert 'ARG FLAGS="-a -b"' in dockerfile(made)
    assert environment(made) == environment(without)
    assert "AUTOLOAD" not in environment(made)


def test_they_are_in_the_keys_of_what_sees_them_alone(root: Path) -> None:
    before, after = keys(planned(root, CARD)), keys(made := planned(root, CARD + VARIABLES))
    assert run_parts(made)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == set(run_parts(made))


def test_a_card_that_wants_none_changes_no_key(root: Path) -> None:
    assert keys(planned(root, CARD)) == keys(planned(root, CARD + "visible: {variable: V, numbering: unset}\n"))


def test_chips_want_their_own(root: Path) -> None:
    made = planned(root, CARD + VARIABLES + VARIANTS, "big")
    assert building(made.recipe) == [("AUTOLOAD", "1"), ("CHIP", "c2"), ("FLAGS", "-a -b")]
    with pytest.raises(RecipeError, match="no variant 'small' of card"):
        planned(root, CARD + VARIANTS, "small")
