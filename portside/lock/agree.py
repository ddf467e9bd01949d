"""Whether a lock has what its recipe pins.

`requests` in a lock says what the recipe asked for, and not what the lock really has: somebody may have edited the one
and not the other. So everything that a recipe says exactly is compared with the lock's own content: names, versions,
commits, URLs, hashes, sizes. What a recipe leaves open (the hash of a package, what else a package needs) is the lock's
own word.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from portside.common.fields import parsed
from portside.common.globs import matches
from portside.lock.models import (
    ArchiveBase,
    Artefact,
    Deb,
    DebianBase,
    Lock,
    LockedBase,
    LockedGitSource,
    LockedManualWheel,
    LockedSdist,
    LockedSource,
    LockedWeights,
    ManualFile,
    PackageSet,
    PythonSet,
)
from portside.recipe import Recipe
from portside.recipe import models as recipes
from portside.recipe.stages import Stage

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.version import Version

_SDIST = re.compile(r"(?P<name>.+)-(?P<version>[^-]+)\.(tar\.gz|tar\.xz|tar\.bz2|zip)")


def contradictions(recipe: Recipe, lock: Lock) -> list[str]:
    """What the lock has otherwise than the recipe says it, one line each; none if it fits."""
    return [line for _, line in _all(recipe, lock)]


def contradicted(recipe: Recipe, lock: Lock) -> frozenset[str]:
    """The requests (`base`, `env.RECIPE`, `sources.NAME`, …) that the lock has something else for."""
    return frozenset(request for request, _ in _all(recipe, lock))


def named_rightly(wheel: Artefact | LockedManualWheel) -> bool:
    """Whether a wheel's file name says the name and the version that the lock does."""
    parts = wheel.file.removesuffix(".whl").split("-")
    if len(parts) in (5, 6) and wheel.file.endswith(".whl") and _is(parts[0], parts[1], wheel.name, wheel.version):
        return True
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        name, version, _, _ = parse_wheel_filename(wheel.file)
    except InvalidWheelFilename:
        return False
    return (name, version) == (wheel.name, _version(wheel.version))


_Found = Iterator[tuple[str, str]]
"""Requests, each with a line that says what the lock has otherwise."""


def _all(recipe: Recipe, lock: Lock) -> _Found:
    model = recipe.model
    yield from _base(model.base, lock.base)
    yield from _env(recipe.stages, lock)
    yield from _names("sources", model.sources, lock.sources)
    for name in sorted(model.sources.keys() & lock.sources.keys()):
        yield from _source(f"sources.{name}", model.sources[name], lock.sources[name])
    yield from _names("weights", model.weights, lock.weights)
    for name in sorted(model.weights.keys() & lock.weights.keys()):
        yield from _weights(f"weights.{name}", model.weights[name], lock.weights[name])
    yield from _names("data", model.data, lock.data)
    for name in sorted(model.data.keys() & lock.data.keys()):
        yield from _file(f"data.{name}", f"data.{name}", model.data[name], lock.data[name])


def _names(kind: str, asked: Iterable[str], locked: Iterable[str]) -> _Found:
    wanted, there = set(asked), set(locked)
    for name in sorted(wanted | there):
        if name not in there:
            yield f"{kind}.{name}", f"{kind}.{name}: the lock has none of this name"
        elif name not in wanted:
            yield f"{kind}.{name}", f"{kind}.{name}: the recipe has none of this name"


def _same(request: str, key: str, asked: Any, locked: Any) -> _Found:
    if asked != locked:
        yield request, f"{key}: the recipe says {_shown(asked)}, the lock {_shown(locked)}"


def _shown(value: Any) -> str:
    # What comes out of a lock may be anybody's: no control characters.
    return "nothing" if value is None else str(value) if isinstance(value, int) else repr(value)


def _file(request: str, key: str, asked: recipes.Manual, locked: ManualFile | ArchiveBase) -> _Found:
    yield from _same(request, f"{key}.file", asked.file, locked.file)
    yield from _pinned(request, key, asked, locked.sha256, locked.size)


