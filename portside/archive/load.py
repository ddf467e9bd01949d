"""An archive's images in the store under their names; one of our own recipes' counts as built if its plan proves it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from portside.archive.read import ArchiveImage, read_archive
from portside.built import Built, keep_images
from portside.errors import PortsideError
from portside.image import image_name
from portside.plan import Plan
from portside.prebuilt import adopt, check_config
from portside.progress import say
from portside.recipe.models import LAYERS
from portside.store import Store
from portside.store.layout import Image


@dataclass(frozen=True)
class Loaded:
    """names: what engines shall call the image. built: its layers, if it is a recipe's image."""

    image: Image
    names: tuple[str, ...]
    built: tuple[Built, ...]


def load_archive(path: Path, store: Store, plan_of: Callable[[str], Plan]) -> list[Loaded]:
    """Take an archive's images into the store.

    plan_of: the plan of a recipe by its name; raises PortsideError where there is none. Raises InputError, StoreError.
    """
    return [_keep(image, path, store, plan_of) for image in read_archive(path, store).images]


def _keep(found: ArchiveImage, path: Path, store: Store, plan_of: Callable[[str], Plan]) -> Loaded:
    recipe, layer = _labels(found.config)
    if recipe is not None and layer in LAYERS:
        try:
            plan = plan_of(recipe)
            built = _adopt(found, plan, layer, store)
        except PortsideError as error:
            say(f"{path.name}: the image of {recipe} does not count as built here: {error.problem}")
        else:
            names = (image_name(recipe, layer), *((image_name(recipe, "latest"),) if layer == LAYERS[-1] else ()))
            return Loaded(found.image, names, built)
    names = found.names or (f"loaded:{found.image.image_id[:12]}",)
    for name in names:
        store.layout.put_image(name, found.image)
    return Loaded(found.image, names, ())


def _adopt(found: ArchiveImage, plan: Plan, layer: str, store: Store) -> tuple[Built, ...]:
    check_config(plan, layer, found.config)
    parts = plan.parts(layer)
    blobs = {part.key: blob for part, blob in zip(parts, found.layers, strict=True)}
    for part in parts:
        adopt(part, blobs[part.key], plan, store)
    source = {part.key: "the archive" for part in parts}
    return tuple(keep_images(plan, store, plan.up_to(layer), parts, blobs, source))


def _labels(config: bytes) -> tuple[str | None, str]:
    """Recipe and layer that an image says it is of."""
    try:
        labels = json.loads(config)["config"]["Labels"]
        return str(labels["portside.recipe"]), str(labels["portside.layer"])
    except (ValueError, KeyError, TypeError):
        return None, ""
