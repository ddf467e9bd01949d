"""The recipes of the repository that have a lock there: of the others nobody here has seen all the bytes."""

from pathlib import Path

from portside.recipe import find_recipes

ROOT = Path(__file__).parents[3]
LOCKED = [name for name in find_recipes(ROOT) if (ROOT / f"recipes/{name}.lock").is_file()]
