"""All recipes at a glance: locked, built, what is missing."""

from collections.abc import Iterator
from typing import Any

from portside.common.called import called
from portside.common.progress import human_bytes
from portside.errors import PortsideError
from portside.lock.file import check_lock, differences, read_lock
from portside.lock.lower import behind
from portside.lock.models import Lock
from portside.plan.parts import plan
from portside.plan.states import states
from portside.project import Project
from portside.recipe import Recipe, find_recipes


def overview(project: Project) -> list[dict[str, Any]]:
    """One row per recipe: name, description, lock (current, stale, none), layers still to build, or its error.

    to_fetch, fetch_bytes: inputs that the store lacks, where there is something to build; to_bring: names of files that
    a person brings.
    behind: what the locks of the recipes that it extends say otherwise by now.
    """
    return [_recipe_row(project, name) for name in find_recipes(project.root)]


def _recipe_row(project: Project, name: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": name,
        "description": "",
        "lock": "none",
        "to_build": None,
        "to_fetch": 0,
        "fetch_bytes": 0,
        "to_bring": [],
        "behind": [],
        "error": None,
    }
    try:
        recipe = project.recipe(name)
        row["description"] = recipe.model.description
        lock = read_lock(recipe.lock_path)
        if lock is not None:
            row["lock"] = "stale"
            if not differences(recipe, lock):
                check_lock(recipe, lock)
                row["lock"] = "current"
        if lock is not None and row["lock"] == "current":
            layers = (state.part.layer for state in states(plan(recipe, lock), project.store) if state.blob is None)
            row["to_build"] = list(dict.fromkeys(layers))
            row["behind"] = behind(recipe, lock)
        if lock is not None and row["to_build"]:
            row["to_fetch"], row["fetch_bytes"], row["to_bring"] = _lacking(recipe, lock, project)
    except PortsideError as error:
        row["error"] = called(error.problem)
    return row


def _lacking(recipe: Recipe, lock: Lock, project: Project) -> tuple[int, int, list[str]]:
    """Inputs that the store lacks: number and bytes of those to fetch, names of those that a person brings."""
    from portside.doctor.lacking import take_inventory
    from portside.fetch.manual import manual_inputs, missing

    files = missing(manual_inputs(recipe, lock), lock, project.store, project.config)
    manual = sorted({file.file for file in files if file.url is None})
    lacking = take_inventory(recipe, lock, project.config).missing
    fetch = [file for file in lacking if file.brought is None or file.brought.file not in manual]
    return len(fetch), sum(file.size or 0 for file in fetch), manual


def overview_lines(rows: list[dict[str, Any]]) -> list[str]:
    lines = []
    for row in rows:
        lines += [row["name"], *(f"    {line}" for line in _state_lines(row))]
    return lines or ["no recipes: write one to recipes/NAME.yaml (docs/recipe.md)"]


def _state_lines(row: dict[str, Any]) -> Iterator[str]:
    if row["description"]:
        yield row["description"]
    command = f"invoke lock --recipe {row['name']}"
    if row["error"]:
        yield from f"error: {row['error']}".splitlines()
    elif row["lock"] == "none":
        yield f"not locked: {command}"
    elif row["lock"] == "stale":
        yield f"locked for another version of the recipe: {command}"
    elif not row["to_build"]:
        yield "locked, built"
    else:
        yield f"locked, to build: {', '.join(row['to_build'])}"
        if row["to_fetch"]:
            yield f"to fetch: {row['to_fetch']} file(s), {human_bytes(row['fetch_bytes'])}"
        if row["to_bring"]:
            yield f"a person brings: {', '.join(row['to_bring'])} (invoke doctor --recipe {row['name']})"
    if row["behind"]:
        yield f"its lock is older than one below it: {command}"
