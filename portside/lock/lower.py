"""What a lock shares with that of a recipe which its own extends: the inputs that both ask for in the same words."""

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from typing import TypeVar

from portside.errors import LockError
from portside.lock.changes import lock_changes
from portside.lock.file import fits, read_lock
from portside.lock.models import Lock
from portside.lock.packages import LockedEnv, PackageSet
from portside.lock.record import Group
from portside.recipe import Recipe, load_recipe

Part = TypeVar("Part", bound=Group)


def behind(recipe: Recipe, lock: Lock) -> list[str]:
    """What the locks of the recipes that this one extends say otherwise by now, one short line each.

    A lock is whole by itself: what it says counts until somebody locks its recipe again.
    """
    now = lock
    for below in _lower_locks(recipe):
        now = follow(now, below)
    return lock_changes(lock, now)


def known(recipe: Recipe, lock: Lock) -> Lock:
    """The lock, with hashes that it lacks and that a recipe which it extends has learnt meanwhile."""
    for below in _lower_locks(recipe):
        lock = complete(lock, below)
    return lock


def _lower_locks(recipe: Recipe) -> Iterator[Lock]:
    """The locks of the recipes that this one extends, the nearest first, as far as they belong to those."""
    name = recipe.model.extends
    while name is not None:
        lower = load_recipe(recipe.root, name)
        with suppress(LockError):
            lock = read_lock(lower.lock_path)
            if lock is not None and fits(lower, lock):
                yield lock
        name = lower.model.extends


def follow(lock: Lock, below: Lock) -> Lock:
    """The lock with what it shares with `below` as that one has it, except what only this one knows the hash of."""
    return _with(lock, below, lambda own, other: other if _known(other) or not _known(own) else own)


def complete(lock: Lock, other: Lock) -> Lock:
    """The lock, with hashes that it does not know filled in where `other` knows them and both ask for the same."""
    return _with(lock, other, lambda own, theirs: theirs if _known(theirs) and not _known(own) else own)


def _with(lock: Lock, other: Lock, choose: Callable[[Group, Group], Group]) -> Lock:
    """The lock with every part that both ask for in the same words as `choose(own, other's)` says."""
    same = {request for request, words in lock.requests.items() if other.requests.get(request) == words}

    def chosen(request: str, own: Part, theirs: Part | None) -> Part:
        return choose(own, theirs) if request in same and theirs is not None else own  # type: ignore[return-value]

    base = chosen("base", lock.base, other.base)
    sets = tuple(
        chosen(f"env.{s.recipe}", s, other.env.of(s.recipe)) if _reads_only(s, same) else s for s in lock.env.sets
    )
    sources = {name: chosen(f"sources.{name}", s, other.sources.get(name)) for name, s in lock.sources.items()}
    weights = {name: chosen(f"weights.{name}", w, other.weights.get(name)) for name, w in lock.weights.items()}
    data = {name: chosen(f"data.{name}", d, other.data.get(name)) for name, d in lock.data.items()}
    parts = {"base": base, "env": LockedEnv(sets=sets), "sources": sources, "weights": weights, "data": data}
    if all(getattr(lock, name) == value for name, value in parts.items()):
        return lock
    groups = [base.epoch, *(s.newest for s in sets), *(s.epoch for s in sources.values())]
    groups += [w.epoch for w in weights.values()]
    return lock.model_copy(update={**parts, "epoch": max(groups)})


def _reads_only(packages: PackageSet, same: Collection[str]) -> bool:
    """Whether the requirements of a set were read from no sources but those that both ask for in the same words."""
    names = packages.python.sources if packages.python is not None else ()
    return all(f"sources.{name}" in same for name in names)


def _known(part: Group) -> bool:
    """Whether everything in a part of a lock has hash and size. Git sources, .debs and packages from an index always
    have."""
    return all(item.pinned for item in part.inputs(""))
