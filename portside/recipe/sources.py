"""Upstream code, as a recipe asks for it: a model for each kind."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, Tag, model_validator

from portside.common.fields import (
    Exact,
    GitUrl,
    Name,
    Origin,
    Relative,
    Size,
    Url,
    WrongAtError,
    one_of,
)
from portside.common.kinds import Kinds
from portside.common.sparing import Sparing
from portside.common.values import CommitName, FileName, RefName, Sha256
from portside.recipe.asked import Brought, Downloaded, Model

SOURCES = Kinds()
"""What can be asked for, by kind: each model below is in it, and nothing else names them all."""


@SOURCES.add
class SdistSource(Downloaded):
    """The sdist of a Python project, from PyPI."""

    kind: ClassVar[str] = "sdist"
    sdist: Exact = Field(examples=["transformers==4.27.4"])


class LfsAsWeights(Model):
    """What the pointers of Git LFS stand for is a set of weights, with links in the place of the pointers."""

    weights: Name = Field(description="what the set is called; `weights` may say more of it", examples=["chatglm2-6b"])


def _lfs_kind(value: Any) -> str | None:
    return "word" if isinstance(value, str) else "mapping" if isinstance(value, dict | LfsAsWeights) else None


Lfs = Annotated[
    Annotated[Literal["fetch", "pointers"], Tag("word")] | Annotated[LfsAsWeights, Tag("mapping")],
    one_of(_lfs_kind, "fetch, pointers, or a mapping with weights"),
]


@SOURCES.add
class GitSource(Sparing, Downloaded):
    """One commit of a git repository: the lock has its full name, and keeps it until `lock --update NAME`."""

    kind: ClassVar[str] = "git"
    later: ClassVar[frozenset[str]] = frozenset({"tag", "branch", "submodules", "lfs"})
    git: GitUrl = Field(description="URL of the repository")
    commit: CommitName | None = Field(
        None, description="the name of the commit, or its first digits (7 or more); say this, `tag` or `branch`"
    )
    tag: RefName | None = Field(None, description="the tag whose commit is locked", examples=["v1.0"])
    branch: RefName | None = Field(None, description="the branch whose newest commit is locked", examples=["main"])
    submodules: bool = Field(
        False, strict=True, description="whether its submodules come along, and theirs; else each is an empty folder"
    )
    lfs: Lfs | None = Field(
        None,
        description="fetch: the files that pointers of Git LFS stand for are fetched and stand in their place; "
        "pointers: those may stay; {weights: NAME}: they are the weights NAME; default: they stay, and `lock`, `plan`, "
        "`build` and `check` name them",
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> "GitSource":
        said = [key for key in ("commit", "tag", "branch") if getattr(self, key) is not None]
        if not said:
            raise ValueError("expected one of `commit`, `tag` and `branch`: which commit is meant?")
        if len(said) > 1:
            raise WrongAtError(f"expected one of `commit`, `tag` and `branch`, found {' and '.join(said)}", said[-1])
        return self

    @property
    def revision(self) -> str:
        """`refs/tags/NAME`, `refs/heads/NAME`, or the name of a commit."""
        if self.tag is not None:
            return f"refs/tags/{self.tag}"
        return f"refs/heads/{self.branch}" if self.branch is not None else str(self.commit)


class ArchiveFile(Model):
    """A tar archive (plain, gzip, bzip2, xz, zstd) or a zip: from a URL, or from a folder that portside.toml names."""

    file: FileName = Field(description="its name there", examples=["model-1.0.tar.gz"])
    url: Url | None = Field(None, description="where to download it; default: a person brings it")
    origin: Origin | None = Field(None, description="for people: where else to get it, or where at all without a URL")
    sha256: Sha256 | None = Field(None, description="unknown: what is first seen is locked; see configuration.md")
    size: Size | None = Field(None, description="bytes")
    strip: Annotated[int, Field(ge=0, le=100, strict=True)] | None = Field(
        None, description="how many folders are left out in front of each path; default: the one that holds everything"
    )


@SOURCES.add
class ArchiveSource(Model):
    """The files of an archive that upstream, or a person, hands out."""

    kind: ClassVar[str] = "archive"
    archive: ArchiveFile

    @property
    def project_folder(self) -> None:
        return None

    def brought(self, name: str) -> Iterator[Brought]:
        file = self.archive
        yield Brought(file.file, file.size, file.sha256, file.origin, file.url)


@SOURCES.add
class FolderSource(Downloaded):
    """A folder of the project, as it is when it is locked, without `.git` and byte code."""

    kind: ClassVar[str] = "folder"
    folder: Relative = Field(description="its path below the project's root", examples=["src"])

    @property
    def project_folder(self) -> str:
        return self.folder
