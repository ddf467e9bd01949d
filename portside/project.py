"""A project's root with its recipes, and this machine's configuration and store: what the tasks have in common."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from portside.config import Config, load_config
from portside.errors import LockError, PortsideError
from portside.folders import ManualInput
from portside.lock.agree import contradictions
from portside.lock.changes import lock_changes
from portside.lock.file import check_lock, dump_lock, fits, read_lock
from portside.lock.lower import complete, follow
from portside.lock.models import Lock
from portside.manual import manual_inputs, missing
from portside.outputs import write_text
from portside.plan import Plan, plan
from portside.progress import say
from portside.recipe import Recipe, load_recipe
from portside.store import Store

if TYPE_CHECKING:
    from portside.engines import Choice, Engine, Mount
    from portside.fetch import Fetcher


class Project:
    """root: the folder that holds `recipes/`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def config(self) -> Config:
        return load_config(self.root)

    @cached_property
    def store(self) -> Store:
        store = Store(self.config.home)
        store.note_checkout(self.root)
        return store

    def recipe(self, name: str) -> Recipe:
        return load_recipe(self.root, name)

    def engine(self, name: str | None = None) -> "Engine":
        return self.engine_choice(name).engine

    def engine_choice(self, name: str | None = None) -> "Choice":
        from portside.engines import choose_engine

        return choose_engine(name or self.config.engine)

    def fetcher(self, offline: bool, *, lenient: bool = False) -> "Fetcher":
        from portside.fetch import Fetcher

        return Fetcher(self.store, self.config, offline, lenient)

    def registries(self, recipe: Recipe) -> list[str]:
        """The repositories that may have the recipe's layers, in the order in which they are asked."""
        own = recipe.model.registry
        return list(dict.fromkeys([*self.config.registries, *([own] if own else [])]))

    def home_registry(self, recipe: Recipe) -> str | None:
        """The repository that a tag without a host belongs to: the recipe's, else the first of portside.toml."""
        return recipe.model.registry or next(iter(self.config.registries), None)

    def lock(self, recipe: Recipe) -> Lock:
        """The recipe's lock. Raises LockError where there is none or it belongs to another version of the recipe."""
        lock = read_lock(recipe.lock_path)
        if lock is None:
            raise LockError(f"{recipe.name} is not locked", f"Lock it: invoke lock --recipe {recipe.name}")
        check_lock(recipe, lock)
        return lock

    def make_lock(
        self, recipe: Recipe, update: Collection[str] | Literal["all"] = (), notes: list[str] | None = None
    ) -> tuple[Lock | None, Lock]:
        """Resolve the recipe and write its lock; gives the lock before and the lock now.

        notes: gets a line for each package that is older than it had to be.
        """
        from portside.lock.resolve import make_lock

        below = None
        if recipe.model.extends is not None:
            lower = self.recipe(recipe.model.extends)
            below = read_lock(lower.lock_path)
            if below is None or not fits(lower, below) or self.behind(lower, below):
                say(f"{recipe.name} extends {lower.name}, which is locked first")
                below = self.make_lock(lower, notes=notes)[1]
        old = read_lock(recipe.lock_path)
        try:
            new = make_lock(recipe, old, update, self.store, self.config, below, notes)
        except PortsideError as error:
            error.name_recipe(recipe.name)
            raise
        if new != old:
            write_lock(recipe, new)
        return old, new

    def _lower_locks(self, recipe: Recipe) -> Iterator[Lock]:
        """The locks of the recipes that this one extends, the nearest first, as far as they belong to those."""
        name = recipe.model.extends
        while name is not None:
            lower = self.recipe(name)
            with suppress(LockError):
                lock = read_lock(lower.lock_path)
                if lock is not None and fits(lower, lock):
                    yield lock
            name = lower.model.extends

    def behind(self, recipe: Recipe, lock: Lock) -> list[str]:
        """What the locks of the recipes that this one extends say otherwise by now, one short line each.

        A lock is whole by itself: what it says counts until somebody locks its recipe again.
        """
        now = lock
        for below in self._lower_locks(recipe):
            now = follow(now, below)
        return lock_changes(lock, now)

    def known(self, recipe: Recipe, lock: Lock) -> Lock:
        """The lock, with hashes that it lacks and that a recipe which it extends has learnt meanwhile."""
        for below in self._lower_locks(recipe):
            lock = complete(lock, below)
        return lock

    def say_behind(self, made: Plan) -> None:
        if lines := self.behind(made.recipe, made.lock):
            name = made.recipe.name
            say(f"{made.recipe.lock_path.name} is older than the lock of a recipe that {name} extends, which has:")
            say("\n".join(f"  {line}" for line in lines))
            say(f"It counts as it is; to take these over: invoke lock --recipe {name}")

    def plan(self, recipe: Recipe, *, offline: bool = False, lock_if_missing: bool = False) -> Plan:
        """The recipe's plan. lock_if_missing: resolve a recipe that was never locked, as `build` does."""
        if lock_if_missing and not recipe.lock_path.exists():
            if offline:
                raise LockError(
                    f"{recipe.name} is not locked, and --offline forbids to resolve it",
                    f"Lock it with a network: invoke lock --recipe {recipe.name}",
                )
            say(f"{recipe.name} has no lock yet: making {recipe.lock_path}")
            self.make_lock(recipe)
        return plan(recipe, self.lock(recipe))

    def pinned_plan(
        self,
        recipe: Recipe,
        *,
        offline: bool = False,
        last: str = "weights",
        pulling: bool = False,
        lenient: bool = False,
    ) -> Plan:
        """The plan to build by: as `plan`, with hashes that nobody knew yet filled into the lock on first sight.

        last: the last layer to build. pulling: what is known may come as layers from elsewhere, so files are asked
        for only if their hashes are unknown. lenient: what is missing may stay unknown.
        Raises InputError that names everything which a person has to bring first.
        """
        made = self.plan(recipe, offline=offline, lock_if_missing=True)
        if (lock := self.known(recipe, made.lock)) != made.lock:
            say(f"{recipe.lock_path.name}: hashes that it lacked are those of the recipes that {recipe.name} extends")
            write_lock(recipe, lock)
            made = plan(recipe, lock)
        self.say_behind(made)
        unpinned = made.lock.unpinned(last)
        fetcher = self.fetcher(offline, lenient=lenient)
        if (unpinned or not pulling) and not lenient:
            fetcher.require_manual(made, last=last)
        if not unpinned:
            return made
        from portside.pin import pin

        return plan(recipe, pin(made, fetcher, self.store, partial(write_lock, recipe), last))

    def target_data(self, recipe: Recipe, target: str | None, *, bring: bool) -> "tuple[Mount, ...]":
        """The mounts of a run target's data sets. bring: bring and unpack them, and lock what is first seen."""
        from portside.runtime import datasets

        names = datasets.target_data(recipe, target)
        if not names:
            return ()
        lock = self.lock(recipe)
        if bring:
            lock = datasets.pin_data(recipe, lock, names, self.store, self.config, partial(write_lock, recipe))
            datasets.unpack_data(lock, names, self.store)
        return datasets.data_mounts(recipe, lock, names, self.store)

    def pointer_lines(self, made: Plan) -> list[str]:
        """What a person is told of pointers of Git LFS that are in the image where files should be."""
        from portside.image_pointers import left_pointers, pointer_lines

        with suppress(PortsideError):  # whatever is wrong with a layer, the task's own work says it
            return pointer_lines(left_pointers(made, self.store))
        return []

    def lacking(self, made: Plan) -> list[ManualInput]:
        """What a person would have to bring for a plan: it is neither in the store nor in a folder."""
        return missing(manual_inputs(made.recipe, made.lock), made.lock, self.store, self.config)


def write_lock(recipe: Recipe, lock: Lock) -> None:
    """Raises LockError, and leaves the lock that is there, if what was found is not what the recipe pins."""
    if wrong := contradictions(recipe, lock):
        raise LockError(
            "\n".join([f"what was found for {recipe.name} is not what the recipe pins:", *(f"  {w}" for w in wrong)]),
            f"{recipe.lock_path} was left as it is. Bring what the recipe pins, or correct the recipe.",
        )
    write_text(recipe.lock_path, dump_lock(lock))
