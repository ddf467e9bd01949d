"""Which image a container with weights is of: the finished one, or the migrated layer's with the weights mounted."""

from collections.abc import Callable
from dataclasses import replace

from portside.common.progress import say
from portside.engines import Engine, Mount
from portside.errors import PortsideError
from portside.image.built import stored_image
from portside.image.config import image_name
from portside.plan.model import Plan
from portside.project import Project
from portside.runtime.intent import Intent
from portside.runtime.weights import bring_weights, weight_mounts
from portside.store import Store
from portside.store.layout import Image

MIGRATED = "migrated"


def with_weights(
    intent: Intent, way: str, project: Project, engine: Engine | None, plan_of: Callable[[], Plan]
) -> tuple[Intent, tuple[Mount, ...]]:
    """An intent that says whether its weights are mounted, and their mounts.

    way: baked, mount or auto. engine: the one to run in; None: nothing is brought or asked, and auto is baked.
    plan_of: the recipe's plan, or raises PortsideError.
    """
    recipe, store = intent.recipe, project.store
    if not recipe.model.weights or way == "baked":
        return intent, ()
    asks = way == "auto" and intent.layer == "weights"
    if asks and engine is not None and is_mounted(recipe.name, engine, store, plan_of):
        say(f"The weights are mounted: {engine.name} does not have the finished image of {recipe.name}")
        intent = replace(intent, layer=MIGRATED, mounted_weights=True)
    if not intent.mounted_weights:
        return intent, ()
    lock = project.lock(recipe)
    if engine is not None:
        bring_weights(recipe, lock, store, project.config)
    return intent, weight_mounts(recipe, lock, store, bring=engine is not None)


def is_mounted(recipe: str, engine: Engine, store: Store, plan_of: Callable[[], Plan]) -> bool:
    """Whether the weights are mounted: the engine lacks the finished image, or has that of an older build, and the
    image below the weights is at hand. plan_of: the recipe's plan, or raises PortsideError."""
    finished = _stored(store, "weights", plan_of)
    found = engine.image_id(image_name(recipe, "weights"))
    if found is not None and (finished is None or found == finished.image_id):
        return False
    below = _stored(store, MIGRATED, plan_of)
    loaded = engine.image_id(image_name(recipe, MIGRATED))
    return below is not None or (found is None and loaded is not None)


def _stored(store: Store, layer: str, plan_of: Callable[[], Plan]) -> Image | None:
    try:
        return stored_image(plan_of(), store, layer)
    except PortsideError:
        return None
