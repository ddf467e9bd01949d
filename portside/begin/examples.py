"""The recipes of Portside's repository, which come with the package as examples, with their locks and files."""

from pathlib import Path

from portside.begin.places import place
from portside.common.tree import Tree, file_entry
from portside.errors import RecipeError, did_you_mean
from portside.recipe import Recipe, find_recipes, load_recipe

_UNWANTED = ("__pycache__", ".pytest_cache")
"""Folders that running a recipe's checks leaves in its folder."""


def _root() -> Path:
    """The folder that holds recipes/ with the examples."""
    return place("examples", ".")


def example_names() -> list[str]:
    """Sorted."""
    return find_recipes(_root())


def example_recipes() -> list[Recipe]:
    return [load_recipe(_root(), name) for name in example_names()]


def example_tree(name: str) -> Tree:
    """An example and the recipes that it extends, each with its lock and files: recipes/NAME.yaml, NAME.lock, NAME/….

    Raises RecipeError for a name that no example has.
    """
    known = example_names()
    if name not in known:
        raise RecipeError(f"no example '{name}'", f"{did_you_mean(name, known)}The examples are {', '.join(known)}.")
    tree = Tree()
    for folder in load_recipe(_root(), name).folders:
        for path in (folder.with_suffix(ending) for ending in (".yaml", ".lock")):
            if path.is_file():
                tree.put(file_entry(f"recipes/{path.name}", path.read_bytes()))
        for entry in Tree.from_folder(folder) if folder.is_dir() else ():
            if entry.kind == "file" and not any(part in _UNWANTED for part in entry.path.split("/")):
                mode = 0o755 if entry.mode & 0o100 else 0o644
                tree.put(file_entry(f"recipes/{folder.name}/{entry.path}", entry.read(), mode))
    return tree
