"""Reports for people and as JSON: recipes, plans, what changed in a lock."""

from collections.abc import Iterator, Sequence
from typing import Any

from portside.errors import PortsideError
from portside.lock.file import differences, read_lock
from portside.lock.models import Lock
from portside.plan import Plan, plan, states
from portside.progress import human_bytes
from portside.project import Project
from portside.recipe import Recipe, find_recipes
from portside.store import Store


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
            row["lock"] = "stale" if differences(recipe, lock) else "current"
        if lock is not None and row["lock"] == "current":
            layers = (state.part.layer for state in states(plan(recipe, lock), project.store) if state.blob is None)
            row["to_build"] = list(dict.fromkeys(layers))
            row["behind"] = project.behind(recipe, lock)
        if lock is not None and row["to_build"]:
            row["to_fetch"], row["fetch_bytes"], row["to_bring"] = _lacking(recipe, lock, project)
    except PortsideError as error:
        row["error"] = error.problem
    return row


def _lacking(recipe: Recipe, lock: Lock, project: Project) -> tuple[int, int, list[str]]:
    """Inputs that the store lacks: number and bytes of those to fetch, names of those that a person brings."""
    from portside.doctor.inputs import take_inventory
    from portside.manual import manual_inputs, missing

    files = missing(manual_inputs(recipe, lock), lock, project.store, project.config)
    manual = sorted({file.file for file in files if file.url is None})
    fetch = [file for file in take_inventory(recipe, lock, project.config).missing if file.name not in manual]
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


def plan_report(made: Plan, store: Store, registries: Sequence[str] = ()) -> dict[str, Any]:
    """state of a part: cached, pull or build; of a layer: cached, or what its other parts are.

    registries: repositories that are asked for layers that are not cached. A layer's `from` is the one that has it,
    `refused` says why the others that answered otherwise cannot give it.
    """
    from portside.registry.layers import Registries

    found = {state.part.key: state for state in states(made, store)}
    layers = []
    with Registries(registries) as known:
        for layer in made.layers:
            offer = known.offer(layer) if any(found[part.key].blob is None for part in layer.parts) else None
            otherwise = "pull" if offer and offer.source else "build"
            parts = [
                {
                    "name": part.name,
                    "key": part.key,
                    "state": "cached" if found[part.key].blob else otherwise,
                    "reasons": list(found[part.key].reasons),
                }
                for part in layer.parts
            ]
            row: dict[str, Any] = {"name": layer.name, "key": layer.key, "state": otherwise if offer else "cached"}
            row |= {"from": offer.source if offer else None, "refused": list(offer.refused) if offer else []}
            layers.append(row | {"parts": parts})
    return {"recipe": made.recipe.name, "layers": layers}


def plan_lines(report: dict[str, Any]) -> list[str]:
    lines = []
    for layer in report["layers"]:
        source = f" from {layer['from']}" if layer["from"] else ""
        lines.append(f"{layer['name']:9} {layer['key'][:12]}  {layer['state']}{source}")
        lines += [f"    not from a registry: {reason}" for reason in layer["refused"]]
        for part in layer["parts"]:
            if part["state"] != "cached":
                lines.append(f"    {part['name']}: {'; '.join(_few(part['reasons']))}")
    return lines


def _few(reasons: list[str], most: int = 5) -> list[str]:
    return reasons if len(reasons) <= most else [*reasons[:most], f"and {len(reasons) - most} more"]


def inspect_lines(report: dict[str, Any]) -> list[str]:
    lines = [f"{report['recipe']}  {report['image_id']}"]
    for layer in report["layers"]:
        lines.append(
            f"{layer['name']:9} {human_bytes(layer['bytes']):>10}  key {layer['key'][:12]}  {layer['image_id']}"
        )
        lines += [f"    {diff_id}" for diff_id in layer["diff_ids"]]
    return lines


def lock_changes(old: Lock | None, new: Lock) -> list[str]:
    """One line per input that came, went, or changed its version or its bytes."""
    before, after = dict(_inputs(old)) if old else {}, dict(_inputs(new))
    if old is None:
        return [f"{len(after)} inputs"]
    none = ("none", None)
    lines = []
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name, none), after.get(name, none)
        if was != now:
            told = now[0] if was[0] != now[0] else f"{now[0]} with sha256 {now[1] or 'unknown'}"
            lines.append(f"{name}: {was[0]} -> {told}")
    return lines


def _inputs(lock: Lock) -> Iterator[tuple[str, tuple[str, str | None]]]:
    """Every input's name, with its version or what else tells it, and its sha256."""
    if lock.base.kind == "archive":
        yield f"base {lock.base.file}", (lock.base.sha256 or "unknown", lock.base.sha256)
    for deb in (*lock.base.debs, *lock.env.debs):
        yield f"deb {deb.name}", (deb.version, deb.sha256)
    for packages in lock.env.sets:
        if packages.python is not None:
            for wheel in packages.python.wheels:
                yield f"wheel {wheel.name}", (wheel.version, wheel.sha256)
            for brought in packages.python.manual:
                yield f"wheel {brought.name}", (brought.version, brought.sha256)
    for name, source in lock.sources.items():
        if source.kind == "sdist":
            yield f"source {name}", (source.sdist.file, source.sdist.sha256)
        else:
            yield f"source {name}", (source.commit, source.tree)
    for name, weights in lock.weights.items():
        for file in weights.files:
            yield f"weights {name}/{file.path}", (file.sha256 or "unknown", file.sha256)
    for name, data in lock.data.items():
        yield f"data {name}", (data.sha256 or "unknown", data.sha256)
