"""Which of a recipe's patch steps it has itself, and which come from a recipe that it extends."""

from typing import Any

from pydantic import TypeAdapter

from portside.capture.splice import RecipeText
from portside.patches.steps import Step
from portside.recipe import Recipe

STEP: TypeAdapter[Any] = TypeAdapter(Step)


def own_steps(recipe: Recipe, text: RecipeText) -> dict[int, int]:
    """Of each step that the recipe itself has: its number among all -> where it stands in the recipe's own list."""
    rows = (text.values() or {}).get("patches") or []
    steps = [STEP.validate_python(row) for row in rows]
    found: dict[int, int] = {}
    for number, one in enumerate(recipe.model.patches):
        for at, own in enumerate(steps):
            if own == one and at not in found.values():
                found[number] = at
                break
    return found
