"""Reports for people and as JSON: recipes, plans, what changed in a lock."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portside.errors import PortsideError
from portside.lock.file import differences, read_lock
from portside.lock.models import Lock
from portside.plan import Plan, plan, states
from portside.progress import human_bytes
from portside.project import Project
from portside.recipe import find_recipes
from portside.store import Store

if TYPE_CHECKING:
    from portside.migrate.report import Report


def overview(project: Project) -> list[dict[str, Any]]:
    """One row per recipe: name, description, lock (current, stale, none), layers still to build, or its error."""
    return [_recipe_row(project, name) for name in find_recipes(project.root)]


def _recipe_row(project: Project, name: str) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "description": "", "lock": "none", "to_build": None, "error": None}
    try:
        recipe = project.recipe(name)
        row["description"] = recipe.model.description
        lock = read_lock(recipe.lock_path)
        if lock is not None:
            row["lock"] = "stale" if differences(recipe, lock) else "current"
        if lock is not None and row["lock"] == "current":
            layers = (state.part.layer for state in states(plan(recipe, lock), project.store) if state.blob is None)
            row["to_build"] = list(dict.fromkeys(layers))
    except PortsideError as error:
        row["error"] = error.problem
    return row


def overview_lines(rows: list[dict[str, Any]]) -> list[str]:
    lines = []
    for row in rows:
        if row["error"]:
            state = f"error: {row['error']}"
        elif row["lock"] == "none":
            state = "not locked"
        elif row["lock"] == "stale":
            state = "the lock belongs to another version of the recipe"
        else:
            state = "to build: " + ", ".join(row["to_build"]) if row["to_build"] else "built"
        lines += [row["name"], f"    {row['description']}", f"    {state}"]
    return lines or ["no recipes: write one to recipes/NAME.yaml (docs/recipe.md)"]


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


def migration_lines(report: "Report", output: Path) -> list[str]:
    counts = report.counts()
    lines = [
        f"{counts['edits']} edits in {counts['files_edited']} of {counts['python_files']} Python files, "
        f"{counts['kept']} places kept, {counts['unsupported']} unsupported, {counts['needs-person']} for a person"
    ]
    lines += [f"  unsupported: {path}:{hit.line}: {hit.name}" for path, hit in report.unaccepted({})]
    return [*lines, f"Written to {output}; open {output / 'report.html'} to review it"]


def lock_changes(old: Lock | None, new: Lock) -> list[str]:
    """One line per input that came, went or changed its version."""
    before, after = dict(_versions(old)) if old else {}, dict(_versions(new))
    if old is None:
        return [f"{len(after)} inputs"]
    lines = []
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            lines.append(f"{name}: {before.get(name, 'none')} -> {after.get(name, 'none')}")
    return lines


def _versions(lock: Lock) -> Iterator[tuple[str, str]]:
    for deb in (*lock.base.debs, *lock.env.debs):
        yield f"deb {deb.name}", deb.version
    for wheel in lock.env.python.wheels if lock.env.python else ():
        yield f"wheel {wheel.name}", wheel.version
    for name, source in lock.sources.items():
        yield f"source {name}", source.sdist.file if source.kind == "sdist" else source.commit
    for name, weights in lock.weights.items():
        for file in weights.files:
            yield f"weights {name}/{file.path}", file.sha256 or "unknown"
