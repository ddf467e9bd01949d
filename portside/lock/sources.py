"""Upstream code, as it is locked: a model for each kind."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Protocol

from pydantic import AfterValidator, Field, model_validator

from portside.common.git_urls import refused
from portside.common.kinds import Kinds
from portside.common.sparing import Sparing
from portside.common.values import (
    FileName,
    GitUrl,
    ObjectName,
    Sha256,
    Size,
    TreeName,
)
from portside.lock import comparison, folders
from portside.lock.comparison import Found
from portside.lock.locked import Locked
from portside.lock.packages import (
    Artefact,
    Epoch,
    LockModel,
    RelativePath,
)
from portside.lock.record import LockedInput
from portside.recipe import sources as recipes

SOURCES = Kinds()
"""What can be locked, by kind: each model below is in it, and nothing else names them all."""


class LockedSource(Locked, Protocol):
    @property
    def epoch(self) -> int: ...

    @property
    def identity(self) -> dict[str, str]:
        """What keys know of its content."""

    @property
    def commit_of(self) -> "LockedGitSource | None":
        """The source itself, where it is a commit of a repository."""

    def changed(self, root: Path) -> bool:
        """Whether the project at `root` has its files, and they are others by now."""


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

    def changed(self, root: Path) -> bool:
        return False

    def inputs(self, at: str) -> Iterator[LockedInput]:
        file = self.sdist
        yield LockedInput(at, "source", at.partition(".")[2], file.file, file.file, file.size, file.sha256)

    def otherwise(self, request: str, asked: recipes.SdistSource) -> Found:
        yield from comparison.exact(request, f"{request}.sdist", asked.sdist, self.sdist)
        if not comparison.is_sdist(self.sdist):
            yield request, comparison.misnamed(f"{request}.sdist", self.sdist)


def _may_be_asked(url: GitUrl) -> GitUrl:
    if (problem := refused("the URL", url)) is not None:
        raise ValueError(problem)
    return url


LockedUrl = Annotated[GitUrl, AfterValidator(_may_be_asked)]


class LockedSubmodule(LockModel):
    """path: below the folder of the source, also that of a submodule's submodule."""

    path: RelativePath
    url: LockedUrl
    commit: ObjectName
    tree: TreeName


class LockedLfsFile(LockModel):
    """A file of Git LFS, which a pointer in a commit stands for. path: below the folder of the source."""

    path: RelativePath
    size: Size
    sha256: Sha256


