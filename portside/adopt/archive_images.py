"""An archive's images in the store under their names; one of our own recipes' counts as built if its plan proves it."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from portside.adopt.adopt import adopt, check_config, examine
from portside.adopt.names import recipe_meant, usable
from portside.adopt.prove import by_word
from portside.archive.read import ArchiveImage, read_archive
from portside.common.progress import say
from portside.common.values import ImageName, Key, RecipeName
from portside.errors import InputError, PortsideError
from portside.image.built import Built, keep_images, names_of
from portside.plan.model import Plan
from portside.recipe.models import LAYERS
from portside.store import Store
from portside.store.layout import Blob, Image

_REMEDY = (
    "Nothing of it is used. The image of another version of the recipe needs that recipe and lock here; any other "
    "image needs a name of its own: save it anew under that."
)


@dataclass(frozen=True)
class Loaded:
    """names: what engines shall call the image. built: its layers, if it is a recipe's image."""

    image: Image
    names: tuple[ImageName, ...]
    built: tuple[Built, ...]


@dataclass(frozen=True)
class _Ours:
    """The image of a recipe's layer. blobs, unproven: by part key."""

    image: Image
    plan: Plan
    layer: str
    blobs: Mapping[Key, Blob]
    unproven: Mapping[Key, str]


@dataclass(frozen=True)
class _Foreign:
    image: Image
    names: tuple[ImageName, ...]


def load_archive(path: Path, store: Store, plan_of: Callable[[str], Plan], recipes: Collection[str]) -> list[Loaded]:
    """Take an archive's images into the store; all of them, or none.

    An image that is, by its config, what a recipe and its lock give, has all that can be proven of it proven, and
    counts as built; what cannot be proven is named. Any other image is kept under its own names.

    recipes: the names of the recipes that are here; plan_of gives the plan of each, or raises PortsideError.
    Raises InputError for an image with a recipe's name that is not its image, and for a recipe's image with a part
    that fails its proof; StoreError.
    """
    judged: list[_Ours | _Foreign] = []

    def judge(images: Sequence[ArchiveImage], place: Callable[[Blob], Path]) -> None:
        judgement = _Judgement(path.name, store, plan_of, recipes, place)
        judged.extend(judgement.of(image) for image in images)

    read_archive(path, store, judge=judge)
    return [_keep_ours(it, path.name, store) if isinstance(it, _Ours) else _keep_foreign(it, store) for it in judged]


class _Judgement:
    """What each image of one archive is; keeps nothing."""

    def __init__(
        self,
        archive: str,
        store: Store,
        plan_of: Callable[[str], Plan],
        recipes: Collection[str],
        place: Callable[[Blob], Path],
    ) -> None:
        self._archive = archive
        self._store = store
        self._plan_of = plan_of
        self._recipes = recipes
        self._place = place
        self._given: dict[Key, Blob] = {}

    def of(self, found: ArchiveImage) -> "_Ours | _Foreign":
        meant = {name: recipe for name in found.names if (recipe := recipe_meant(name)) and self._is_known(recipe)}
        recipe, layer = _labels(found.config)
        problem = "its labels name no recipe that is here"
        if recipe is not None:
            try:
                plan = self._fitting(found, recipe, layer)
            except PortsideError as error:
                problem = error.problem
            else:
                if others := [name for name, other in meant.items() if other != recipe]:
                    raise self._refused(others[0], f"it is that of {recipe}")
                return self._ours(found, plan, layer)
        for name, other in meant.items():
            if other in self._recipes:
                raise self._refused(name, problem if other == recipe else self._lock_problem(other) or problem)
            if not self._is_stored(found, other):
                raise self._refused(name, "the store has another one, built from a recipe that is not here")
        if recipe is not None:
            say(f"{self._archive}: the image of {recipe} does not count as built here: {problem}")
        return _Foreign(found.image, tuple(usable(found.names)) or (ImageName(f"loaded:{found.image.image_id[:12]}"),))

    def _is_known(self, recipe: str) -> bool:
        """Whether the recipe is here, or was built into the store from somewhere else."""
        return recipe in self._recipes or self._store.record("built", RecipeName(recipe)) is not None

    def _is_stored(self, found: ArchiveImage, recipe: str) -> bool:
        return any(self._store.layout.image(f"{recipe}:{layer}") == found.image for layer in LAYERS)

    def _fitting(self, found: ArchiveImage, recipe: str, layer: str) -> Plan:
        """The plan whose image this is, if its config tells the truth."""
        if recipe not in self._recipes:
            raise InputError(f"there is no recipe '{recipe}' here")
        if layer not in LAYERS:
            raise InputError(f"its labels name the layer '{layer}', which there is not")
        plan = self._plan_of(recipe)
        check_config(plan, layer, found.config)
        return plan

    def _lock_problem(self, recipe: str) -> str | None:
        """Why no image could be the recipe's at this moment."""
        try:
            self._plan_of(recipe)
        except PortsideError as error:
            return error.problem
        return None

    def _ours(self, found: ArchiveImage, plan: Plan, layer: str) -> _Ours:
        parts = plan.stack(layer)
        blobs = {part.key: blob for part, blob in zip(parts, found.layers, strict=True)}
        name = plan.recipe.name
        try:
            unproven = examine(parts, plan, self._store, blobs, self._place)
            for part in parts:
                if self._given.setdefault(part.key, blobs[part.key]) != blobs[part.key]:
                    raise InputError(f"{part.layer}/{part.name} is another in another image of it, of one key")
        except InputError as error:
            error.name_recipe(name)
            raise InputError(
                f"{self._archive} says it is {name}'s image, and is not: {error.problem}",
                f"Nothing of it is used. {error.solution or f'Build it here: invoke build --recipe {name}'}",
            ) from None
        return _Ours(found.image, plan, layer, blobs, unproven)

    def _refused(self, name: str, problem: str) -> InputError:
        return InputError(
            f"{self._archive} holds an image called {name}, which is not the recipe's: {problem}", _REMEDY
        )


def _keep_ours(found: _Ours, archive: str, store: Store) -> Loaded:
    plan, layer = found.plan, found.layer
    parts = plan.stack(layer)
    adopt(parts, plan, store, found.blobs, found.unproven, archive)
    if lines := by_word(parts, found.unproven, archive):
        say("\n".join(lines))
    source = {part.key: archive for part in parts}
    built = keep_images(plan, store, plan.up_to(layer), parts, found.blobs, source)
    return Loaded(found.image, tuple(names_of(plan.recipe.name, layer)), tuple(built))


def _keep_foreign(found: _Foreign, store: Store) -> Loaded:
    for name in found.names:
        store.layout.put_image(name, found.image)
    return Loaded(found.image, found.names, ())


def _labels(config: bytes) -> tuple[str | None, str]:
    """Recipe and layer that an image says it is of."""
    try:
        labels = json.loads(config)["config"]["Labels"]
        return str(labels["portside.recipe"]), str(labels["portside.layer"])
    except (ValueError, KeyError, TypeError):
        return None, ""
