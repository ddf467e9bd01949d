"""The task `lock`, and what a lock is asked: `--check` and `--outdated` change nothing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit

from portside.cli.task import ENGINE, JSON, RECIPE, portside_task, project, show, tell
from portside.errors import RecipeError

if TYPE_CHECKING:
    from portside.project import Project


@portside_task(
    help={
        "recipe": RECIPE,
        "update": "resolve this input anew (a package, source, weights, base, or all)",
        "check": "change nothing and ask nobody: exit code 3 where the lock does not fit the recipe",
        "outdated": "change nothing: which branches, tags and revisions of hubs are another commit by now",
        "exit-code": "with --outdated: exit code 1 where any is",
        "json": f"with --outdated: {JSON}",
        "engine": f"{ENGINE}; only scripts of the base are run in one (env.activate)",
    },
    iterable=["update"],
)
def lock(
    c: Context,
    recipe: str,
    update: list[str],
    check: bool = False,
    outdated: bool = False,
    exit_code: bool = False,
    json: bool = False,
    engine: str | None = None,
) -> None:
    """Resolve a recipe to exact inputs; a lock that exists only changes where asked.

    Example: invoke lock --recipe minilm --update numpy
    """
    if check or outdated or exit_code or json:
        _question(project(), recipe, update, check=check, outdated=outdated, exit_code=exit_code, json=json)
        return
    from portside.common.progress import say
    from portside.image.pointers import what_is_left
    from portside.lock.changes import lock_changes
    from portside.plan.parts import plan as plan_of
    from portside.resolve.chain import lock_recipe

    p = project()
    loaded = p.recipe(recipe)
    notes: list[str] = []
    old, new = lock_recipe(p, loaded, "all" if "all" in update else update, notes, engine)
    for line in lock_changes(old, new):
        say(f"  {line}")
    for line in what_is_left(plan_of(loaded, new), p.store):
        say(line)
    if notes:
        say("\n".join(["Older than they had to be, for want of wheels:", *(f"  {note}" for note in notes)]))
        say(
            "To have the newer ones, put a wheel of what lacks one into a folder that pip's find-links names, or "
            "install it from its source distribution, as `build` of recipes/chatglm.yaml does with ffmpy."
        )
    say(f"{loaded.lock_path.relative_to(p.root)}: {'unchanged' if old == new else 'written'}")


def _question(
    project: "Project", name: str, update: Sequence[str], *, check: bool, outdated: bool, exit_code: bool, json: bool
) -> None:
    """Raises LockError where the recipe has no lock that fits, RecipeError for options that do not go together."""
    if check == outdated or update or ((exit_code or json) and not outdated):
        raise RecipeError(
            "these options of lock do not go together",
            "Say --check, or --outdated with or without --exit-code and --json; --update changes a lock.",
        )
    recipe = project.recipe(name)
    lock = project.lock(recipe)
    path = recipe.lock_path.relative_to(project.root)
    if check:
        tell([f"{path} fits {recipe.path.relative_to(project.root)}"])
        return
    from portside.resolve.outdated import outdated as look

    found = look(project, recipe, lock)
    if json:
        rows = [
            {"request": request, "revision": row.revision, "locked": row.was, "now": row.now}
            for request, row in found.moved.items()
        ]
        show({"outdated": rows})
    elif found.moved:
        tell(
            f"{request}: {row.revision} is {row.now[:12]} now, locked is {row.was[:12]}; "
            f"invoke lock --recipe {name} --update {request.partition('.')[2]}"
            for request, row in found.moved.items()
        )
    elif not found.unknown:
        tell([f"{path}: every branch, tag and revision is as it is locked"])
    for error in found.unknown.values():
        raise error
    if exit_code and found.moved:
        raise Exit(code=1)
