"""What the models of recipes share: how a mapping is read, and what its kinds are asked for."""

from collections.abc import Iterator
from typing import ClassVar, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, Field

from portside.common.fields import (
    Origin,
    Size,
)
from portside.common.values import FileName, Sha256


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)


class Brought(NamedTuple):
    """A file that is looked for in folders. file: where it lies there. size: bytes. origin: for people. url: where it
    is downloaded, if it is."""

    file: str
    size: Size | None
    sha256: Sha256 | None
    origin: str | None
    url: str | None = None


class Asked(Protocol):
    """What a recipe asks for under one name."""

    kind: ClassVar[str]

    def brought(self, name: str) -> Iterator[Brought]:
        """Its files that are looked for in folders. name: its own."""


class AskedSource(Asked, Protocol):
    """project_folder: the folder of the project that it is, by its path below the root; None: it is none."""

    @property
    def project_folder(self) -> str | None: ...


class AskedBase(Asked, Protocol):
    """takes_packages: whether packages can be added to it."""

    takes_packages: ClassVar[bool]

    @property
    def architecture(self) -> str: ...


class AskedWeights(Asked, Protocol):
    """to: below the workspace, the folder where links to its files are put, if they are. of_source: the source whose
    pointers of Git LFS they are, if they are."""

    @property
    def to(self) -> str | None: ...

    @property
    def of_source(self) -> str | None: ...


class AskedData(Asked, Protocol):
    """to: below the workspace, the folder where its files are mounted."""

    @property
    def to(self) -> str: ...


class Downloaded(Model):
    """What no person brings: a download does."""

    @property
    def project_folder(self) -> str | None:
        return None

    def brought(self, name: str) -> Iterator[Brought]:
        return iter(())


class Manual(Model):
    """A file that no download brings: a person puts it into a folder that portside.toml names."""

    file: FileName = Field(description="its name in that folder")
    origin: Origin = Field(description="for people: where to get it")
    sha256: Sha256 | None = Field(None, description="unknown: what is first seen is locked; see configuration.md")
    size: Size | None = Field(None, description="bytes")

    def brought(self, name: str) -> Iterator[Brought]:
        yield Brought(self.file, self.size, self.sha256, self.origin)
