"""Locks: what a recipe means exactly. `models` is the form, `file` reads and writes it, `agree` holds it to its recipe.

In: a lock's text and its recipe.
Out: a checked lock, its files, and where it contradicts the recipe.
"""
