"""From `recipes/NAME.yaml` to a validated recipe; every error names file, line, key and what was expected."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from portside.common.explain import explain
from portside.common.globs import closest_paths, matches
from portside.common.values import RecipeName
from portside.common.weight_places import WeightPlaces
from portside.common.yaml_file import FileLine, Location, found, read_yaml
from portside.errors import RecipeError, did_you_mean
from portside.recipe.loaded import Recipe
from portside.recipe.merge import Merged, merge
from portside.recipe.models import WHEEL_ARCHITECTURES, File, InstallStep, RecipeModel
from portside.recipe.pending import finish_change
from portside.recipe.stages import make_stages


def find_recipes(root: Path) -> list[str]:
    """The names of all recipes below `root`/recipes, sorted."""
    return sorted(path.stem for path in (root / "recipes").glob("*.yaml"))


def check_name(name: str) -> RecipeName:
    """A recipe's name as one. Raises RecipeError: it becomes part of paths, image names and the Dockerfile."""
    try:
        return RecipeName(name)
    except ValueError:
        raise RecipeError(
            f"not a recipe's name: {name!r}", "Expected lower-case letters and digits, with single '-' between them."
        ) from None


def load_recipe(root: Path, name: str) -> Recipe:
    """Load and validate `root`/recipes/NAME.yaml. Raises RecipeError."""
    if (meant := Path(name).stem.lower()) != name and meant in find_recipes(root):
        raise RecipeError(f"not a recipe's name: {name!r}", f"Did you mean '{meant}'?")
    checked = check_name(name)
    chain = _merged(root, name, ())
    values, places = chain[-1].values, chain[-1].places
    path = root / "recipes" / f"{name}.yaml"
    try:
        model = RecipeModel.model_validate(values)
    except ValidationError as error:
        raise RecipeError(
            "\n".join(explain(error, RecipeModel, places, FileLine(path, 1))), "docs/recipe.md describes every key."
        ) from None
    folders = tuple(root / "recipes" / link.name for link in reversed(chain))
    # What stands on another base, or has other packages there, shares no layer: it is the lowest that counts.
    lowest = max(number for number, link in enumerate(chain) if link.own_env)
    envs = [(link.name, link.values.get("env", {})) for link in chain[lowest:]]
    stages = make_stages(path, envs, model.base.architecture)
    for link in chain[lowest:]:
        _check_platform(link, path, model.base.architecture)
    steps = tuple(str(places.get(("patches", number), path)) for number in range(len(model.patches)))
    recipe = Recipe(checked, model, path, folders, f"/workspace/{chain[0].name}", stages, steps)
    _check_files(recipe, places)
    _check_install_files(recipe, places)
    _check_names(recipe, places)
    _check_patch_files(recipe, places)
    _check_migration(recipe, places)
    _check_weights(recipe, places)
    return recipe


@dataclass(frozen=True)
class _Link:
    """One recipe of a chain of `extends`: its name, what it says on top of the lower ones, and where. own_env: whether
    it shares no env layer with those."""

    name: str
    values: dict[str, Any]
    places: dict[Location, FileLine]
    own_env: bool


def _merged(root: Path, name: str, seen: tuple[str, ...]) -> tuple[_Link, ...]:
    """The chain that ends with the recipe `name`, lowest first; each link has the values of those below merged in."""
    path = root / "recipes" / f"{name}.yaml"
    finish_change(root, name)
    if not path.is_file():
        raise RecipeError(f"no recipe '{name}': {path} is missing", _known(root, name))
    values, places = read_yaml(path)
    parent = values.get("extends")
    if parent is None:
        return (_Link(name, values, places, own_env=True),)
    if not isinstance(parent, str) or not re.fullmatch(RecipeName.PATTERN, parent):
        raise RecipeError(
            f"{places[('extends',)]}: extends: expected the name of a recipe, found {found(parent)}",
            _known(root, str(parent)),
        )
    if parent in (*seen, name):
        raise RecipeError(
            f"{places[('extends',)]}: extends: '{parent}' extends itself: {' -> '.join([*seen, name, parent])}",
            "Take `extends` out of one of them.",
        )
    if not (root / "recipes" / f"{parent}.yaml").is_file():
        raise RecipeError(f"{places[('extends',)]}: extends: no recipe '{parent}'", _known(root, parent))
    chain = _merged(root, parent, (*seen, name))
    merged = merge(Merged(chain[-1].values, chain[-1].places), values, places, parent)
    return (*chain, _Link(name, merged.values, merged.places, merged.own_env or "base" in values))