def _pinned(
    request: str, key: str, asked: recipes.Manual | recipes.WeightFile, sha256: str | None, size: int | None
) -> _Found:
    if asked.sha256 is not None:
        yield from _same(request, f"{key}.sha256", asked.sha256, sha256)
    if asked.size is not None:
        yield from _same(request, f"{key}.size", asked.size, size)


def _base(asked: recipes.Base, locked: LockedBase) -> _Found:
    kind, wanted = asked.chosen
    if kind != locked.kind:
        yield from _same("base", "base", kind, locked.kind)
    else:
        yield from BASES[kind](wanted, locked)


def _archive(asked: recipes.Archive, locked: ArchiveBase) -> _Found:
    yield from _file("base", "base.archive", asked, locked)
    yield from _same("base", "base.archive.architecture", asked.architecture, locked.architecture)


def _debian(asked: recipes.Debian, locked: DebianBase) -> _Found:
    yield from _same("base", "base.debian.suite", asked.suite, locked.suite)
    yield from _same("base", "base.debian.architecture", asked.architecture, locked.architecture)
    yield from _debs("base", "base.debian.include", asked.include, locked.debs, locked.debs)
    yield from _architectures("base", locked.debs, locked.architecture)


BASES: Mapping[str, Callable[[Any, Any], _Found]] = {"debian": _debian, "archive": _archive}
"""What compares a recipe's base with the locked one of its kind."""


def _debs(request: str, key: str, asked: Iterable[str], there: Iterable[Deb], own: Iterable[Deb]) -> _Found:
    """asked: NAME or NAME=VERSION. there: of these packages each must be one. own: those that were added for it."""
    versions = {deb.name: deb.version for deb in there}
    for spec in asked:
        name, _, version = spec.partition("=")
        if name not in versions:
            yield request, f"{key}: {spec}: the lock has no {name}"
        elif version and versions[name] != version:
            yield request, f"{key}: {spec}: the lock has {name} {versions[name]}"
    yield from _twice(request, [deb.name for deb in own])


def _architectures(request: str, debs: Iterable[Deb], architecture: str) -> _Found:
    for deb in debs:
        if deb.architecture not in (architecture, "all"):
            yield request, f"{request}: the lock has {deb.name} for {deb.architecture}, the base is {architecture}"


def _twice(request: str, names: Collection[str]) -> _Found:
    if len(set(names)) < len(names):
        seen: set[str] = set()
        for name in names:
            if name in seen:
                yield request, f"{request}: the lock has {name} twice"
            seen.add(name)


def _env(stages: Collection[Stage], lock: Lock) -> _Found:
    # A set may be missing where nothing would be in it.
    empty = {stage.recipe for stage in stages if not stage.debian and stage.python is None}
    locked = [packages.recipe for packages in lock.env.sets]
    asked = [stage.recipe for stage in stages if stage.recipe in locked or stage.recipe not in empty]
    yield from _names("env", asked, locked)
    yield from _twice("env", locked)
    if asked != locked and sorted(asked) == sorted(locked):
        yield "env", f"env: the recipe has the sets {', '.join(asked)}, the lock has them as {', '.join(locked)}"
    debs = list(lock.base.debs)
    wheels: dict[str, str] = {}
    for stage in stages:
        packages = lock.env.of(stage.recipe)
        if packages is None:
            continue
        request = f"env.{stage.recipe}"
        before = {deb.name for deb in debs}
        debs += packages.debs
        yield from _debs(request, f"{request}.debian", stage.debian, debs, packages.debs)
        if lock.base.distribution is None or not stage.debian:
            yield from _unasked(request, f"{request}.debian", packages.debs)
        else:
            yield from _architectures(request, packages.debs, lock.base.architecture)
        for name in sorted(before & {deb.name for deb in packages.debs}):
            yield request, f"{request}.debian: the lock has {name} here and below"
        yield from _python(request, stage.python, packages, wheels, debs, foreign=lock.base.distribution is None)


