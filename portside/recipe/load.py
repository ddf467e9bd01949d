"""From `recipes/NAME.yaml` to a validated recipe; every error names file, line, key and what was expected."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from portside.canonical import digest_of
from portside.errors import RecipeError
from portside.recipe.models import LAYERS, NAME, File, RecipeModel
from portside.recipe.source import Location, Place, read_yaml
from portside.recipe.stages import Stage, make_stages
from portside.tree import Tree, file_entry

REPLACED_WHOLE = {("base",)}
"""What a recipe that extends another replaces instead of merging: two bases at once would mean nothing."""


@dataclass(frozen=True)
class Recipe:
    """A loaded recipe.

    folders: where its files are looked for, its own first, then those of the recipes it extends.
    workspace: the folder in the image; a recipe shares it with the recipe that it extends, and so shares layers.
    stages: what each recipe adds to the env layer, the lowest of those that it extends first, its own last.
    """

    name: str
    model: RecipeModel
    path: Path
    folders: tuple[Path, ...]
    workspace: str
    stages: tuple[Stage, ...] = ()

    @property
    def lock_path(self) -> Path:
        return self.path.with_suffix(".lock")

    def file(self, relative: str) -> Path:
        """A file of the recipe's folder. Raises RecipeError where it is missing or leads out of the folder."""
        for folder in self.folders:
            path = folder / relative
            if path.is_symlink() or path.exists():
                if not path.resolve().is_relative_to(folder.resolve()):
                    raise RecipeError(f"{self.path}: {relative} leads out of {folder}", "Put the file itself there.")
                if path.is_file():
                    return path
        raise RecipeError(
            f"{self.path}: no file {relative} in {' or '.join(str(folder) for folder in self.folders)}",
            "Put it there or correct the recipe.",
        )

    def file_tree(self, files: Sequence[File]) -> Tree:
        """The named files at their places (absolute ones without the leading '/'), with the modes they ask for."""
        tree = Tree()
        for file in files:
            data = self.file(file.source).read_bytes()
            tree.put(file_entry(file.to.lstrip("/"), data, int(file.mode, 8)))
        return tree

    def folder_tree(self) -> Tree:
        """Everything in the recipe's folder; a recipe's own files hide those of the recipes it extends."""
        tree = Tree()
        for folder in reversed(self.folders):
            if folder.is_dir():
                for entry in Tree.from_folder(folder):
                    tree.put(entry)
        return tree

    def requests(self) -> dict[str, Any]:
        """What decides the lock: compared with what the lock says it was made for."""
        dump = self.model.model_dump(mode="json", by_alias=True)
        python = {s.recipe: s.python.model_dump(mode="json") if s.python else None for s in self.stages}
        return {
            "base": {kind: base for kind, base in dump["base"].items() if base is not None},
            **{f"env.{s.recipe}": {"debian": list(s.debian), "python": python[s.recipe]} for s in self.stages},
            **{f"sources.{name}": source for name, source in dump["sources"].items()},
            **{f"weights.{name}": weights for name, weights in dump["weights"].items()},
            **{f"data.{name}": data for name, data in dump["data"].items()},
        }

    def digest(self) -> str:
        """A hash over everything the recipe says."""
        return digest_of(self.model.model_dump(mode="json", by_alias=True))


def find_recipes(root: Path) -> list[str]:
    """The names of all recipes below `root`/recipes, sorted."""
    return sorted(path.stem for path in (root / "recipes").glob("*.yaml"))


def check_name(name: str) -> str:
    """Give a recipe's name back, or raise RecipeError: it becomes part of paths, image names and the Dockerfile."""
    if not NAME.fullmatch(name):
        raise RecipeError(
            f"not a recipe's name: {name!r}", "Expected lower-case letters and digits, with single '-' between them."
        )
    return name


def load_recipe(root: Path, name: str) -> Recipe:
    """Load and validate `root`/recipes/NAME.yaml. Raises RecipeError."""
    check_name(name)
    chain = _merged(root, name, ())
    values, places = chain[-1].values, chain[-1].places
    path = root / "recipes" / f"{name}.yaml"
    try:
        model = RecipeModel.model_validate(values)
    except ValidationError as error:
        raise RecipeError(
            "\n".join(_describe(path, places, e) for e in error.errors()), "docs/recipe.md describes every key."
        ) from None
    folders = tuple(root / "recipes" / link.name for link in reversed(chain))
    # What stands on another base shares no layer with it: such a recipe is the lowest that counts.
    lowest = max(number for number, link in enumerate(chain) if link.own_base)
    stages = make_stages(path, [(link.name, link.values.get("env", {})) for link in chain[lowest:]])
    recipe = Recipe(name, model, path, folders, f"/workspace/{chain[0].name}", stages)
    _check_files(recipe, places)
    _check_accelerator(recipe, places)
    return recipe


@dataclass(frozen=True)
class _Link:
    """One recipe of a chain of `extends`: its name, what it says on top of the lower ones, and where."""

    name: str
    values: dict[str, Any]
    places: dict[Location, Place]
    own_base: bool


