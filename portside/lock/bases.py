"""What an image is built on, as it is locked: a model for each kind."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Protocol

from pydantic import Field

from portside.common.kinds import Kinds
from portside.common.values import (
    DiffID,
    FileName,
    ImageAddress,
    Sha256,
    Size,
)
from portside.lock import comparison
from portside.lock.comparison import Found
from portside.lock.locked import Locked
from portside.lock.packages import (
    LINE,
    REFERENCE,
    VARIABLE,
    Deb,
    Epoch,
    LockModel,
    Word,
)
from portside.lock.record import LockedInput
from portside.lock.registry_image import ImageDocument, RegistryLayer
from portside.recipe import bases as recipes

BASES = Kinds()
"""What can be locked, by kind: each model below is in it, and nothing else names them all."""


class ArchiveLayer(LockModel):
    """A layer of a base; size: of the uncompressed tar."""

    diff_id: DiffID
    size: Size


class LayerOfBase(Protocol):
    @property
    def diff_id(self) -> DiffID: ...

    @property
    def size(self) -> Size | None:
        """Bytes of the uncompressed tar; None where only the layer itself tells."""


class LockedBase(Locked, Protocol):
    @property
    def architecture(self) -> str: ...

    @property
    def epoch(self) -> int: ...

    @property
    def layers(self) -> Sequence[LayerOfBase]:
        """Empty as long as nobody knows them."""

    @property
    def env(self) -> dict[str, str]:
        """Environment variables that it sets."""

    @property
    def debs(self) -> tuple[Deb, ...]:
        """The packages in it that we locked."""

    @property
    def distribution(self) -> "DebianBase | None":
        """The base itself, where we made it of .debs; None for a base whose packages only its own files tell."""

    @property
    def made_here(self) -> bool:
        """Whether Portside writes its layers, so that another layer format gives others."""

    def parts(self) -> list[tuple[int | None, dict[str, Any]]]:
        """The parts that it gives an image: the number of its layer, from 1, None for the whole; what its key is of."""

    def bytes_for(self, diff_id: DiffID | None) -> int:
        """About how many bytes the layer takes in the store, together with what it is made from."""


@BASES.add
class DebianBase(LockModel):
    """A minimal Debian made from .debs.

    snapshot: the Date of the suite's Release file, YYYYMMDDTHHMMSSZ: where the distribution's snapshot service
    keeps the .debs that a mirror has dropped. diff_id, size: of the canonical base layer made from the .debs.
    """

    kind: Literal["debian"] = "debian"
    suite: Word
    architecture: Word
    snapshot: Word
    epoch: Epoch
    debs: tuple[Deb, ...]
    diff_id: DiffID
    size: Size

    @property
    def layers(self) -> tuple[ArchiveLayer, ...]:
        return (ArchiveLayer(diff_id=self.diff_id, size=self.size),)

    @property
    def env(self) -> dict[str, str]:
        return {}

    @property
    def distribution(self) -> "DebianBase | None":
        return self

    @property
    def suites(self) -> tuple[str, ...]:
        return (self.suite,)

    @property
    def made_here(self) -> bool:
        return True

    def parts(self) -> list[tuple[int | None, dict[str, Any]]]:
        return [(None, {"diff_id": self.diff_id})]

    def bytes_for(self, diff_id: DiffID | None) -> int:
        return self.size + sum(deb.size for deb in self.debs)

    def inputs(self, at: str) -> Iterator[LockedInput]:
        return (deb.input(at) for deb in self.debs)

    def otherwise(self, request: str, asked: recipes.Debian) -> Found:
        yield from comparison.same(request, "base.debian.suite", asked.suite, self.suite)
        yield from comparison.same(request, "base.debian.architecture", asked.architecture, self.architecture)
        yield from comparison.debian_packages(request, "base.debian.include", asked.include, self.debs, self.debs)
        yield from comparison.architectures(request, self.debs, self.architecture)


class VendorImage(LockModel):
    """What is true of every base that somebody else made."""

    @property
    def debs(self) -> tuple[Deb, ...]:
        """None that we locked: what is in a vendor's image is the vendor's."""
        return ()

    @property
    def distribution(self) -> DebianBase | None:
        """None: only its own files tell which packages a vendor's image has."""
        return None

    @property
    def made_here(self) -> bool:
        return False


