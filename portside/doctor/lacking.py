"""Locked inputs that the store does not have: how many can be fetched, which a person has to bring."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from portside.common.progress import human_bytes
from portside.common.values import Sha256, Size
from portside.config import Config
from portside.doctor.findings import Finding
from portside.errors import PortsideError
from portside.fetch.folders import ManualInput, PointerOf, asked, candidates, where
from portside.fetch.manual import stored_pointer
from portside.lock.models import Lock
from portside.lock.record import LockedInput
from portside.recipe import Recipe
from portside.store import Store
from portside.store.inputs import Inputs
from portside.store.layout import Layout


@dataclass(frozen=True, slots=True)
class WantedFile:
    """A locked file. brought: how it is looked for in folders, if people may bring it."""

    locked: LockedInput
    brought: ManualInput | None = None

    @property
    def name(self) -> str:
        return self.locked.title.rpartition("/")[2]

    @property
    def size(self) -> Size | None:
        return self.locked.size

    @property
    def sha256(self) -> Sha256 | None:
        return self.locked.sha256

    @property
    def by_hand(self) -> bool:
        """Whether no download brings it."""
        return self.brought is not None and self.brought.by_hand


@dataclass(frozen=True, slots=True)
class Inventory:
    """files: everything that the lock names. missing: those of them that the store lacks. weights: bytes of weights."""

    files: tuple[WantedFile, ...]
    missing: tuple[WantedFile, ...]
    weights: int


def take_inventory(recipe: Recipe, lock: Lock, config: Config) -> Inventory:
    """Look for every locked file; nothing is made or changed in the store."""
    inputs = Inputs(config.home)
    brought = {file.place: file for file in asked(recipe)}
    layout = Layout(config.home)
    has_base = bool(lock.base.layers) and all(layout.has(layer.diff_id, layer.size) for layer in lock.base.layers)
    named = [
        WantedFile(file, _sought(file, brought))
        for file in lock.inputs()
        if file.is_file and file.kind != "data" and not (file.at == "base" and has_base)
    ]
    weights = [file for file in named if file.locked.kind in ("weights", "carrier")]
    missing = tuple(file for file in named if file.sha256 is None or inputs.locate(file.sha256) is None)
    return Inventory(tuple(named), missing, sum(file.size or 0 for file in weights))


def _sought(file: LockedInput, asked: Mapping[tuple[str, str], ManualInput]) -> ManualInput | None:
    """How a locked file is looked for in folders, if it is; the lock may be of another version of the recipe."""
    if file.place is None:
        return None
    if (found := asked.get(file.place)) is not None:
        return replace(found, input=file)
    return None if file.place[0] == "weights" else ManualInput(file)


def examine_inputs(inventory: Inventory, recipe: Recipe, lock: Lock, config: Config) -> Iterator[Finding]:
    pointer_of = partial(stored_pointer, lock.sources, Store(config.home)) if config.home.is_dir() else lambda _: None
    manual = [file for file in inventory.missing if file.by_hand and not _is_here(file, config, pointer_of)]
    fetchable = [file for file in inventory.missing if file not in manual]
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
            f"nobody knows the sha256 of {name}/{unpinned} yet: what is first seen is locked",
            f"invoke fetch --recipe {recipe.name} fills it in; compare it with its origin, then commit the lock.",
        )


def _describe(file: WantedFile) -> str:
    size = human_bytes(file.size) if file.size is not None else "size unknown"
    return f"{file.name} is missing ({size}, sha256 {file.sha256 or 'unknown'})"


def _is_here(file: WantedFile, config: Config, pointer_of: PointerOf) -> bool:
    """Whether a folder has it, as far as its size tells."""
    assert file.brought is not None
    return any(candidate.may_be(file.brought) for candidate in candidates(file.brought, config, pointer_of))


def _where(file: WantedFile, recipe: Recipe, config: Config) -> str:
    assert file.brought is not None
    origin = f" ({file.brought.origin})" if file.brought.origin else ""
    if config.folders:
        return f"Get it{origin} and put it at {where(file.brought, config)}; then invoke fetch --recipe {recipe.name}"
    return (
        f"Get it{origin}, put it into any folder as {where(file.brought, config)}, name that folder in portside.toml "
        f'(folders = ["/that/folder"]), then invoke fetch --recipe {recipe.name}'
    )


def _missing_commits(lock: Lock, config: Config) -> Sequence[str]:
    sources = [
        (name, commit) for name, source in sorted(lock.sources.items()) if (commit := source.commit_of) is not None
    ]
    if not sources:
        return []
    if not config.home.is_dir():
        return [name for name, _ in sources]
    from portside.inputs.git_mirror import Mirror

    missing = []
    for name, source in sources:
        try:
            store = Store(config.home)
            there = all(Mirror(commit.url, config, store).has(commit.commit) for _, commit in source.placed())
        except PortsideError:
            there = False
        if not there:
            missing.append(name)
    return missing
