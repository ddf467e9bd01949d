"""What a lock says of packages, and the values that all models of a lock are made of."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from portside.common import values
from portside.common.fields import Program, Requirement, ScriptLine
from portside.common.sparing import Sparing
from portside.common.tree import check_path
from portside.common.values import FileName, RecipeName, Sha256, Size
from portside.errors import InputError
from portside.lock.comparison import canonical
from portside.lock.record import Kind, LockedInput

LATEST = 0o77777777777
Epoch = Annotated[int, Field(ge=0, le=LATEST, strict=True)]
"""Seconds since 1970 (UTC): the newest date among a group of inputs. Each group has its own, so that an update in one
layer does not touch the times, and so the diff IDs, of another. A tar header holds none above the limit (2242)."""

Word = Annotated[str, AfterValidator(values.Word)]
"""Names, versions and the like: a lock may come from somebody else, and these end up in paths and in command lines."""

REFERENCE = r"^[a-z0-9][A-Za-z0-9._:/@-]*$"
"""The name of an image in an engine."""
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
BACKEND = r"^[A-Za-z_][\w.]*(:[A-Za-z_][\w.]*)?$"
LINE = r"^[^\x00-\x1f\x7f]*$"


def _clean(path: str) -> str:
    try:
        return check_path(path)
    except InputError:
        raise ValueError("expected a clean relative path") from None


def _clean_or_here(path: str) -> str:
    return path if path == "." else _clean(path)


RelativePath = Annotated[str, AfterValidator(_clean)]


class LockModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Deb(Sparing, LockModel):
    """A binary package. path: below a mirror's root (pool/main/…), as the suite's Packages file says. archive: what the
    recipe calls the vendor's archive that it comes from, if it does."""

    later: ClassVar[frozenset[str]] = frozenset({"archive"})
    name: Word
    version: Word
    architecture: Word
    path: RelativePath
    size: Size
    sha256: Sha256
    archive: Word | None = None

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


class BroughtFile(LockModel):
    """A file that a person may bring. Unknown size and sha256 are filled in when it is first seen."""

    file: FileName
    size: Size | None = None
    sha256: Sha256 | None = None

    @property
    def pinned(self) -> bool:
        return None not in (self.sha256, self.size)


class LockedManualWheel(Sparing, BroughtFile):
    """named: what the file is called where pip reads it, as its content says, if its own name is none of a wheel."""

    later: ClassVar[frozenset[str]] = frozenset({"named"})
    name: Word
    version: Word
    named: FileName | None = None

    @property
    def installed_as(self) -> FileName:
        return self.named or self.file

    def inputs(self, at: str) -> Iterator[LockedInput]:
        named, place = (self.name, self.version, self.file), ("wheel", self.file)
        yield LockedInput(at, "wheel", *named, self.size, self.sha256, None, place, self.pinned)


class LockedVendorFile(BroughtFile):
    """What a command of the recipe installs, such as a .deb or a .run."""

    def inputs(self, at: str) -> Iterator[LockedInput]:
        version, place = self.sha256 or "unknown", ("vendor", self.file)
        yield LockedInput(at, "vendor", self.file, version, self.file, self.size, self.sha256, None, place, self.pinned)


Line = Annotated[str, Field(pattern=LINE)]
ReadRequirement = Annotated[Requirement, Field(pattern=LINE)]


class LockedSdistToBuild(Artefact):
    """backend, path: what builds it (PEP 517), and where in it that lies, if it does."""

    backend: Annotated[str, Field(pattern=BACKEND)]
    path: tuple[Annotated[str, AfterValidator(_clean_or_here)], ...] = ()


class LockedBuild(LockModel):
    """Source distributions that are built in this order, and the wheels that building them needs, which are not
    installed. epoch: of the sdists alone."""

    epoch: Epoch
    sdists: tuple[LockedSdistToBuild, ...]
    tools: tuple[Artefact, ...] = ()


NEEDS_OF = "needs of "
"""What stands before a source's name where what its project needs was read."""


class LockedInterpreter(LockModel):
    """An interpreter of the base, as it was read there. path: absolute, in the image. platform: the newest whose wheels
    it can load. site: the folder that it installs into. packages: what it has, versions by name (PEP 503).

    fixed: those of them that pip cannot take away.
    """

    path: Program
    version: Word
    platform: Word
    site: Annotated[str, Field(pattern=LINE)]
    packages: dict[Word, Word] = {}
    fixed: tuple[Word, ...] = ()