@SOURCES.add
class LockedGitSource(Sparing, LockModel):
    """commit and tree: full object names (40 hex digits). submodules: those whose files come along, by path.

    lfs: the files that stand in the place of their pointers. pointers: whether pointers may stay, as the recipe says.
    """

    kind: Literal["git"] = "git"
    later: ClassVar[frozenset[str]] = frozenset({"submodules", "lfs", "pointers"})
    epoch: Epoch
    url: LockedUrl
    commit: ObjectName
    tree: TreeName
    submodules: tuple[LockedSubmodule, ...] = ()
    lfs: tuple[LockedLfsFile, ...] = ()
    pointers: bool = False

    @model_validator(mode="after")
    def _stays_where_it_is(self) -> "LockedGitSource":
        for module in self.submodules:
            if (problem := refused(f"the URL of the submodule {module.path}", module.url, self.url)) is not None:
                raise ValueError(problem)
        return self

    @property
    def identity(self) -> dict[str, str]:
        own: dict[str, str] = {"commit": self.commit, "tree": self.tree}
        own |= {f"submodule {module.path}": module.tree for module in self.submodules}
        return own | {f"lfs {file.path}": file.sha256 for file in self.lfs}

    def placed(self) -> Iterator[tuple[str, "LockedGitSource"]]:
        """The commit itself and those of its submodules, each alone, with its path."""
        yield "", self.model_copy(update={"submodules": (), "lfs": ()})
        for module in self.submodules:
            commit = LockedGitSource(epoch=self.epoch, url=module.url, commit=module.commit, tree=module.tree)
            yield module.path, commit

    @property
    def commit_of(self) -> "LockedGitSource | None":
        return self

    def changed(self, root: Path) -> bool:
        return False

    def inputs(self, at: str) -> Iterator[LockedInput]:
        for path, commit in self.placed():
            name = "/".join(filter(None, (at.partition(".")[2], path)))
            yield LockedInput(at, "source", name, commit.commit, "", None, None, commit.tree)
        for file in self.lfs:
            name, own = f"{at.partition('.')[2]}/{file.path}", file.path.rpartition("/")[2]
            yield LockedInput(at, "source", name, file.sha256, own, file.size, file.sha256)

    def otherwise(self, request: str, asked: recipes.GitSource) -> Found:
        yield from comparison.same(request, f"{request}.git", asked.git, self.url)
        if asked.commit is not None and not self.commit.startswith(asked.commit):
            yield from comparison.same(request, f"{request}.commit", asked.commit, self.commit)
        if self.submodules and not asked.submodules:
            paths = ", ".join(comparison.shown(module.path) for module in self.submodules[:5])
            yield request, f"{request}.submodules: the recipe does not ask for them, the lock has {paths}"
        if self.lfs and asked.lfs != "fetch":
            paths = ", ".join(comparison.shown(file.path) for file in self.lfs[:5])
            yield request, f"{request}.lfs: the recipe does not fetch them, the lock has {paths}"
        yield from comparison.same(request, f"{request}.lfs: pointers", asked.lfs == "pointers", self.pointers)


@SOURCES.add
class LockedArchiveSource(Sparing, LockModel):
    """An archive in one file. strip: folders that are left out in front of each path, None for the one above all."""

    kind: Literal["archive"] = "archive"
    later: ClassVar[frozenset[str]] = frozenset({"strip"})
    epoch: Epoch
    file: FileName
    size: Size
    sha256: Sha256
    strip: Annotated[int, Field(ge=0, strict=True)] | None = None

    @property
    def identity(self) -> dict[str, str]:
        return {"archive": self.sha256} | ({"strip": str(self.strip)} if self.strip is not None else {})

    @property
    def commit_of(self) -> "LockedGitSource | None":
        return None

    def changed(self, root: Path) -> bool:
        return False

    def inputs(self, at: str) -> Iterator[LockedInput]:
        name = at.partition(".")[2]
        place = ("sources", name)
        yield LockedInput(at, "source", name, self.sha256, self.file, self.size, self.sha256, None, place)

    def otherwise(self, request: str, asked: recipes.ArchiveSource) -> Found:
        yield from comparison.file(request, f"{request}.archive", asked.archive, self)
        yield from comparison.same(request, f"{request}.archive.strip", asked.archive.strip, self.strip)


@SOURCES.add
class LockedFolderSource(LockModel):
    """A folder of the project. digest: of its files and links, with their modes and hashes (`Tree.digest`). sha256,
    size: of the tar that keeps them in the store."""

    kind: Literal["folder"] = "folder"
    epoch: Epoch
    folder: RelativePath
    digest: Sha256
    sha256: Sha256
    size: Size

    @property
    def file(self) -> str:
        """What the tar is called, for people."""
        return f"{self.folder.rpartition('/')[2]}.tar"

    @property
    def identity(self) -> dict[str, str]:
        return {"files": self.digest}

    @property
    def commit_of(self) -> "LockedGitSource | None":
        return None

    def changed(self, root: Path) -> bool:
        return folders.changed(root, self.folder, self.digest)

    def inputs(self, at: str) -> Iterator[LockedInput]:
        name = at.partition(".")[2]
        yield LockedInput(at, "source", name, self.digest, self.file, self.size, self.sha256)

    def otherwise(self, request: str, asked: recipes.FolderSource) -> Found:
        return comparison.same(request, f"{request}.folder", asked.folder, self.folder)