def _unasked(request: str, key: str, found: Collection[Deb] | Collection[Artefact]) -> _Found:
    if found:
        names = ", ".join(sorted(item.name for item in found)[:5])
        yield request, f"{key}: the recipe asks for none, the lock has {names}{' …' if len(found) > 5 else ''}"


def _python(
    request: str,
    asked: recipes.Python | None,
    packages: PackageSet,
    below: dict[str, str],
    debs: Iterable[Deb],
    *,
    foreign: bool,
) -> _Found:
    """below: name and version of the lower sets' wheels; those of this set are added to it."""
    key, locked = f"{request}.python", packages.python
    if asked is None or locked is None:
        if asked is not None:
            yield request, f"{key}: the recipe has it, the lock has none"
        elif locked is not None:
            yield request, f"{key}: the lock has it, the recipe has none"
        return
    yield from _same(request, f"{key}.version", asked.version, locked.version)
    yield from _same(request, f"{key}.platform", asked.platform, locked.platform)
    # Python packages that came with .debs are given too; on a vendor's image all that is given stands in the recipe.
    for name in sorted(asked.given.keys() | (locked.given.keys() if foreign else set())):
        yield from _same(request, f"{key}.given.{name}", asked.given.get(name), locked.given.get(name))
    interpreter = next((deb.version for deb in debs if deb.name == "python3"), None)
    if interpreter is not None and locked.all_wheels():
        there = ".".join(interpreter.rpartition(":")[2].split(".")[:2])
        if there != asked.version:
            yield request, f"{key}.version: the recipe says {asked.version}, the lock's python3 is {interpreter}"
    yield from _manual(request, f"{key}.manual", asked, locked)
    if not asked.requirements:
        yield from _unasked(request, f"{key}.requirements", locked.wheels)
    wheels: list[Artefact | LockedManualWheel] = [*locked.wheels, *locked.manual]
    for wheel in wheels:
        if not named_rightly(wheel):
            yield request, _misnamed(key, wheel)
    own = {wheel.name: wheel.version for wheel in locked.wheels}
    yield from _twice(request, [wheel.name for wheel in wheels])
    for name in sorted(own.keys() & below.keys()):
        yield request, f"{key}: the lock has {name} here and below"
    given = {_canonical(name): version for name, version in locked.given.items()}
    for name in sorted(own.keys() & given.keys()):
        yield request, f"{key}.given.{name}: the base has it, and the lock has a wheel of it"
    installed = own | given | below | {wheel.name: wheel.version for wheel in locked.manual}
    yield from _requirements(request, f"{key}.requirements", asked, installed)
    below |= {wheel.name: wheel.version for wheel in locked.all_wheels()}


def _manual(request: str, key: str, asked: recipes.Python, locked: PythonSet) -> _Found:
    files = {wheel.file: wheel for wheel in locked.manual}
    yield from ((request, line) for _, line in _names(key, [wheel.file for wheel in asked.manual], files))
    for wheel in asked.manual:
        if (found := files.get(wheel.file)) is not None:
            yield from _pinned(request, f"{key}.{wheel.file}", wheel, found.sha256, found.size)


def _requirements(request: str, key: str, asked: recipes.Python, installed: Mapping[str, str]) -> _Found:
    for text in asked.requirements:
        requirement = parsed(text)
        if requirement.marker is not None and not requirement.marker.evaluate(_target(asked)):
            continue
        name = _canonical(requirement.name)
        if name not in installed:
            yield request, f"{key}: {text}: the lock has no {name}"
        elif not _allows(requirement, installed[name]):
            yield request, f"{key}: {text}: the lock has {name} {installed[name]}"


def _target(python: recipes.Python) -> dict[str, str]:
    """The environment of PEP 508 markers on the target, as uv takes it: CPython's first patch level, on Linux."""
    full = f"{python.version}.0"
    assert python.platform is not None, "a stage says its platform"
    return {
        "python_version": python.version,
        "python_full_version": full,
        "implementation_name": "cpython",
        "implementation_version": full,
        "platform_python_implementation": "CPython",
        "os_name": "posix",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": python.platform.partition("-")[0],
        "platform_release": "",
        "platform_version": "",
        "extra": "",
    }


