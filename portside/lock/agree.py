"""Whether a lock has what its recipe pins.

`requests` in a lock says what the recipe asked for, and not what the lock really has: somebody may have edited the one
and not the other. So everything that a recipe says exactly is compared with the lock's own content: names, versions,
commits, URLs, hashes, sizes. What a recipe leaves open (the hash of a package, what else a package needs) is the lock's
own word.
"""

from collections.abc import Collection, Iterable, Mapping

from portside.common.fields import parsed
from portside.common.markers import marker_environment
from portside.lock.comparison import (
    Found,
    Given,
    allows,
    architectures,
    canonical,
    debian_packages,
    is_build_of,
    is_sdist,
    misnamed,
    named_rightly,
    names,
    pinned,
    same,
    twice,
)
from portside.lock.locked import Locked
from portside.lock.models import Lock, LockedWeights
from portside.lock.packages import (
    Artefact,
    Deb,
    LockedInterpreter,
    LockedManualWheel,
    PackageSet,
    PythonSet,
)
from portside.lock.sources import LockedSource
from portside.recipe import Recipe
from portside.recipe.asked import Asked
from portside.recipe.python_packages import Python
from portside.recipe.stages import Stage


def contradictions(recipe: Recipe, lock: Lock) -> list[str]:
    """What the lock has otherwise than the recipe says it, one line each; none if it fits."""
    return [line for _, line in _all(recipe, lock)]


def changed(recipe: Recipe, lock: Lock) -> list[str]:
    """Which sources are folders of the project whose files are no longer the locked ones, one line each."""
    return [line for _, line in _changed(recipe, lock)]


def _changed(recipe: Recipe, lock: Lock) -> Found:
    for name, source in sorted(lock.sources.items()):
        if source.changed(recipe.root):
            yield f"sources.{name}", f"sources.{name}: its files have changed since"


def contradicted(recipe: Recipe, lock: Lock) -> frozenset[str]:
    """The requests (`base`, `env.RECIPE`, `sources.NAME`, …) that the lock has something else for."""
    return frozenset(request for request, _ in (*_all(recipe, lock), *_changed(recipe, lock)))


def _all(recipe: Recipe, lock: Lock) -> Found:
    model = recipe.model
    yield from _of_kind("base", model.base.chosen, lock.base)
    yield from _env(recipe.stages, lock)
    groups: list[tuple[str, Mapping[str, Asked], Mapping[str, Locked]]] = [
        ("sources", model.sources, lock.sources),
        ("weights", model.weights, lock.weights),
        ("data", model.data, lock.data),
    ]
    for group, asked, locked in groups:
        yield from names(group, asked, locked)
        for name in sorted(asked.keys() & locked.keys()):
            yield from _of_kind(f"{group}.{name}", asked[name], locked[name])
    for name, weights in sorted(lock.weights.items()):
        if not is_made_of(weights, lock.sources):
            yield f"weights.{name}", f"weights.{name}: they are of another commit than the lock has of their source"


def is_made_of(weights: LockedWeights, sources: Mapping[str, LockedSource]) -> bool:
    """Whether weights that are of a source's pointers are of the commit that there is."""
    if weights.made_of is None:
        return True
    name, wanted = weights.made_of
    commit = sources[name].commit_of if name in sources else None
    return commit is not None and commit.commit == wanted


def _of_kind(request: str, asked: Asked, locked: Locked) -> Found:
    if asked.kind != locked.kind:
        yield from same(request, request, asked.kind, locked.kind)
    else:
        yield from locked.otherwise(request, asked)


