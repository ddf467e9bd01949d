"""The task `lock`, and what a lock is asked: `--check` and `--outdated` change nothing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit

from portside.cli.chosen import CHOICE, Chosen, choose, each, end, report_each
from portside.cli.task import ENGINE, JSON, portside_task, project, show, tell
from portside.errors import RecipeError

if TYPE_CHECKING:
    from portside.project import Project
    from portside.recipe import Recipe


@portside_task(
    help=CHOICE
    | {
        "update": "resolve this input anew (a package, source, weights, base, or all)",
        "check": "change nothing and ask nobody: exit code 3 where the lock does not fit the recipe",
        "outdated": "change nothing: which branches, tags and revisions of hubs are another commit by now",
        "exit-code": "with --outdated: exit code 1 where any is",
        "json": f"with --outdated: {JSON}",
        "engine": f"{ENGINE}; only scripts of the base are run in one (env.activate)",
    },
    iterable=["recipe", "update"],
)
def lock(
    c: Context,
    recipe: list[str],
    update: list[str],
    all: bool = False,
    changed_since: str | None = None,
    check: bool = False,
    outdated: bool = False,
    exit_code: bool = False,
    json: bool = False,
    engine: str | None = None,
) -> None:
    """Resolve a recipe to exact inputs; a lock that exists only changes where asked.

    Example: invoke lock --recipe minilm --update numpy
    """
    p = project()
    if check or outdated or exit_code or json:
        _check_question(update, check=check, outdated=outdated, exit_code=exit_code, json=json)
        chosen = choose(p, recipe, all, changed_since)
        _question(p, chosen, check=check, exit_code=exit_code, json=json)
        return
    chosen = choose(p, recipe, all, changed_since)
    end(each(chosen, lambda loaded: _lock(p, loaded, update, engine))[1], len(chosen.recipes))


def _lock(p: "Project", loaded: "Recipe", update: Sequence[str], engine: str | None) -> None:
    from portside.common.progress import say
    from portside.image.pointers import what_is_left
    from portside.lock.changes import lock_changes
    from portside.plan.parts import plan as plan_of
    from portside.resolve.chain import lock_recipe

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


def _check_question(update: Sequence[str], *, check: bool, outdated: bool, exit_code: bool, json: bool) -> None:
    """Raises RecipeError for options that do not go together."""
    if check == outdated or update or ((exit_code or json) and not outdated):
        raise RecipeError(
            "these options of lock do not go together",
            "Say --check, or --outdated with or without --exit-code and --json; --update changes a lock.",
        )


def _question(p: "Project", chosen: Chosen, *, check: bool, exit_code: bool, json: bool) -> None:
    """Raises LockError where a recipe has no lock that fits."""
    if check:
        end(each(chosen, lambda recipe: _check(p, recipe), quiet=True)[1], len(chosen.recipes))
        return
    found, failed = each(chosen, lambda recipe: _outdated(p, recipe, json, chosen.is_one), quiet=True)
    if json:
        rows = {name: {"recipe": name, "outdated": moved} for name, moved in found.items()}
        show({"outdated": found[chosen.names[0]]} if chosen.is_one else report_each(rows, failed))
    end(failed, len(chosen.recipes))
    if exit_code and any(found.values()):
        raise Exit(code=1)


def _check(p: "Project", recipe: "Recipe") -> None:
    p.lock(recipe)
    tell([f"{recipe.lock_path.relative_to(p.root)} fits {recipe.path.relative_to(p.root)}"])


def _outdated(p: "Project", recipe: "Recipe", json: bool, is_one: bool) -> list[dict[str, str]]:
    """What has moved since it was locked. Raises the first error of what could not be asked, after telling the rest."""
    from portside.resolve.outdated import outdated as look

    found = look(p, recipe, p.lock(recipe))
    if found.moved and not json:
        tell(
            f"{request}: {row.revision} is {row.now[:12]} now, locked is {row.was[:12]}; "
            f"invoke lock --recipe {recipe.name} --update {request.partition('.')[2]}"
            for request, row in found.moved.items()
        )
    elif not found.unknown and not json:
        path = recipe.lock_path.relative_to(p.root)
        tell([f"{path}: every branch, tag and revision is as it is locked"])
    rows = [
        {"request": request, "revision": row.revision, "locked": row.was, "now": row.now}
        for request, row in found.moved.items()
    ]
    for error in found.unknown.values():
        if json and is_one:  # what is known is shown, and then what is not
            show({"outdated": rows})
        raise error
    return rows