class PythonSet(Sparing, LockModel):
    """Wheels for one interpreter. version: '3.11'; platform: as uv names it, e.g. x86_64-manylinux_2_28.

    given: versions of what the base has already, by name, as far as no interpreter of it tells. manual: wheels that a
    person brings. interpreter: which one of the base it is, where a recipe says so. installer: the pip that installs
    the wheels, where that interpreter has none that could. read: the requirements that stand in sources, by place.
    asked: who asks for a package, by its name: `recipe`, `SOURCE/FILE:LINE`, `needs of SOURCE`, or the names of other
    packages; for people, and no part of any key.
    """

    later: ClassVar[frozenset[str]] = frozenset({"interpreter", "installer", "read", "asked", "built"})
    interpreter: LockedInterpreter | None = None
    installer: Artefact | None = None
    version: Word
    platform: Word
    wheels: tuple[Artefact, ...]
    given: dict[Word, Word] = {}
    manual: tuple[LockedManualWheel, ...] = ()
    read: dict[Line, tuple[ReadRequirement, ...]] = {}
    asked: dict[Word, tuple[Line, ...]] = {}
    built: LockedBuild | None = None

    @property
    def sdists(self) -> tuple[LockedSdistToBuild, ...]:
        """What is built."""
        return self.built.sdists if self.built is not None else ()

    @property
    def sources(self) -> frozenset[str]:
        """The names of the sources that requirements were read from."""
        return frozenset(place.removeprefix(NEEDS_OF).partition("/")[0] for place in self.read)

    @property
    def there(self) -> dict[str, str]:
        """Versions of what is there without the wheels, by name (PEP 503)."""
        wheels = {wheel.name for wheel in self.wheels} | {wheel.name for wheel in self.manual}
        packages = self.interpreter.packages if self.interpreter else {}
        return {n: v for n, v in packages.items() if n not in wheels} | {
            canonical(name): version for name, version in self.given.items()
        }

    def all_wheels(self) -> tuple[Artefact, ...]:
        """The wheels to install; manual ones only once their bytes are known."""
        known = (
            Artefact(name=w.name, version=w.version, file=w.installed_as, size=w.size, sha256=w.sha256)
            for w in self.manual
            if w.sha256 is not None and w.size is not None
        )
        return (*self.wheels, *known)

    @property
    def has_stable_code(self) -> bool:
        """Whether byte code of it is the same whenever it is made: since Python 3.7 it is checked by hash where
        SOURCE_DATE_EPOCH is set, before by the time of its source (PEP 552)."""
        return int(self.version.split(".")[1]) >= 7

    @property
    def installers(self) -> tuple[Artefact, ...]:
        """The installer, where there is one."""
        return () if self.installer is None else (self.installer,)


class DebianSuites(LockModel):
    """Where .debs come from that are put on a base of somebody else.

    distribution: ID in the base's os-release(5). suites: code names, the release first. snapshot: as a Debian base has
    it; of the newest suite. there: packages that are asked for and that the base has already, versions by name. asked:
    who asks for each of the .debs, by its name: `recipe`, or the names of other packages; for people.
    """

    distribution: Word
    suites: Annotated[tuple[Word, ...], Field(min_length=1)]
    snapshot: Word
    there: dict[Word, Word] = {}
    asked: dict[Word, tuple[Line, ...]] = {}


class DebOrigin(Protocol):
    """Where .debs come from: a base made of them, or the suites that were asked for a base of somebody else."""

    @property
    def suites(self) -> tuple[str, ...]: ...

    @property
    def snapshot(self) -> str: ...


class LockedActivation(LockModel):
    """What scripts of the base did to the environment when they were run. scripts: each a path, with arguments.

    absent: of the paths that a variable names, those that the base does not have: a driver's, for one.
    """

    scripts: tuple[ScriptLine, ...]
    set: dict[Annotated[str, Field(pattern=VARIABLE)], Line]
    unset: tuple[Annotated[str, Field(pattern=VARIABLE)], ...] = ()
    absent: dict[Word, tuple[Line, ...]] = {}

    def on(self, environment: Mapping[str, str]) -> dict[str, str]:
        """An environment, as the scripts leave it."""
        return {name: value for name, value in environment.items() if name not in self.unset} | self.set


def is_variable(name: str, value: str) -> bool:
    """Whether a lock and a Dockerfile can say this variable."""
    return bool(re.fullmatch(VARIABLE, name) and re.fullmatch(LINE, value)) and not re.search("[\ud800-\udfff]", value)


class PackageSet(Sparing, LockModel):
    """What one recipe adds to the env layer. epoch: of these packages alone, without what is built. activation: of
    the scripts that it and the recipes below it name. suites: where the base is no Debian that Portside made. vendor:
    what its commands install."""

    later: ClassVar[frozenset[str]] = frozenset({"activation", "suites", "vendor"})
    activation: LockedActivation | None = None
    recipe: RecipeName
    epoch: Epoch
    suites: DebianSuites | None = None
    debs: tuple[Deb, ...] = ()
    python: PythonSet | None = None
    vendor: tuple[LockedVendorFile, ...] = ()

    def inputs(self, at: str) -> Iterator[LockedInput]:
        yield from (deb.input(at) for deb in self.debs)
        for file in self.vendor:
            yield from file.inputs(at)
        if self.python is not None:
            yield from (wheel.input(at, "wheel") for wheel in self.python.wheels)
            if self.python.installer is not None:
                yield self.python.installer.input(at, "installer")
            for brought in self.python.manual:
                yield from brought.inputs(at)
            yield from (sdist.input(at, "sdist") for sdist in self.python.sdists)
            if self.python.built is not None:
                yield from (tool.input(at, "tool") for tool in self.python.built.tools)

    @property
    def newest(self) -> int:
        """The epoch of everything in it, what is built too."""
        built = self.python.built if self.python is not None else None
        return max(self.epoch, built.epoch if built is not None else 0)


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
        return max((s.newest for s in self.sets), default=0)

    @property
    def debs(self) -> tuple[Deb, ...]:
        return tuple(deb for s in self.sets for deb in s.debs)

    @property
    def sdists(self) -> tuple[LockedSdistToBuild, ...]:
        """What is built, of all sets together."""
        return tuple(sdist for s in self.sets if s.python is not None for sdist in s.python.sdists)

    @property
    def python(self) -> PythonSet | None:
        """The Python packages of all sets together."""
        sets = [s.python for s in self.sets if s.python is not None]
        if not sets:
            return None
        given = {name: version for s in sets for name, version in s.given.items()}
        wheels = tuple(wheel for s in sets for wheel in s.all_wheels())
        last = sets[-1]
        return PythonSet(
            version=last.version, platform=last.platform, wheels=wheels, given=given, interpreter=last.interpreter
        )
