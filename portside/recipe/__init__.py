"""Recipes: what a person wants, readable, with ranges and names."""

from portside.recipe.load import Recipe, find_recipes, load_recipe

__all__ = ["Recipe", "find_recipes", "load_recipe"]
