"""Data sets of run targets: brought when a target needs them, unpacked once in the store, mounted read-only."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from portside.common.progress import live, step
from portside.common.values import FileName
from portside.config import Config
from portside.engines import Mount
from portside.errors import MissingInputError, RecipeError
from portside.fetch.fetcher import Fetcher
from portside.fetch.manual import data_inputs, missing, missing_text, remedy
from portside.inputs.kinds import DATA
from portside.inputs.spool import Spool
from portside.lock.file import write_lock
from portside.lock.models import Lock, LockedData
from portside.project import Project
from portside.recipe import Recipe
from portside.store import Store, files

AGAIN = "then start the target again"


def target_data(recipe: Recipe, target: str | None) -> tuple[str, ...]:
    """The names of the data sets that a target needs."""
    found = recipe.model.run.targets.get(target) if target is not None else None
    return found.data if found else ()


def target_mounts(project: Project, recipe: Recipe, target: str | None, *, bring: bool) -> tuple[Mount, ...]:
    """The mounts of a run target's data sets. bring: bring and unpack them, and lock what is first seen."""
    names = target_data(recipe, target)
    if not names:
        return ()
    lock = project.lock(recipe)
    if bring:
        lock = pin_data(recipe, lock, names, project.store, project.config, partial(write_lock, recipe))
        unpack_data(lock, names, project.store)
    return data_mounts(recipe, lock, names, project.store)


def pin_data(
    recipe: Recipe,
    lock: Lock,
    names: Sequence[str],
    store: Store,
    config: Config,
    keep: Callable[[Lock], object] = lambda lock: None,
) -> Lock:
    """Bring these data sets into the store; gives the lock, with the hash of what was seen for the first time.

    keep: called with the lock each time that it knows one more.
    Raises MissingInputError that lists all that are missing and that no download can bring, InputError for wrong bytes.
    """
    wanted = data_inputs(recipe, lock, names)
    lacking = missing(wanted, lock, store, config)
    if any(file.url is None for file in lacking):
        raise MissingInputError(missing_text(recipe, lacking), remedy(recipe, config, AGAIN))
    fetcher = Fetcher(store, config)
    for name in names:
        if (bring := DATA[lock.data[name].kind].bring) is not None:
            with live():
                bring(lock.data[name], fetcher)
    for file in wanted:
        with live():
            sha256, size = fetcher.manual(file, lock.sources)
        if not file.known:
            name = file.input.name
            lock = lock.model_copy(update={"data": lock.data | {name: lock.data[name].seen(sha256, size)}})
            keep(lock)
    return lock


def data_mounts(recipe: Recipe, lock: Lock, names: Sequence[str], store: Store) -> tuple[Mount, ...]:
    """A mount for each data set; nothing is brought or unpacked (see `unpack_data`)."""
    targets = [f"{recipe.workspace}/{recipe.model.data[name].to}" for name in names]
    if double := sorted({target for target in targets if targets.count(target) > 1}):
        raise RecipeError(f"two data sets go to {double[0]}", "Correct data.*.to in the recipe.")
    sources = [_folder(lock.data[name], store) for name in names]
    return tuple(Mount(str(source), target, read_only=True) for source, target in zip(sources, targets, strict=True))


def unpack_data(lock: Lock, names: Sequence[str], store: Store) -> None:
    """Put the files of data sets that are in the store to where containers see them."""
    for name in names:
        locked = lock.data[name]
        folder = _folder(locked, store)
        with store.lock(FileName(f"data-{folder.name}")):
            if folder.is_dir():
                continue
            with step(f"Unpacking the data set {name}"), store.workspace() as work, Spool(work) as spool:
                DATA[locked.kind].tree(locked, store, spool).write_to(work / "tree")
                files.make_folder(folder.parent)
                (work / "tree").rename(folder)


def _folder(locked: LockedData, store: Store) -> Path:
    return store.home / "data" / locked.identity
