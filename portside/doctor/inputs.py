"""Locked inputs that the store does not have: how many can be fetched, which a person has to bring."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from portside.config import Config
from portside.doctor.findings import Finding
from portside.errors import PortsideError
from portside.lock.models import Lock
from portside.manual import in_folder
from portside.progress import human_bytes
from portside.recipe import Recipe
from portside.recipe.models import FileWeights
from portside.store.inputs import Inputs
from portside.store.layout import Layout


@dataclass(frozen=True, slots=True)
class WantedFile:
    """One file that a lock names. origin: for a file that no download brings, where people get it ("" if unknown)."""

    name: str
    size: int | None
    sha256: str | None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Inventory:
    """files: everything that the lock names. missing: those of them that the store lacks. weights: bytes of weights."""

    files: tuple[WantedFile, ...]
    missing: tuple[WantedFile, ...]
    weights: int


def take_inventory(recipe: Recipe, lock: Lock, config: Config) -> Inventory:
    """Look for every locked file; nothing is made or changed in the store."""
    inputs = Inputs(config.home)
    base = lock.base
    named: list[WantedFile] = []
    if base.kind == "archive":
        if not (base.layers and all(Layout(config.home).has(layer.diff_id, layer.size) for layer in base.layers)):
            archive = recipe.model.base.archive
            named.append(WantedFile(base.file, base.size, base.sha256, archive.origin if archive else ""))
    elif not Layout(config.home).has(base.diff_id, base.size):
        named += [WantedFile(f"{deb.name} {deb.version}", deb.size, deb.sha256) for deb in base.debs]
    named += [WantedFile(f"{deb.name} {deb.version}", deb.size, deb.sha256) for deb in lock.env.debs]
    named += _wheels(recipe, lock)
    for source in lock.sources.values():
        if source.kind == "sdist":
            named.append(WantedFile(source.sdist.file, source.sdist.size, source.sdist.sha256))
    weights = list(_weights(recipe, lock))
    named += weights
    missing = tuple(file for file in named if file.sha256 is None or inputs.locate(file.sha256) is None)
    return Inventory(tuple(named), missing, sum(file.size or 0 for file in weights))


def _wheels(recipe: Recipe, lock: Lock) -> Iterator[WantedFile]:
    origins = {wheel.file: wheel.origin for s in recipe.stages if s.python for wheel in s.python.manual}
    for python in (packages.python for packages in lock.env.sets if packages.python is not None):
        for wheel in python.wheels:
            yield WantedFile(wheel.file, wheel.size, wheel.sha256)
        for brought in python.manual:
            yield WantedFile(brought.file, brought.size, brought.sha256, origins.get(brought.file, ""))


def _weights(recipe: Recipe, lock: Lock) -> Iterator[WantedFile]:
    for name, locked in sorted(lock.weights.items()):
        if locked.wheel is not None:
            yield WantedFile(locked.wheel.file, locked.wheel.size, locked.wheel.sha256)
            continue
        asked = recipe.model.weights.get(name)  # none where the lock is of another version of the recipe
        origins = (
            {f.path: None if f.url else f.origin or "" for f in asked.files} if isinstance(asked, FileWeights) else {}
        )
        for file in locked.files:
            yield WantedFile(Path(file.path).name, file.size, file.sha256, origins.get(file.path))


def examine_inputs(inventory: Inventory, recipe: Recipe, lock: Lock, config: Config) -> Iterator[Finding]:
    brought = {file for file in inventory.missing if in_folder(file.name, config)}
    fetchable = [file for file in inventory.missing if file.origin is None or file in brought]
    manual = [file for file in inventory.missing if file not in fetchable]
    git = list(_missing_commits(lock, config))
    if fetchable or git:
        size = human_bytes(sum(file.size or 0 for file in fetchable))
        parts = [f"{len(fetchable)} file(s), {size}"] if fetchable else []
        parts += [f"the source {name}" for name in git]
        yield Finding(
            "warning", "inputs", f"not in the store yet: {', '.join(parts)}", f"invoke fetch --recipe {recipe.name}"
        )
    for file in manual:
        yield Finding("problem", "inputs", _describe(file), _where(file, recipe, config))
    if not inventory.missing and not git:
        yield Finding("ok", "inputs", f"all {len(inventory.files)} files are in the store")
    for name, unpinned in lock.unpinned():
        yield Finding(
            "warning",
            "unpinned",
            f"nobody knows the sha256 of {name}/{unpinned} yet: the first file of that name is taken",
            f"invoke fetch --recipe {recipe.name} fills it in; compare it with its origin, then commit the lock.",
        )


def _describe(file: WantedFile) -> str:
    size = human_bytes(file.size) if file.size is not None else "size unknown"
    return f"{file.name} is missing ({size}, sha256 {file.sha256 or 'unknown'})"


def _where(file: WantedFile, recipe: Recipe, config: Config) -> str:
    origin = f" ({file.origin})" if file.origin else ""
    if config.folders:
        place = " or ".join(str(folder) for folder in config.folders)
        return f"Get it{origin} and put it into {place}; then invoke fetch --recipe {recipe.name}"
    return (
        f'Get it{origin}, put it into any folder, name that folder in portside.toml (folders = ["/that/folder"]), '
        f"then invoke fetch --recipe {recipe.name}"
    )


def _missing_commits(lock: Lock, config: Config) -> Sequence[str]:
    sources = [(name, source) for name, source in sorted(lock.sources.items()) if source.kind == "git"]
    if not sources:
        return []
    if not config.home.is_dir():
        return [name for name, _ in sources]
    from portside.inputs.git_mirror import Mirror
    from portside.store import Store

    missing = []
    for name, source in sources:
        try:
            there = Mirror(source.url, config, Store(config.home)).has(source.commit)
        except PortsideError:
            there = False
        if not there:
            missing.append(name)
    return missing
