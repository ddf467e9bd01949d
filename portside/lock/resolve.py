"""From a recipe to its lock: every range and name becomes exact bytes."""

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from portside.base import make_base
from portside.canonical import copy_and_hash
from portside.config import Config
from portside.errors import RecipeError
from portside.fetch import JOBS, Fetcher, find_file
from portside.inputs import archives, git, python
from portside.inputs.debian.control import deb_date
from portside.inputs.debian.resolve import resolve_base, resolve_packages
from portside.lock.models import (
    Artefact,
    Deb,
    DebianBase,
    Lock,
    LockedEnv,
    LockedSource,
    LockedWeights,
    PythonSet,
    SdistSource,
    WeightFile,
)
from portside.parallel import run_all
from portside.progress import step
from portside.recipe import Recipe
from portside.recipe import models as recipes
from portside.store import Store

Update = Collection[str] | Literal["all"]
"""Names of inputs (packages, sources, weights, `base`) to resolve anew, or all of them."""


def make_lock(recipe: Recipe, old: Lock | None, update: Update, store: Store, config: Config) -> Lock:
    """Resolve a recipe. What `old` has stays as it is, unless `update` names it or the recipe no longer allows it.

    Inputs that are needed to know a hash or a date are brought into the store on the way. Raises RecipeError where
    the recipe cannot be satisfied, InputError where something cannot be brought.
    """
    _check_update(recipe, old, update)
    fetcher = Fetcher(store, config)
    asked = recipe.requests()
    same = {key for key, value in asked.items() if old is not None and old.requests.get(key) == value}
    with step(f"Resolving {recipe.name}"):
        if old is not None and "base" in same and not _named("base", update):
            base = old.base
        else:
            base = _base(recipe, old, update, store, config, fetcher)
        env = _env(recipe, base, old, update, store, config, fetcher)
        sources: dict[str, LockedSource] = {}
        for name, source in sorted(recipe.model.sources.items()):
            keep = old is not None and f"sources.{name}" in same and not _named(name, update)
            sources[name] = old.sources[name] if keep and old else _source(source, store, config, fetcher)
        weights: dict[str, LockedWeights] = {}
        for name, wanted in sorted(recipe.model.weights.items()):
            keep = old is not None and f"weights.{name}" in same and not _named(name, update)
            weights[name] = old.weights[name] if keep and old else _weights(wanted, store, config, fetcher)
    groups = [env.epoch, *(s.epoch for s in sources.values()), *(w.epoch for w in weights.values())]
    return Lock(
        recipe=recipe.name, epoch=max(groups), requests=asked, base=base, env=env, sources=sources, weights=weights
    )


def _named(name: str, update: Update) -> bool:
    return update == "all" or name in update


def _check_update(recipe: Recipe, old: Lock | None, update: Update) -> None:
    if update == "all" or not update:
        return
    known = {"base", *recipe.model.sources, *recipe.model.weights}
    if old is not None:
        known |= {deb.name for deb in (*old.base.debs, *old.env.debs)}
        known |= {wheel.name for wheel in (old.env.python.wheels if old.env.python else ())}
    if unknown := sorted(set(update) - known):
        raise RecipeError(
            f"the lock of {recipe.name} has no input named {', '.join(unknown)}",
            "Name a package, a source, a set of weights, or `base`.",
        )


def _base(
    recipe: Recipe, old: Lock | None, update: Update, store: Store, config: Config, fetcher: Fetcher
) -> DebianBase:
    wanted = recipe.model.base.debian
    keep: Sequence[Deb] = old.base.debs if old and not _named("base", update) else ()
    debs, snapshot = resolve_base(wanted.suite, wanted.architecture, wanted.include, keep, update, config, store)
    draft = DebianBase(
        suite=wanted.suite,
        architecture=wanted.architecture,
        snapshot=snapshot,
        epoch=0,
        debs=tuple(debs),
        diff_id="0" * 64,
        size=0,
    )
    epoch = _deb_epoch(debs, draft, store, fetcher)
    blob = make_base(wanted.suite, wanted.architecture, epoch, debs, store)
    return draft.model_copy(update={"epoch": epoch, "diff_id": blob.digest, "size": blob.size})