def _env(stages: Collection[Stage], lock: Lock) -> Found:
    # A set may be missing where nothing would be in it.
    empty = {s.recipe for s in stages if not s.debian and s.python is None and not s.activate and not s.install}
    locked = [packages.recipe for packages in lock.env.sets]
    asked = [stage.recipe for stage in stages if stage.recipe in locked or stage.recipe not in empty]
    yield from names("env", asked, locked)
    yield from twice("env", locked)
    if asked != locked and sorted(asked) == sorted(locked):
        yield "env", f"env: the recipe has the sets {', '.join(asked)}, the lock has them as {', '.join(locked)}"
    debs, foreign = list(lock.base.debs), lock.base.distribution is None
    wheels: dict[str, str] = {}
    for stage in stages:
        packages = lock.env.of(stage.recipe)
        if packages is None:
            continue
        request = f"env.{stage.recipe}"
        before = {deb.name for deb in debs}
        own = {deb.name for deb in packages.debs}
        debs = [deb for deb in debs if not (foreign and deb.name in own)] + list(packages.debs)
        given = [Given(*item) for item in sorted(packages.suites.there.items())] if packages.suites else []
        yield from debian_packages(request, f"{request}.debian", stage.debian, [*debs, *given], packages.debs)
        if not stage.debian:
            yield from _unasked(request, f"{request}.debian", packages.debs)
        else:
            yield from architectures(request, packages.debs, lock.base.architecture)
        for deb in packages.debs:
            if deb.archive is not None and deb.archive not in stage.archives:
                said = f"the lock has {deb.name} of the archive {deb.archive}, which the recipe does not name"
                yield request, f"{request}.debian: {said}"
        if bool(stage.debian and foreign) != (packages.suites is not None):
            says = "does not say" if packages.suites is None else "says"
            yield (
                request,
                f"{request}.debian: the lock {says} which suites packages for a base of somebody else are from",
            )
        for name in sorted(before & own) if not foreign else ():
            yield request, f"{request}.debian: the lock has {name} here and below"
        activated = packages.activation.scripts if packages.activation else ()
        yield from same(request, f"{request}.activate", list(stage.activate), list(activated))
        yield from _vendor(request, f"{request}.install", stage, packages)
        yield from _python(request, stage.python, packages, wheels, () if foreign else debs, foreign=foreign)


def _vendor(request: str, key: str, stage: Stage, packages: PackageSet) -> Found:
    files = {file.file: file for file in packages.vendor}
    asked = stage.vendor_files
    yield from ((request, line) for _, line in names(key, [file.file for file in asked], files))
    yield from twice(request, [file.file for file in packages.vendor])
    for file in asked:
        if (found := files.get(file.file)) is not None:
            yield from pinned(request, f"{key}.{file.file}", file, found.sha256, found.size)


def _unasked(request: str, key: str, found: Collection[Deb] | Collection[Artefact]) -> Found:
    if found:
        first = ", ".join(sorted(item.name for item in found)[:5])
        yield request, f"{key}: the recipe asks for none, the lock has {first}{' …' if len(found) > 5 else ''}"


