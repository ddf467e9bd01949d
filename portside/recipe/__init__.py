"""Recipes: what a person wants, readable, with ranges and names.

In: recipes/NAME.yaml and its folder.
Out: a checked recipe, with all that it extends.
"""

from portside.recipe.load import find_recipes, load_recipe
from portside.recipe.loaded import Recipe

__all__ = ["Recipe", "find_recipes", "load_recipe"]