def _allows(requirement: "Requirement", version: str) -> bool:
    if _version(version) is None:
        return True  # such a version of what the base has satisfies everything: portside/inputs/python/resolve.py
    return requirement.specifier.contains(version, prereleases=True)


def _exact(request: str, key: str, asked: str, locked: Artefact) -> _Found:
    """asked: NAME==VERSION."""
    if asked.replace(" ", "") == f"{locked.name}=={locked.version}":
        return
    requirement = parsed(asked)
    if _canonical(requirement.name) != locked.name or not _allows(requirement, locked.version):
        yield request, f"{key}: the recipe says {asked}, the lock {locked.name} {locked.version}"


def _source(request: str, asked: recipes.Source, locked: LockedSource) -> _Found:
    if asked.kind != locked.kind:
        yield from _same(request, request, asked.kind, locked.kind)
    else:
        yield from SOURCES[asked.kind](request, asked, locked)


def _git(request: str, asked: recipes.GitSource, locked: LockedGitSource) -> _Found:
    yield from _same(request, f"{request}.git", asked.git, locked.url)
    yield from _same(request, f"{request}.commit", asked.commit, locked.commit)


def _sdist(request: str, asked: recipes.SdistSource, locked: LockedSdist) -> _Found:
    yield from _exact(request, f"{request}.sdist", asked.sdist, locked.sdist)
    if not _is_sdist(locked.sdist):
        yield request, _misnamed(f"{request}.sdist", locked.sdist)


SOURCES: Mapping[str, Callable[[str, Any, Any], _Found]] = {"sdist": _sdist, "git": _git}
"""As BASES, for sources; with the request."""


def _misnamed(key: str, file: Artefact | LockedManualWheel) -> str:
    return f"{key}: the lock calls {file.file} {file.name} {file.version}"


def _is_sdist(file: Artefact) -> bool:
    if (match := _SDIST.fullmatch(file.file)) is None:
        return False
    if _is(match["name"], match["version"], file.name, file.version):
        return True
    version = _version(match["version"])
    return version is not None and (_canonical(match["name"]), version) == (file.name, _version(file.version))


def _weights(request: str, asked: recipes.Weights, locked: LockedWeights) -> _Found:
    paths = [file.path for file in locked.files]
    yield from _twice(request, paths)
    if isinstance(asked, recipes.FileWeights):
        if locked.wheel is not None:
            yield request, f"{request}: the recipe asks for single files, the lock has the wheel {locked.wheel.file}"
            return
        wanted = {file.path: file for file in asked.files}
        yield from ((request, line) for _, line in _names(request, wanted, paths))
        for file in locked.files:
            if (pin := wanted.get(file.path)) is not None:
                yield from _pinned(request, f"{request}.{file.path}", pin, file.sha256, file.size)
            yield from _same(request, f"{request}.{file.path}.member", None, file.member)
        return
    if locked.wheel is None:
        yield request, f"{request}: the recipe asks for files out of a wheel, the lock has single files"
        return
    yield from _exact(request, f"{request}.wheel", asked.wheel, locked.wheel)
    if not named_rightly(locked.wheel):
        yield request, _misnamed(f"{request}.wheel", locked.wheel)
    members = [file.member or "" for file in locked.files]
    for glob in asked.files:
        if not any(matches([glob], member) for member in members):
            yield request, f"{request}.files: {glob}: the lock has no such file"
    for file in locked.files:
        if file.member is None or not matches(asked.files, file.member):
            yield request, f"{request}.files: the recipe does not ask for {_shown(file.member or file.path)}"
        elif file.member.rpartition("/")[2] != file.path:
            yield request, f"{request}.files: the lock calls {_shown(file.member)} {file.path}"


def _is(name: str, version: str, wanted: str, wanted_version: str) -> bool:
    """Whether these are the wanted ones, without a look at what else they could be called."""
    return version == wanted_version and name.lower().replace("_", "-").replace(".", "-") == wanted


def _canonical(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _version(text: str) -> "Version | None":
    """None for what is no version of PEP 440."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(text)
    except InvalidVersion:
        return None
