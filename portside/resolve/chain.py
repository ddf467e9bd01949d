"""The lock of a recipe, and before it those of the recipes that it extends."""

from collections.abc import Collection
from functools import partial
from typing import Literal

from portside.common.progress import say
from portside.errors import PortsideError
from portside.lock.file import fits, read_lock, write_lock
from portside.lock.lower import behind
from portside.lock.models import Lock
from portside.lock.written import same_images
from portside.project import Project
from portside.recipe import Recipe
from portside.resolve import resolver


def lock_recipe(
    project: Project,
    recipe: Recipe,
    update: Collection[str] | Literal["all"] = (),
    notes: list[str] | None = None,
    engine: str | None = None,
) -> tuple[Lock | None, Lock]:
    """Resolve the recipe and write its lock, if anything in it is another; gives the lock before and the lock now.

    notes: gets a line for each package that is older than it had to be. engine: the name of the one that runs scripts
    of the base, where there are any; default: as the configuration says.
    """
    below = None
    if recipe.model.extends is not None:
        lower = project.recipe(recipe.model.extends)
        below = read_lock(lower.lock_path)
        if below is None or not fits(lower, below) or behind(lower, below):
            say(f"{recipe.name} extends {lower.name}, which is locked first")
            below = lock_recipe(project, lower, notes=notes, engine=engine)[1]
    old = read_lock(recipe.lock_path)
    try:
        new = resolver.make_lock(
            recipe, old, update, project.store, project.config, below, notes, partial(project.engine, engine)
        )
    except PortsideError as error:
        error.name_recipe(recipe.name)
        raise
    if old is not None and same_images(old):
        new = new.model_copy(update={"written_by": old.written_by})
    if new != old:
        write_lock(recipe, new)
    return old, new
