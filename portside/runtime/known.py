"""Whether an engine's image is the one that the store knows under its name."""

from collections.abc import Callable
from dataclasses import dataclass

from portside.common.progress import live, say, transfer
from portside.common.values import ImageID
from portside.engines import Engine
from portside.errors import EngineError, PortsideError
from portside.image.built import names_of, stored_image, to_load
from portside.plan.model import Plan
from portside.recipe.models import LAYERS
from portside.store import Store
from portside.store.layout import Image


@dataclass(frozen=True)
class Known:
    """image_id: of the image that the store has for a recipe's layer (hex), None where it has none.

    note: what is to be said of an engine's image that is not another; None where it is proven to be the lock's.
    image: the image of that ID, where the store can give it to an engine.
    """

    recipe: str
    layer: str
    image_id: ImageID | None
    note: str | None
    image: Image | None = None

    def bring(self, store: Store, engine: Engine) -> None:
        """Give the engine the image of a layer below the finished one: a build loads the finished one alone, so an
        engine has none of these or that of an earlier build."""
        tags = names_of(self.recipe, self.layer)
        if self.image is not None and self.layer != LAYERS[-1] and engine.image_id(tags[0]) != self.image_id:
            with live():
                engine.load(to_load(self.image, store, tags), transfer)

    def compare(self, name: str, found: ImageID) -> None:
        """found: the ID (hex) of the engine's image called `name`. Raises EngineError where it is another image."""
        if self.image_id is not None and found != self.image_id:
            raise EngineError(
                f"the engine's {name} is sha256:{found}, and the one that was built or loaded here is "
                f"sha256:{self.image_id}: somebody else has given it that name",
                f"Load the right one: invoke build --recipe {self.recipe} --layer {self.layer}",
            )
        if self.note is not None:
            say(f"{name}: {self.note}")


def known_image(recipe: str, layer: str, store: Store, plan_of: Callable[[], Plan]) -> Known:
    """What the store knows of the image of a recipe's layer.

    plan_of: gives the recipe's plan, or raises PortsideError, as where there is no lock: what the store had last is
    then all that is known, and it is the same where recipe or lock have changed since the last build.
    """
    try:
        image = stored_image(plan_of(), store, layer)
        return Known(recipe, layer, image.image_id, None, image)
    except PortsideError as error:
        problem = error.problem
    last = store.layout.image(f"{recipe}:{layer}")
    if last is not None:
        note = f"this is the last build, not what the recipe says now ({problem})"
        return Known(recipe, layer, last.image_id, note, last)
    return Known(recipe, layer, None, f"nothing here proves that it is the recipe's image ({problem})")