def _deb_epoch(debs: Sequence[Deb], base: DebianBase, store: Store, fetcher: Fetcher) -> int:
    run_all([partial(fetcher.deb, deb, base) for deb in debs], JOBS)
    return max((deb_date(store.inputs.require(deb.sha256, deb.name).path) for deb in debs), default=0)


def _env(
    recipe: Recipe, base: DebianBase, old: Lock | None, update: Update, store: Store, config: Config, fetcher: Fetcher
) -> LockedEnv:
    wanted = recipe.model.env
    debs: tuple[Deb, ...] = ()
    if wanted.debian:
        keep = old.env.debs if old else ()
        debs = tuple(
            resolve_packages(wanted.debian, base.debs, base.suite, base.architecture, keep, update, config, store)
        )
    epoch = max(base.epoch, _deb_epoch(debs, base, store, fetcher))
    if wanted.python is None:
        return LockedEnv(epoch=epoch, debs=debs)
    pins = old.env.python.wheels if old and old.env.python else ()
    wheels = python.resolve_wheels(
        wanted.python.requirements,
        version=wanted.python.version,
        platform=wanted.python.platform,
        keep=pins,
        update=update,
        installed={},
        config=config,
        store=store,
    )
    run_all([partial(fetcher.artefact, wheel) for wheel in wheels], JOBS)
    epoch = max([epoch, *(_artefact_date(wheel, store) for wheel in wheels)])
    locked = PythonSet(version=wanted.python.version, platform=wanted.python.platform, wheels=tuple(wheels))
    return LockedEnv(epoch=epoch, debs=debs, python=locked)


def _artefact_date(artefact: Artefact, store: Store) -> int:
    return python.newest_date(store.inputs.require(artefact.sha256, artefact.file).path)


def _source(source: recipes.Source, store: Store, config: Config, fetcher: Fetcher) -> LockedSource:
    if isinstance(source, recipes.GitSource):
        return git.resolve(source.git, source.commit, config, store)
    sdist = python.resolve_sdist(source.sdist, config)
    fetcher.artefact(sdist)
    return SdistSource(epoch=_artefact_date(sdist, store), sdist=sdist)


def _weights(wanted: recipes.Weights, store: Store, config: Config, fetcher: Fetcher) -> LockedWeights:
    if isinstance(wanted, recipes.FileWeights):
        return LockedWeights(epoch=0, files=tuple(_weight_file(file, config) for file in wanted.files))
    wheel = python.resolve_wheel_exact(wanted.wheel, config)
    fetcher.artefact(wheel)
    place = store.inputs.require(wheel.sha256, wheel.file)
    files = [
        WeightFile(path=member.rpartition("/")[2], size=size, sha256=_member_sha256(place.path, member), member=member)
        for member, size in archives.wheel_members(place.path, wanted.files)
    ]
    names = [file.path for file in files]
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise RecipeError(f"{wheel.file} has several files named {', '.join(double)}", "Narrow weights.*.files.")
    files.sort(key=lambda file: file.path)
    return LockedWeights(epoch=_artefact_date(wheel, store), wheel=wheel, files=tuple(files))


def _member_sha256(wheel: Path, member: str) -> str:
    with archives.open_member(wheel, member).open() as stream:
        return copy_and_hash(stream)[0]


def _weight_file(file: recipes.WeightFile, config: Config) -> WeightFile:
    """A file by itself: as the recipe pins it, else as it lies in a configured folder, else unknown for now."""
    sha256, size = file.sha256, file.size
    if sha256 is None or size is None:
        found = find_file(file.path, config)
        if found is not None:
            sha256, size = found
    return WeightFile(path=file.path, size=size, sha256=sha256)