@BASES.add
class ArchiveBase(VendorImage):
    """An image that a vendor hands out as an archive, or as a folder with an OCI layout; a person brings it.

    sha256, size: of the file; a folder has none, and the layers say which image it is. What follows them was read out
    of the image, and is empty as long as nobody has seen it: reference: the name that `docker load` gives it. env: its
    environment variables.
    """

    kind: Literal["archive"] = "archive"
    file: FileName
    architecture: Word
    size: Size | None = None
    sha256: Sha256 | None = None
    reference: Annotated[str, Field(pattern=REFERENCE)] | None = None
    epoch: Epoch = 0
    env: dict[Annotated[str, Field(pattern=VARIABLE)], Annotated[str, Field(pattern=LINE)]] = Field({})
    layers: tuple[ArchiveLayer, ...] = ()

    def parts(self) -> list[tuple[int | None, dict[str, Any]]]:
        """As of other bases; one that nobody knows yet stands for the whole."""
        if not self.layers:
            return [(None, {"file": self.file, "diff_id": None})]
        return [(number, {"diff_id": layer.diff_id}) for number, layer in enumerate(self.layers, 1)]

    def bytes_for(self, diff_id: DiffID | None) -> int:
        """As of other bases; its layers are taken out of its file, which is not kept."""
        return next((layer.size for layer in self.layers if layer.diff_id == diff_id), 0)

    def inputs(self, at: str) -> Iterator[LockedInput]:
        version, pinned = self.sha256 or "unknown", bool(self.layers)
        place = ("base", self.file)
        yield LockedInput(at, "archive", self.file, version, self.file, self.size, self.sha256, None, place, pinned)

    def otherwise(self, request: str, asked: recipes.Archive) -> Found:
        yield from comparison.file(request, "base.archive", asked, self)
        yield from comparison.same(request, "base.archive.architecture", asked.architecture, self.architecture)


@BASES.add
class ImageBase(VendorImage):
    """An image in a registry.

    image: as the recipe says it. indexes: from the one that the registry gave to the one that has the manifest; none
    where it gave a manifest. epoch, env: out of its config. layers: lowest first.
    """

    kind: Literal["image"] = "image"
    image: ImageAddress
    architecture: Word
    indexes: tuple[ImageDocument, ...] = ()
    manifest: ImageDocument
    config: ImageDocument
    epoch: Epoch
    env: dict[Annotated[str, Field(pattern=VARIABLE)], Annotated[str, Field(pattern=LINE)]] = Field({})
    layers: Annotated[tuple[RegistryLayer, ...], Field(min_length=1)]

    @property
    def documents(self) -> dict[str, ImageDocument]:
        """All of them, with what each is, in the order in which one leads to the next."""
        named = {f"index {number}": index for number, index in enumerate(self.indexes, 1)}
        return {**named, "manifest": self.manifest, "config": self.config}

    def parts(self) -> list[tuple[int | None, dict[str, Any]]]:
        """As of an archive with the same layers: what is the same image has the same keys."""
        return [(number, {"diff_id": layer.diff_id}) for number, layer in enumerate(self.layers, 1)]

    def bytes_for(self, diff_id: DiffID | None) -> int:
        """As of other bases. What is packed is there together with what comes out of it, which is not smaller."""
        layer = next((layer for layer in self.layers if layer.diff_id == diff_id), None)
        return 0 if layer is None else layer.size or 2 * layer.packed_size

    def inputs(self, at: str) -> Iterator[LockedInput]:
        for what, document in self.documents.items():
            name, digest = f"{self.image} {what}", document.sha256
            yield LockedInput(at, "manifest", name, f"sha256:{digest}", name, document.size, digest)
        for number, layer in enumerate(self.layers, 1):
            name, version = f"{self.image} layer {number}", f"sha256:{layer.diff_id}"
            yield LockedInput(at, "packed", name, version, name, layer.packed_size, layer.packed)

    def otherwise(self, request: str, asked: recipes.RegistryImage) -> Found:
        yield from comparison.same(request, "base.image", asked.image, self.image)
        yield from comparison.same(request, "base.image.architecture", asked.architecture, self.architecture)
        _, at, pinned = asked.image.partition("@sha256:")
        first = (*self.indexes, self.manifest)[0].sha256
        if at:
            yield from comparison.same(request, "base.image", f"sha256:{pinned}", f"sha256:{first}")