def _merged(root: Path, name: str, seen: tuple[str, ...]) -> tuple[_Link, ...]:
    """The chain that ends with the recipe `name`, lowest first; each link has the values of those below merged in."""
    path = root / "recipes" / f"{name}.yaml"
    if not path.is_file():
        known = find_recipes(root)
        close = get_close_matches(name, known, 1)
        hint = f"Did you mean '{close[0]}'? " if close else ""
        raise RecipeError(
            f"no recipe '{name}': {path} is missing", f"{hint}Known recipes: {', '.join(known) or 'none'}."
        )
    values, places = read_yaml(path)
    parent = values.get("extends")
    if parent is None:
        return (_Link(name, values, places, own_base=True),)
    if not isinstance(parent, str) or not NAME.fullmatch(parent):
        raise RecipeError(f"{places[('extends',)]}: extends: expected the name of a recipe")
    if parent in (*seen, name):
        raise RecipeError(
            f"{places[('extends',)]}: '{name}' extends itself, by way of {' -> '.join([*seen, name, parent])}"
        )
    chain = _merged(root, parent, (*seen, name))
    merged: dict[str, Any] = {}
    merged_places = dict(chain[-1].places)
    _merge(chain[-1].values, values, places, (), merged, merged_places)
    return (*chain, _Link(name, merged, merged_places, own_base="base" in values))


def _merge(
    old: dict[str, Any],
    new: dict[str, Any],
    new_places: dict[Location, Place],
    at: Location,
    out: dict[str, Any],
    places: dict[Location, Place],
) -> None:
    out.update(old)
    for key, value in new.items():
        here = (*at, key)
        before = old.get(key)
        if value is None and before is not None:
            del out[key]
            continue
        if isinstance(value, dict) and isinstance(before, dict) and here not in REPLACED_WHOLE:
            out[key] = {}
            _merge(before, value, new_places, here, out[key], places)
            continue
        shift = 0
        if isinstance(value, list) and isinstance(before, list):
            shift = len(before)
            out[key] = [*before, *value]
        else:
            out[key] = value
        for location, place in new_places.items():
            if location[: len(here)] == here:
                places[here + _shifted(location[len(here) :], shift)] = place


def _shifted(location: Location, by: int) -> Location:
    """A location inside a list whose items moved behind those of another list."""
    return (location[0] + by, *location[1:]) if location and isinstance(location[0], int) else location


def _describe(path: Path, places: dict[Location, Place], error: Any) -> str:
    """One validation error as `file:line: key: what was expected`."""
    location = tuple(error["loc"])
    shown: list[str | int] = []
    place = places.get((), Place(path, 1))
    for end in range(1, len(location) + 1):
        # Union members and alias names stand in pydantic's locations too; only what the file has is shown.
        candidate = (*shown, location[end - 1])
        if candidate in places:
            shown = list(candidate)
            place = places[candidate]
    key = ".".join(str(part) for part in shown)
    if error["type"] in ("missing", "extra_forbidden") and location and location[-1] not in shown[-1:]:
        key = ".".join(filter(None, [key, str(location[-1])]))
    message = {
        "extra_forbidden": "no such key here",
        "missing": "this key is missing",
    }.get(error["type"], error["msg"].removeprefix("Value error, "))
    if error["type"] == "extra_forbidden":
        message += _near(location)
    value = error["input"]
    if error["type"] not in ("missing", "extra_forbidden") and isinstance(value, str | int | float | bool):
        message += f", not {value!r}"
        if error["type"] == "string_type":
            message += " (quote it)"
    return f"{place}: {key}: {message}" if key else f"{place}: {message}"


def _near(location: Location) -> str:
    model: Any = RecipeModel
    for part in location[:-1]:
        field = getattr(model, "model_fields", {}).get(part)
        model = field.annotation if field else None
        model = next((kind for kind in get_args(model) if hasattr(kind, "model_fields")), model)  # X | None
    names = [f.alias or n for n, f in getattr(model, "model_fields", {}).items()]
    close = get_close_matches(str(location[-1]), names, 1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; expected one of {', '.join(names)}" if names else ""


def _check_accelerator(recipe: Recipe, places: dict[Location, Place]) -> None:
    from portside.accelerators.load import accelerator_names

    known = accelerator_names()
    name = recipe.model.accelerator.name
    if name not in known:
        place = places.get(("accelerator", "name"), recipe.path)
        raise RecipeError(
            f"{place}: accelerator.name: no accelerator '{name}'",
            f"Known: {', '.join(known)}; docs/accelerators.md says how to add one.",
        )


def _check_files(recipe: Recipe, places: dict[Location, Place]) -> None:
    named = [*recipe.model.env.files, *recipe.model.files]
    for file in named:
        recipe.file(file.source)
    for layer in LAYERS:
        for check in recipe.model.checks_of(layer):
            recipe.file(check)
    targets = [file.to for file in named]
    for target in targets:
        if targets.count(target) > 1:
            raise RecipeError(
                f"{places.get(('files',), recipe.path)}: two files go to {target}", "Keep one of the two."
            )
