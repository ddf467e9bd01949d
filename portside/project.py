"""A project's root with its recipes, and this machine's configuration and store: what the tasks have in common."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from portside.common.root import require_root
from portside.config import Config, load_config
from portside.errors import LockError
from portside.lock.file import check_lock, read_lock
from portside.lock.models import Lock
from portside.recipe import Recipe, load_recipe
from portside.store import Store

if TYPE_CHECKING:
    from portside.engines import Choice, Engine


class Machine:
    """What there is without a project, too: a person's configuration, the store, the engine."""

    root: Path | None = None

    @cached_property
    def config(self) -> Config:
        return load_config(self.root)

    @cached_property
    def store(self) -> Store:
        return Store(self.config.home)

    def engine(self, name: str | None = None) -> "Engine":
        return self.engine_choice(name).engine

    def engine_choice(self, name: str | None = None) -> "Choice":
        from portside.engines import choose_engine

        return choose_engine(name or self.config.engine)


class Project(Machine):
    """root: the folder that holds `recipes/`."""

    root: Path

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def find(cls, start: Path | None = None) -> "Project":
        """The nearest project, upwards from a folder (default: the current one). Raises RecipeError without one."""
        return cls(require_root(start or Path.cwd()))

    @cached_property
    def store(self) -> Store:
        store = super().store
        store.note_checkout(self.root)
        return store

    def recipe(self, name: str) -> Recipe:
        return load_recipe(self.root, name)

    def lock(self, recipe: Recipe) -> Lock:
        """The recipe's lock. Raises LockError where there is none or it belongs to another version of the recipe."""
        lock = read_lock(recipe.lock_path)
        if lock is None:
            raise LockError(f"{recipe.name} is not locked", f"Lock it: invoke lock --recipe {recipe.name}")
        check_lock(recipe, lock)
        return lock

    def registries(self, recipe: Recipe) -> list[str]:
        """The repositories that may have the recipe's layers, in the order in which they are asked."""
        own = recipe.model.registry
        return list(dict.fromkeys([*self.config.registries, *([own] if own else [])]))

    def home_registry(self, recipe: Recipe) -> str | None:
        """The repository that a tag without a host belongs to: the recipe's, else the first of portside.toml."""
        return recipe.model.registry or next(iter(self.config.registries), None)
