"""Which recipes a task is about: those that are named, all, or those that changed; a bad one is refused at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from portside.cli.task import RECIPE
from portside.errors import PortsideError, RecipeError, together

if TYPE_CHECKING:
    from portside.project import Project
    from portside.recipe import Recipe

CHOICE = {
    "recipe": f"{RECIPE}; may be repeated",
    "all": "all recipes of the project",
    "changed-since": "of these (default: of all) those whose recipe, lock, files or settings are not as in this commit "
    "of git",
}
"""The help of the options that `choose` takes."""


@dataclass(frozen=True)
class Chosen:
    """recipes: loaded, each once. is_one: whether one was asked for by its name and nothing else, so that what is said
    and printed is about that one."""

    recipes: "Sequence[Recipe]"
    is_one: bool

    @property
    def names(self) -> list[str]:
        return [recipe.name for recipe in self.recipes]


def choose(project: "Project", recipe: Sequence[str], all: bool, changed_since: str | None) -> Chosen:
    """The recipes that a task is asked for.

    Raises RecipeError that tells of every recipe that is none.
    """
    from portside.recipe import find_recipes

    names = list(dict.fromkeys(recipe))
    if names and all:
        raise RecipeError("--all and --recipe do not go together", "Name the recipes, or take all.")
    files = None
    if changed_since is not None:
        from portside.recipe.changed import changed_files

        files = changed_files(project.root, changed_since)
    if len(names) == 1 and files is None:
        return Chosen([project.recipe(names[0])], is_one=True)
    loaded, bad = [], dict[str, PortsideError]()
    for name in names or find_recipes(project.root):
        try:
            loaded.append(project.recipe(name))
        except PortsideError as error:
            bad[name] = error
    if bad:
        raise together(bad, f"Nothing was begun, for {len(bad)} of {len(loaded) + len(bad)} recipes cannot be used:")
    if files is not None:
        from portside.recipe.changed import is_changed

        loaded = [item for item in loaded if is_changed(item, files)]
        if not loaded:
            from portside.common.progress import say

            say(f"no recipe is other than in {changed_since}")
    return Chosen(loaded, is_one=False)


def each(
    chosen: Chosen, work: "Callable[[Recipe], Any]", *, quiet: bool = False
) -> tuple[dict[str, Any], dict[str, PortsideError]]:
    """Do something for one recipe after the other, whatever becomes of the others; gives by name what it gave, and
    what failed. The error of a recipe that is the only one is raised. quiet: say nothing meanwhile."""
    from portside.common.progress import say

    done: dict[str, Any] = {}
    failed: dict[str, PortsideError] = {}
    for recipe in chosen.recipes:
        if not chosen.is_one and not quiet:
            say(f"--- {recipe.name}")
        try:
            done[recipe.name] = work(recipe)
        except PortsideError as error:
            if chosen.is_one:
                raise
            error.name_recipe(recipe.name)
            if not quiet:
                say(f"{recipe.name} failed: {error.problem.splitlines()[0]}")
            failed[recipe.name] = error
    return done, failed


def report_each(done: Mapping[str, Any], failed: Mapping[str, PortsideError]) -> dict[str, Any]:
    """What `--json` prints of several recipes."""
    return {"recipes": list(done.values()), "failed": failures(failed)}


def failures(failed: Mapping[str, PortsideError]) -> list[dict[str, Any]]:
    return [
        {"recipe": name, "exit_code": error.exit_code, "problem": error.problem, "solution": error.solution}
        for name, error in failed.items()
    ]


def end(failed: Mapping[str, PortsideError], total: int) -> None:
    """Raise what tells of every recipe that failed, if there are any."""
    if failed:
        raise together(failed, f"{len(failed)} of {total} recipes failed:")