def _python(
    request: str,
    asked: Python | None,
    packages: PackageSet,
    below: dict[str, str],
    debs: Iterable[Deb],
    *,
    foreign: bool,
) -> Found:
    """below: name and version of the lower sets' wheels; those of this set are added to it."""
    key, locked = f"{request}.python", packages.python
    if asked is None or locked is None:
        if asked is not None:
            yield request, f"{key}: the recipe has it, the lock has none"
        elif locked is not None:
            yield request, f"{key}: the lock has it, the recipe has none"
        return
    its = locked.interpreter
    yield from same(request, f"{key}.interpreter", asked.interpreter, its.path if its else None)
    # What the recipe leaves to the interpreter, the lock says.
    asked = asked.model_copy(
        update={"version": asked.version or locked.version, "platform": asked.platform or locked.platform}
    )
    yield from same(request, f"{key}.version", asked.version, locked.version)
    yield from same(request, f"{key}.platform", asked.platform, locked.platform)
    if its is not None:
        yield from _of_interpreter(request, key, asked, its)
    # Python packages that came with .debs are given too; on a vendor's image all that is given stands in the recipe.
    for name in sorted(asked.given.keys() | (locked.given.keys() if foreign else set())):
        if its is None or canonical(name) not in its.packages:
            yield from same(request, f"{key}.given.{name}", asked.given.get(name), locked.given.get(name))
    interpreter = next((deb.version for deb in debs if deb.name == "python3"), None) if its is None else None
    if interpreter is not None and (locked.all_wheels() or locked.sdists):
        there = ".".join(interpreter.rpartition(":")[2].split(".")[:2])
        if there != asked.version:
            yield request, f"{key}.version: the recipe says {asked.version}, the lock's python3 is {interpreter}"
    yield from _manual(request, f"{key}.manual", asked, locked)
    yield from _build(request, f"{key}.build", asked, locked)
    if not asked.requirements and not asked.build:
        yield from _unasked(request, f"{key}.requirements", locked.wheels)
    manual = [wheel.model_copy(update={"file": wheel.installed_as}) for wheel in locked.manual]
    wheels: list[Artefact | LockedManualWheel] = [*locked.wheels, *manual]
    for wheel in wheels:
        if not named_rightly(wheel):
            yield request, misnamed(key, wheel)
    own = {wheel.name: wheel.version for wheel in locked.wheels} | {s.name: s.version for s in locked.sdists}
    yield from twice(request, [*(wheel.name for wheel in wheels), *(sdist.name for sdist in locked.sdists)])
    for name in sorted(own.keys() & below.keys()):
        yield request, f"{key}: the lock has {name} here and below"
    given = locked.there
    kept = given if its is None else {n: v for n, v in its.packages.items() if n not in map(canonical, asked.replace)}
    for name in sorted(own.keys() & kept.keys()):
        yield request, f"{key}.given.{name}: the base has it, and the lock has a wheel of it"
    installed = own | given | below | {wheel.name: wheel.version for wheel in locked.manual}
    yield from _requirements(request, f"{key}.requirements", asked, locked, installed)
    below |= own | {wheel.name: wheel.version for wheel in locked.all_wheels()}


def _build(request: str, key: str, asked: Python, locked: PythonSet) -> Found:
    there = {sdist.name: sdist for sdist in locked.sdists}
    wanted = {canonical(parsed(item.sdist).name): parsed(item.sdist) for item in asked.to_build}
    yield from ((request, line) for _, line in names(key, wanted, there))
    if sorted(wanted) == sorted(there) and list(wanted) != list(there):
        yield request, f"{key}: the recipe builds {', '.join(wanted)}, the lock {', '.join(there)}"
    for name, requirement in wanted.items():
        if name in there and not allows(requirement, there[name].version):
            yield request, f"{key}: {requirement}: the lock has {name} {there[name].version}"
    for sdist in locked.sdists:
        if not is_sdist(sdist):
            yield request, misnamed(key, sdist)
    for tool in locked.built.tools if locked.built is not None else ():
        if not named_rightly(tool):
            yield request, misnamed(key, tool)


def _of_interpreter(request: str, key: str, asked: Python, its: LockedInterpreter) -> Found:
    yield from same(request, f"{key}.version", asked.version, its.version)
    for name, version in sorted(asked.given.items()):
        found = its.packages.get(canonical(name))
        if found is not None and not is_build_of(found, version):
            yield from same(request, f"{key}.given.{name}", version, found)


def _manual(request: str, key: str, asked: Python, locked: PythonSet) -> Found:
    files = {wheel.file: wheel for wheel in locked.manual}
    yield from ((request, line) for _, line in names(key, [wheel.file for wheel in asked.manual], files))
    for wheel in asked.manual:
        if (found := files.get(wheel.file)) is not None:
            yield from pinned(request, f"{key}.{wheel.file}", wheel, found.sha256, found.size)


def _requirements(request: str, key: str, asked: Python, locked: PythonSet, installed: Mapping[str, str]) -> Found:
    yield from ((request, line) for _, line in names(key, [item.shown for item in asked.read], locked.read))
    assert asked.version is not None and asked.platform is not None, "the lock says what the recipe does not"
    environment = marker_environment(asked.version, asked.platform)
    for text in (*asked.written, *(line for lines in locked.read.values() for line in lines)):
        requirement = parsed(text)
        if requirement.marker is not None and not requirement.marker.evaluate(environment):
            continue
        name = canonical(requirement.name)
        if name not in installed:
            yield request, f"{key}: {text}: the lock has no {name}"
        elif not allows(requirement, installed[name]):
            yield request, f"{key}: {text}: the lock has {name} {installed[name]}"