def _check_platform(link: _Link, path: Path, architecture: str) -> None:
    """Raise RecipeError where wheels are asked for that the base's architecture cannot load."""
    python = (link.values.get("env") or {}).get("python") or {}
    wanted, there = python.get("platform"), WHEEL_ARCHITECTURES[architecture]
    if wanted is None or wanted.startswith(f"{there}-"):
        return
    at: Location = ("env", "python", "platform")
    raise RecipeError(
        f"{link.places.get(at, path)}: env.python.platform: wheels for {wanted} cannot be loaded on the base, whose "
        f"architecture is {architecture}",
        f"Leave it out, or say one that begins with {there}-, such as {there}-manylinux_2_28.",
    )


def _known(root: Path, wanted: str) -> str:
    known = find_recipes(root)
    return f"{did_you_mean(wanted, known)}Known recipes: {', '.join(known) or 'none'}."


def _check_names(recipe: Recipe, places: dict[Location, FileLine]) -> None:
    """The accelerator and the ruleset are among those that the project and Portside have, each in one of them."""
    from portside.accelerators.load import accelerator_names, accelerator_path

    model = recipe.model
    name = model.accelerator.name
    known = accelerator_names(root=recipe.root)
    _check_name(name, known, "accelerator", ("accelerator", "name"), recipe, places)
    accelerator_path(name, root=recipe.root)
    if model.migration is not None:
        from portside.migrate.rulesets import names, ruleset_path

        name = model.migration.ruleset
        _check_name(name, names(recipe.root), "ruleset", ("migration", "ruleset"), recipe, places)
        ruleset_path(name, recipe.root)


def _check_name(
    name: str, known: Sequence[str], what: str, key: Location, recipe: Recipe, places: dict[Location, FileLine]
) -> None:
    if name in known:
        return
    raise RecipeError(
        f"{places.get(key, recipe.path)}: {'.'.join(map(str, key))}: no {what} '{name}'",
        f"{did_you_mean(name, known)}Known: {', '.join(known)}; docs/{what}s.md says how to add one.",
    )


def _check_files(recipe: Recipe, places: dict[Location, FileLine]) -> None:
    """The files that the recipe names are there, and no two go to one place."""
    model = recipe.model
    named: list[tuple[Location, File]] = [(("env", "files", n), file) for n, file in enumerate(model.env.files)]
    named += [(("files", n), file) for n, file in enumerate(model.files)]
    wanted: list[tuple[Location, str]] = []
    for number, check in enumerate(model.checks):
        at: Location = ("checks", number)
        wanted.append((at, check) if isinstance(check, str) else ((*at, "file"), check.file))
    for at, source in wanted:
        try:
            recipe.file(source)
        except RecipeError as error:
            key = ".".join(map(str, at))
            raise RecipeError(f"{places.get(at, recipe.path)}: {key}: {error.reason}", error.remedy) from None
    targets: set[str] = set()
    for at, row in named:
        for file in _expanded(row, at, recipe, places):
            if file.to in targets:
                place = places.get((*at, "to"), recipe.path)
                raise RecipeError(f"{place}: two files go to {file.to}", "Keep one of the two.")
            targets.add(file.to)


def _expanded(row: File, at: Location, recipe: Recipe, places: dict[Location, FileLine]) -> tuple[File, ...]:
    """The files that a row of `files` names, all of which are there."""
    try:
        found = recipe.expanded([row])
        for file in found:
            recipe.file(file.source)
    except RecipeError as error:
        key, place = ".".join(map(str, (*at, "from"))), places.get((*at, "from"), recipe.path)
        raise RecipeError(f"{place}: {key}: {error.reason}", error.remedy) from None
    return found


