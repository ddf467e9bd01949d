"""What was built: images under their names in the store and in the engine."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from portside.common.progress import transfer
from portside.common.values import ImageName, Key
from portside.engines import Builder, ImageLayer, ImageToLoad
from portside.errors import BuildError
from portside.image.config import image_name, make_image
from portside.plan.model import LayerPlan, Part, Plan
from portside.plan.places import check_parts
from portside.plan.states import blob_of, changed_file
from portside.recipe.models import LAYERS
from portside.store import Store
from portside.store.inputs import put_it_back
from portside.store.layout import Blob, Image


@dataclass(frozen=True)
class Built:
    """A layer after a build. image: with everything below it. size: bytes of the layer's own blobs.

    fresh: names of the parts that were built now. pulled: names of those that came from registries, with the place.
    """

    plan: LayerPlan
    image: Image
    size: int
    fresh: tuple[str, ...]
    pulled: tuple[tuple[str, str], ...] = ()


def keep_images(
    plan: Plan,
    store: Store,
    wanted: Sequence[LayerPlan],
    missing: Sequence[Part],
    blobs: Mapping[Key, Blob],
    pulled: Mapping[Key, str],
    taken: Collection[str] = (),
) -> list[Built]:
    """Give every layer's image its name in the store, and remember what was built for the next plan's reasons.

    missing: the parts that were not there before. pulled: by part key, where those came from that were not built.
    taken: the keys of those that another process built. Raises RecipeError or BuildError, and keeps no image, where a
    part has something where weights lie.
    """
    check_parts(plan, [part for layer in wanted for part in layer.parts], blobs, store)
    built = []
    for layer in wanted:
        image = make_image(plan, layer.name, blobs)
        name = ImageName(f"{plan.recipe.name}:{layer.name}")
        if missing or store.layout.image(name) != image:
            store.layout.put_image(name, image)
        own = sum(blobs[part.key].size for part in layer.parts)
        fresh = tuple(p.name for p in layer.parts if p in missing and p.key not in pulled and p.key not in taken)
        came = tuple((part.name, pulled[part.key]) for part in layer.parts if part.key in pulled)
        built.append(Built(layer, image, own, fresh, came))
    if missing:
        before = store.record("built", plan.recipe.name) or {}
        now = {f"{part.layer}/{part.name}": part.manifest for layer in wanted for part in layer.parts}
        store.keep("built", plan.recipe.name, before | now)
    return built


def stored_image(plan: Plan, store: Store, layer: str) -> Image:
    """A layer's image as the store has it now. Raises BuildError where a part is not built."""
    blobs: dict[Key, Blob] = {}
    for part in plan.stack(layer):
        blob = blob_of(part, store)
        if blob is None and (why := changed_file(part, store)) is not None:
            raise BuildError(f"{part.layer}/{part.name} cannot be used: {why}", put_it_back)
        if blob is None:
            raise BuildError(
                f"{plan.recipe.name}'s layer {part.layer} is not built",
                f"Build it: invoke build --recipe {plan.recipe.name}",
            )
        blobs[part.key] = blob
    return make_image(plan, layer, blobs)


def load_images(plan: Plan, built: Sequence[Built], store: Store, engine: Builder) -> None:
    """Make the engine have each of these images under its names."""
    for layer in built:
        load_image(plan, layer.plan.name, layer.image, store, engine)


def load_image(plan: Plan, layer: str, image: Image, store: Store, engine: Builder) -> None:
    """Make the engine have a layer's image under its names."""
    tags = names_of(plan.recipe.name, layer)
    if any(engine.image_id(tag) != image.image_id for tag in tags):
        engine.load(to_load(image, store, tags), transfer)


def names_of(recipe: str, layer: str) -> list[ImageName]:
    """What an engine calls a layer's image; the finished one is also the latest."""
    return [image_name(recipe, name) for name in ((layer, "latest") if layer == LAYERS[-1] else (layer,))]


def to_load(image: Image, store: Store, tags: Sequence[str], shown: str | None = None) -> ImageToLoad:
    """An image of the store for an engine. shown: what a person is told of it as; default: the first tag."""
    layers = tuple(
        ImageLayer(blob.digest, blob.size, partial(store.layout.open, blob), store.layout.file(blob.digest))
        for blob in image.layers
    )
    return ImageToLoad(image.config, layers, tuple(tags), shown)
