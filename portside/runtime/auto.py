"""Which image a container with weights is of: the finished one, or the migrated layer's with the weights mounted."""

from collections.abc import Callable

from portside.common.progress import live, transfer
from portside.engines import Engine
from portside.errors import PortsideError
from portside.image.built import stored_image, to_load
from portside.image.config import image_name
from portside.plan.model import Plan
from portside.store import Store
from portside.store.layout import Image

MIGRATED = "migrated"


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


def load_below(recipe: str, engine: Engine, store: Store, plan_of: Callable[[], Plan]) -> None:
    """Make the engine have the image that weights are mounted into, if the store has it."""
    image = _stored(store, MIGRATED, plan_of)
    name = image_name(recipe, MIGRATED)
    if image is not None and engine.image_id(name) != image.image_id:
        with live():
            engine.load(to_load(image, store, [name]), transfer)


def _stored(store: Store, layer: str, plan_of: Callable[[], Plan]) -> Image | None:
    try:
        return stored_image(plan_of(), store, layer)
    except PortsideError:
        return None