def _check_install_files(recipe: Recipe, places: dict[Location, FileLine]) -> None:
    """Each glob of an install step matches one of the recipe's files."""
    there = [file.to for file in recipe.expanded(recipe.model.files)]
    for number, step in enumerate(recipe.model.install):
        for row, glob in enumerate(step.files if isinstance(step, InstallStep) else ()):
            if any(matches([glob], path) for path in there):
                continue
            at: Location = ("install", number, "files")
            place = places.get((*at, row), places.get(at, recipe.path))
            close = closest_paths(glob, there)
            raise RecipeError(
                f"{place}: install.{number}.files: {glob!r} matches none of the recipe's `files`",
                f"Did you mean {' or '.join(map(repr, close))}? A file is named by its path below the workspace (`to`)."
                if close
                else "Name the file under `files` first; here it is named by its path below the workspace (`to`).",
            )


def _check_patch_files(recipe: Recipe, places: dict[Location, FileLine]) -> None:
    """Raise RecipeError that lists every file of the recipe's folder that a patch step needs and that is not there."""
    if not recipe.model.patches:
        return
    from portside.patches.apply import used_files

    missing = []
    for number, step in enumerate(recipe.model.patches):
        for path in used_files([step]):
            found = next((f / path for f in recipe.folders if (f / path).is_symlink() or (f / path).exists()), None)
            if found is not None and found.is_file() and not found.is_symlink():
                continue
            what = "no file" if found is None else "no plain file"
            location = ("patches", number, step.kind)
            missing.append(f"{places.get(location, recipe.path)}: patches.{number}.{step.kind}: {what} {path}")
    if missing:
        folders = " or ".join(str(folder) for folder in recipe.folders)
        raise RecipeError("\n".join(missing), f"Put it into {folders}, or correct the recipe.")


def _check_weights(recipe: Recipe, places: dict[Location, FileLine]) -> None:
    """Raise RecipeError where one weight file lies below another, or something else is named for a weight file's place;
    what a wheel brings is known when it is locked."""
    files: list[tuple[Location, str]] = []
    for name, weights in recipe.model.weights.items():
        at = f"{recipe.workspace.lstrip('/')}/weights"
        rows = enumerate(weights.brought(name))
        files += [(("weights", name, "files", n, "path"), f"{at}/{file.file}") for n, file in rows]
    if not files:
        return
    weight_places = WeightPlaces(path for _, path in files)
    if (clash := weight_places.nested()) is not None:
        location = next(location for location, path in files if path == clash.path)
        raise _in_the_way(recipe, places, location, str(clash))
    for location, path in recipe.named_paths():
        if (clash := weight_places.clash([(path, "file")])) is not None:
            raise _in_the_way(recipe, places, location, str(clash))


def _in_the_way(recipe: Recipe, places: dict[Location, FileLine], location: Location, problem: str) -> RecipeError:
    place = next((places[at] for at in ((*location, "to"), location) if at in places), recipe.path)
    return RecipeError(f"{place}: {'.'.join(map(str, location))}: {problem}", "Give it another path.")


def _check_migration(recipe: Recipe, places: dict[Location, FileLine]) -> None:
    """Raise RecipeError where the ruleset cannot do what the recipe's mode needs of it."""
    migration = recipe.model.migration
    if migration is None or migration.mode == "precise":
        return
    ruleset = recipe.ruleset
    converter = ruleset.converter
    place = places.get(("migration", "mode"), recipe.path)
    if migration.mode == "vendor" and ruleset.vendor is None:
        raise RecipeError(
            f"{place}: migration.mode: the ruleset {ruleset.name} has no vendor mode", "Use precise mode."
        )
    if migration.mode == "image" and converter is None:
        raise RecipeError(
            f"{place}: migration.mode: the ruleset {ruleset.name} has no converter",
            "Use precise mode, or a ruleset with `converter` (docs/rulesets.md).",
        )
    if migration.mode == "image" and migration.strict and converter is not None and converter.strict is None:
        place = places.get(("migration", "strict"), recipe.path)
        raise RecipeError(
            f"{place}: migration.strict: the converter of the ruleset {ruleset.name} has no such option",
            "Leave it out.",
        )
