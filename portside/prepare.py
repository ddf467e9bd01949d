"""From a recipe to a plan that one can build by: locked, and with every hash that somebody can know by now."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from portside.common.progress import say
from portside.errors import LockError, PortsideError, together
from portside.lock.file import write_lock
from portside.lock.lower import behind, known
from portside.plan.model import Plan
from portside.plan.parts import plan
from portside.project import Project
from portside.recipe import Recipe

if TYPE_CHECKING:
    from portside.fetch.folders import ManualInput


def locked_plan(project: Project, recipe: Recipe) -> Plan:
    """The plan of a recipe that is locked. Raises LockError for one that is not."""
    return plan(recipe, project.lock(recipe))


def lock_and_plan(project: Project, recipe: Recipe, *, offline: bool = False) -> Plan:
    """The recipe's plan; a recipe that was never locked is resolved first, unless offline."""
    if not recipe.lock_path.exists():
        if offline:
            raise LockError(
                f"{recipe.name} is not locked, and --offline forbids to resolve it",
                f"Lock it with a network: invoke lock --recipe {recipe.name}",
            )
        from portside.resolve.chain import lock_recipe

        say(f"{recipe.name} has no lock yet: making {recipe.lock_path}")
        lock_recipe(project, recipe)
    return locked_plan(project, recipe)


def lock_pin_and_plan(
    project: Project,
    recipe: Recipe,
    *,
    offline: bool = False,
    last: str = "weights",
    pulling: bool = False,
    lenient: bool = False,
) -> Plan:
    """The plan to build by: as `lock_and_plan`, with hashes that nobody knew yet filled into the lock on first sight.

    last: the last layer to build. pulling: what is known may come as layers from elsewhere, so files are asked
    for only if their hashes are unknown. lenient: what is missing may stay unknown.
    Raises InputError that names everything which a person has to bring first.
    """
    made = lock_and_plan(project, recipe, offline=offline)
    if (lock := known(recipe, made.lock)) != made.lock:
        say(f"{recipe.lock_path.name}: hashes that it lacked are those of the recipes that {recipe.name} extends")
        write_lock(recipe, lock)
        made = plan(recipe, lock)
    say_behind(made)
    unpinned = made.lock.unpinned(last)
    if not unpinned and (pulling or lenient):
        return made
    from portside.fetch.fetcher import Fetcher

    fetcher = Fetcher(project.store, project.config, offline, lenient)
    if not lenient:
        fetcher.require_manual(made, last=last)
    if not unpinned:
        return made
    from portside.fetch.pin import pin

    return plan(recipe, pin(made, fetcher, project.store, partial(write_lock, recipe), last))


def plans_to_build(
    project: Project, recipes: Sequence[Recipe], *, offline: bool = False, last: str = "weights"
) -> tuple[list[Plan], dict[str, PortsideError]]:
    """The plans of several recipes to build by, as `lock_pin_and_plan` makes them, and by name why others have none.

    Raises an error that tells of every lock that does not fit, before any other is made.
    """
    unfit: dict[str, PortsideError] = {}
    for recipe in recipes:
        try:
            if recipe.lock_path.exists():
                project.lock(recipe)
            elif offline:
                lock_and_plan(project, recipe, offline=True)
        except PortsideError as error:
            unfit[recipe.name] = error
    if unfit:
        raise together(unfit, "Nothing was begun, for there are recipes without a lock that fits:")
    plans: list[Plan] = []
    failed: dict[str, PortsideError] = {}
    for recipe in recipes:
        try:
            plans.append(lock_pin_and_plan(project, recipe, offline=offline, last=last, pulling=True))
        except PortsideError as error:
            error.name_recipe(recipe.name)
            failed[recipe.name] = error
    return plans, failed


def lacking(project: Project, made: Plan) -> "list[ManualInput]":
    """What a person would have to bring for a plan: it is neither in the store nor in a folder."""
    from portside.fetch.manual import manual_inputs, missing

    return missing(manual_inputs(made.recipe, made.lock), made.lock, project.store, project.config)


def say_behind(made: Plan) -> None:
    """Tell what the locks of lower recipes have that the plan's lock does not."""
    if lines := behind(made.recipe, made.lock):
        name = made.recipe.name
        say(f"{made.recipe.lock_path.name} is older than the lock of a recipe that {name} extends, which has:")
        say("\n".join(f"  {line}" for line in lines))
        say(f"It counts as it is; to take these over: invoke lock --recipe {name}")
