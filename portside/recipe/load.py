"""From `recipes/NAME.yaml` to a validated recipe; every error names file, line, key and what was expected."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from portside.common.explain import explain
from portside.common.globs import closest_paths, matches
from portside.common.tree import Tree, file_entry
from portside.common.values import RecipeName
from portside.common.weight_places import WeightPlaces
from portside.common.yaml_file import FileLine, Location, found, read_yaml
from portside.errors import RecipeError, did_you_mean
from portside.recipe.models import WHEEL_ARCHITECTURES, File, InstallStep, MigratedFile, RecipeModel
from portside.recipe.stages import Stage, make_stages

if TYPE_CHECKING:
    from portside.migrate.rulesets import Ruleset

REPLACED_WHOLE = {("base",)}
"""What a recipe that extends another replaces instead of merging: two bases at once would mean nothing."""


@dataclass(frozen=True)
class Recipe:
    """A loaded recipe.

    folders: where its files are looked for, its own first, then those of the recipes it extends.
    workspace: the folder in the image; a recipe shares it with the recipe that it extends, and so shares layers.
    stages: what each recipe adds to the env layer, the lowest of those that it extends first, its own last.
    patch_places: FILE:LINE of each patch step.
    """

    name: RecipeName
    model: RecipeModel
    path: Path
    folders: tuple[Path, ...]
    workspace: str
    stages: tuple[Stage, ...] = ()
    patch_places: tuple[str, ...] = ()

    @property
    def root(self) -> Path:
        """The folder that holds `recipes/`."""
        return self.path.parents[1]

    @property
    def lock_path(self) -> Path:
        return self.path.with_suffix(".lock")

    @cached_property
    def ruleset(self) -> "Ruleset":
        """The ruleset by which the recipe's sources migrate, as it extends it. Raises RecipeError."""
        from portside.migrate.rulesets import load

        migration = self.model.migration
        assert migration is not None, "only a recipe that migrates something has a ruleset"
        return load(migration.ruleset, migration.extend, self.root)

    def file(self, relative: str) -> Path:
        """A file of the recipe's folder. Raises RecipeError where it is missing or leads out of the folder."""
        for folder in self.folders:
            path = folder / relative
            if path.is_symlink() or path.exists():
                if not path.resolve().is_relative_to(folder.resolve()):
                    raise RecipeError.about(
                        self.path, f"{relative} leads out of {folder}", "Put the file itself there."
                    )
                if path.is_file():
                    return path
        raise RecipeError.about(
            self.path,
            f"no file {relative} in {' or '.join(str(folder) for folder in self.folders)}",
            "Put it there or correct the recipe.",
        )

    def file_tree(self, files: Sequence[File]) -> Tree:
        """The named files at their places (absolute ones without the leading '/'), with the modes they ask for."""
        tree = Tree()
        for file in files:
            data = self.file(file.source).read_bytes()
            tree.put(file_entry(file.to.lstrip("/"), data, int(file.mode, 8)))
        return tree

    @property
    def files_below_install(self) -> tuple[MigratedFile, ...]:
        """Those of `files` that install steps need."""
        return tuple(file for file in self.model.files if self.model.is_below_install(file))

    @property
    def files_above_install(self) -> tuple[MigratedFile, ...]:
        """Those of `files` that go on top of what the install steps make."""
        return tuple(file for file in self.model.files if not self.model.is_below_install(file))

    def folder_tree(self) -> Tree:
        """Everything in the recipe's folder; a recipe's own files hide those of the recipes it extends."""
        tree = Tree()
        for folder in reversed(self.folders):
            if folder.is_dir():
                for entry in Tree.from_folder(folder):
                    tree.put(entry)
        return tree

    def named_paths(self) -> list[tuple[Location, str]]:
        """Where in the recipe (as far as it says so) a path of the image is named that something is put to; the paths
        are relative to the root."""
        model, below = self.model, self.workspace.lstrip("/")
        named: list[tuple[Location, str]] = []
        named += [(("env", "files", n), file.to.lstrip("/")) for n, file in enumerate(model.env.files)]
        named += [(("files", n), f"{below}/{file.to}") for n, file in enumerate(model.files)]
        if model.patches:
            from portside.patches.apply import written_files
        for number, step in enumerate(model.patches):
            paths = written_files(step, lambda path: self.file(path).read_bytes())
            named += [(("patches", number, step.kind), f"{below}/{path}") for path in paths]
        return named

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
    # What stands on another base shares no layer with it: such a recipe is the lowest that counts.
    lowest = max(number for number, link in enumerate(chain) if link.own_base)
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
    """One recipe of a chain of `extends`: its name, what it says on top of the lower ones, and where."""

    name: str
    values: dict[str, Any]
    places: dict[Location, FileLine]
    own_base: bool


def _merged(root: Path, name: str, seen: tuple[str, ...]) -> tuple[_Link, ...]:
    """The chain that ends with the recipe `name`, lowest first; each link has the values of those below merged in."""
    path = root / "recipes" / f"{name}.yaml"
    if not path.is_file():
        raise RecipeError(f"no recipe '{name}': {path} is missing", _known(root, name))
    values, places = read_yaml(path)
    parent = values.get("extends")
    if parent is None:
        return (_Link(name, values, places, own_base=True),)
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
    merged: dict[str, Any] = {}
    merged_places = dict(chain[-1].places)
    _merge(chain[-1].values, values, places, (), merged, merged_places)
    return (*chain, _Link(name, merged, merged_places, own_base="base" in values))


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


def _merge(
    old: dict[str, Any],
    new: dict[str, Any],
    new_places: dict[Location, FileLine],
    at: Location,
    out: dict[str, Any],
    places: dict[Location, FileLine],
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
    wanted = [((*at, "from"), file.source) for at, file in named]
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
    for at, file in named:
        if file.to in targets:
            place = places.get((*at, "to"), recipe.path)
            raise RecipeError(f"{place}: two files go to {file.to}", "Keep one of the two.")
        targets.add(file.to)


def _check_install_files(recipe: Recipe, places: dict[Location, FileLine]) -> None:
    """Each glob of an install step matches one of the recipe's files."""
    there = [file.to for file in recipe.model.files]
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
