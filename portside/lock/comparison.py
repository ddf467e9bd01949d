"""Comparing what a recipe says exactly with what a lock has: every difference is a line that names the key.

These are what the models of a lock say with what they have otherwise than their recipe (`models.py`).
"""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from portside.common.fields import parsed

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.version import Version

_SDIST = re.compile(r"(?P<name>.+)-(?P<version>[^-]+)\.(tar\.gz|tar\.xz|tar\.bz2|zip)")

Found = Iterator[tuple[str, str]]
"""Requests (`base`, `env.RECIPE`, `sources.NAME`, …), each with a line that says what the lock has otherwise."""


class Package(Protocol):
    """What a lock has of a package."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...


class PackageFile(Package, Protocol):
    @property
    def file(self) -> str: ...


class DebianPackage(Package, Protocol):
    @property
    def architecture(self) -> str: ...


class Pins(Protocol):
    """What is said of a file."""

    @property
    def sha256(self) -> str | None: ...

    @property
    def size(self) -> int | None: ...


class NamedPins(Pins, Protocol):
    @property
    def file(self) -> str: ...


def same(request: str, key: str, asked: Any, locked: Any) -> Found:
    if asked != locked:
        yield request, f"{key}: the recipe says {shown(asked)}, the lock {shown(locked)}"


def shown(value: Any) -> str:
    # What comes out of a lock may be anybody's: no control characters.
    return "nothing" if value is None else str(value) if isinstance(value, int) else repr(value)


def names(kind: str, asked: Iterable[str], locked: Iterable[str]) -> Found:
    wanted, there = set(asked), set(locked)
    for name in sorted(wanted | there):
        if name not in there:
            yield f"{kind}.{name}", f"{kind}.{name}: the lock has none of this name"
        elif name not in wanted:
            yield f"{kind}.{name}", f"{kind}.{name}: the recipe has none of this name"


def pinned(request: str, key: str, asked: Pins, sha256: str | None, size: int | None) -> Found:
    if asked.sha256 is not None:
        yield from same(request, f"{key}.sha256", asked.sha256, sha256)
    if asked.size is not None:
        yield from same(request, f"{key}.size", asked.size, size)


def file(request: str, key: str, asked: NamedPins, locked: NamedPins) -> Found:
    yield from same(request, f"{key}.file", asked.file, locked.file)
    yield from pinned(request, key, asked, locked.sha256, locked.size)


def twice(request: str, names: Collection[str]) -> Found:
    if len(set(names)) < len(names):
        seen: set[str] = set()
        for name in names:
            if name in seen:
                yield request, f"{request}: the lock has {name} twice"
            seen.add(name)


def debian_packages(
    request: str, key: str, asked: Iterable[str], there: Iterable[DebianPackage], own: Iterable[DebianPackage]
) -> Found:
    """asked: NAME or NAME=VERSION. there: of these packages each must be one. own: those that were added for it."""
    versions = {deb.name: deb.version for deb in there}
    for spec in asked:
        name, _, version = spec.partition("=")
        if name not in versions:
            yield request, f"{key}: {spec}: the lock has no {name}"
        elif version and versions[name] != version:
            yield request, f"{key}: {spec}: the lock has {name} {versions[name]}"
    yield from twice(request, [deb.name for deb in own])


def architectures(request: str, debs: Iterable[DebianPackage], architecture: str) -> Found:
    for deb in debs:
        if deb.architecture not in (architecture, "all"):
            yield request, f"{request}: the lock has {deb.name} for {deb.architecture}, the base is {architecture}"


def exact(request: str, key: str, asked: str, locked: PackageFile) -> Found:
    """asked: NAME==VERSION."""
    if asked.replace(" ", "") == f"{locked.name}=={locked.version}":
        return
    requirement = parsed(asked)
    if canonical(requirement.name) != locked.name or not allows(requirement, locked.version):
        yield request, f"{key}: the recipe says {asked}, the lock {locked.name} {locked.version}"


def allows(requirement: "Requirement", version: str) -> bool:
    if parsed_version(version) is None:
        return True  # such a version of what the base has satisfies everything: portside/inputs/python/resolve.py
    return requirement.specifier.contains(version, prereleases=True)


def misnamed(key: str, file: PackageFile) -> str:
    return f"{key}: the lock calls {file.file} {file.name} {file.version}"


def named_rightly(wheel: PackageFile) -> bool:
    """Whether a wheel's file name says the name and the version that the lock does."""
    parts = wheel.file.removesuffix(".whl").split("-")
    if len(parts) in (5, 6) and wheel.file.endswith(".whl") and _is(parts[0], parts[1], wheel.name, wheel.version):
        return True
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        name, version, _, _ = parse_wheel_filename(wheel.file)
    except InvalidWheelFilename:
        return False
    return (name, version) == (wheel.name, parsed_version(wheel.version))


def is_sdist(file: PackageFile) -> bool:
    if (match := _SDIST.fullmatch(file.file)) is None:
        return False
    if _is(match["name"], match["version"], file.name, file.version):
        return True
    version = parsed_version(match["version"])
    return version is not None and (canonical(match["name"]), version) == (file.name, parsed_version(file.version))


def _is(name: str, version: str, wanted: str, wanted_version: str) -> bool:
    """Whether these are the wanted ones, without a look at what else they could be called."""
    return version == wanted_version and name.lower().replace("_", "-").replace(".", "-") == wanted


def canonical(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def is_build_of(found: str, version: str) -> bool:
    """Whether what is found is this version, or a vendor's own build of it: 1.9.0+mlu of 1.9.0."""
    return re.match(re.escape(version) + r"(?!\d)", found) is not None


def parsed_version(text: str) -> "Version | None":
    """None for what is no version of PEP 440."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(text)
    except InvalidVersion:
        return None
