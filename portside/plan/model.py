"""What a plan is: layers, their parts, and the key of each.

A layer consists of parts; a part becomes one layer blob. A part's manifest is a plain value that holds all that goes
into it, and its key is the manifest's hash, so a miss can explain itself by comparing two manifests.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from portside.common.canonical import digest_of
from portside.common.values import Sha256, Size
from portside.lock.models import Lock
from portside.recipe import Recipe
from portside.recipe.stages import Stage
from portside.store.records import KeyRecord

CONVERTED = "converted"
"""The name of the part that the converter of the image makes, in image mode."""

PartKind = Literal["base", "run", "data", "frame"]


@dataclass(frozen=True)
class Part:
    """One layer blob to be.

    kind: base (made from .debs, or a layer of a vendor's image), run (executed by the engine), data (written by
    us), frame (one large weight file that `fetch` streams into its blob). epoch: the newest time in the blob,
    seconds since 1970. details: what a hash in the manifest stands for, by its name there; for people, not in the key.
    """

    layer: str
    name: str
    kind: PartKind
    epoch: int
    manifest: dict[str, Any]
    details: dict[str, Any] = field(default_factory=dict, compare=False)

    @cached_property
    def key(self) -> Sha256:
        return digest_of(self.manifest)

    def record(self, diff_id: Sha256, size: Size) -> KeyRecord:
        """What a store notes under the key: the blob, and the details for the reasons of later plans."""
        record: KeyRecord = {"diff_id": diff_id, "size": size}
        return {**record, "details": self.details} if self.details else record

    @property
    def after(self) -> Sha256 | None:
        """The key of the run part whose result a data part is made from, if there is one."""
        made_from: Sha256 | None = self.manifest.get("converted")
        return made_from


@dataclass(frozen=True)
class LayerPlan:
    """A layer's parts in order; key: the identity of the layer before it is built."""

    name: str
    parts: tuple[Part, ...]

    @cached_property
    def key(self) -> Sha256:
        return digest_of({"layer": self.name, "parts": [part.key for part in self.parts]})


@dataclass(frozen=True)
class Plan:
    """All layers of a recipe with its lock, lowest first."""

    recipe: Recipe
    lock: Lock
    layers: tuple[LayerPlan, ...]

    def up_to(self, last: str) -> tuple[LayerPlan, ...]:
        """The layers of the image of the layer `last`, lowest first."""
        return self.layers[: [layer.name for layer in self.layers].index(last) + 1]

    def parts(self, last: str = "weights") -> list[Part]:
        """All parts of the image of the layer `last`, lowest first."""
        return [part for layer in self.up_to(last) for part in layer.parts]

    def layer(self, name: str) -> LayerPlan:
        return next(layer for layer in self.layers if layer.name == name)


def stage_of(recipe: Recipe, part: str) -> Stage:
    """The stage that a part of the env layer belongs to, by the part's name."""
    owner = part.partition("-")[2]
    return next((stage for stage in recipe.stages if stage.recipe == owner), recipe.stages[0])


def converted_part(plan: Plan) -> Part | None:
    """The part that the image's converter makes, in image mode."""
    return next((part for part in plan.layer("migrated").parts if part.name == CONVERTED), None)
