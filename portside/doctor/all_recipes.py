"""All recipes of a project: which cannot be built as they are, and the room that building all of them takes."""

import shutil
from collections.abc import Iterator

from portside.build.graph import Graph
from portside.build.space import engine_needs, store_needs
from portside.common.progress import human_bytes
from portside.doctor.findings import Finding, Status
from portside.engines import Engine
from portside.errors import PortsideError
from portside.fetch.fetcher import Fetcher
from portside.fetch.manual import manual_inputs, missing
from portside.plan.model import Plan
from portside.plan.parts import plan
from portside.plan.states import blob_of
from portside.project import Project
from portside.recipe import find_recipes
from portside.store import files


def examine_all(project: Project, engine: Engine | None) -> Iterator[Finding]:
    """Look at every recipe; no finding stops the next one. engine: that would get the images, None if none answers."""
    plans: list[Plan] = []
    for name in find_recipes(project.root):
        try:
            recipe = project.recipe(name)
            if not recipe.lock_path.exists():
                yield Finding("warning", name, "it has no lock yet", f"invoke lock --recipe {name}")
                continue
            made = plan(recipe, project.lock(recipe))
            lacking = missing(manual_inputs(recipe, made.lock), made.lock, project.store, project.config)
        except PortsideError as error:
            error.name_recipe(name)
            yield Finding("problem", name, error.problem, error.solution)
            continue
        plans.append(made)
        if by_hand := sorted({file.file for file in lacking if file.by_hand}):
            remedy = f"Where to get them, and where to put them: invoke doctor --recipe {name}"
            yield Finding("problem", name, f"a person brings: {', '.join(by_hand)}", remedy)
        else:
            yield Finding("ok", name, "its lock fits, and no file is needed of a person")
    yield from _room(project, plans, engine)


def _room(project: Project, plans: list[Plan], engine: Engine | None) -> Iterator[Finding]:
    """What `build --all` takes where the store is, and where the engine keeps its images."""
    graph = Graph.of(plans)
    lacking = [key for key, item in graph.nodes.items() if blob_of(item.part, project.store) is None]
    needed = store_needs(graph, lacking, Fetcher(project.store, project.config)) + files.RESERVE
    free = shutil.disk_usage(project.store.home).free
    text = f"building all of them takes about {human_bytes(needed)} of {human_bytes(free)} that are free"
    yield _finding("store of all", f"{text}: {len(lacking)} of {len(graph.nodes)} parts", needed <= free)
    if engine is None:
        return
    try:
        needs = engine_needs(plans, project.store, engine)
    except PortsideError as error:
        yield Finding("problem", "engine of all", error.problem, error.solution)
        return
    fits = needs.free is None or needs.room <= needs.free
    yield _finding("engine of all", needs.line(engine.name), fits)


def _finding(subject: str, text: str, fits: bool) -> Finding:
    status: Status = "ok" if fits else "problem"
    remedy = "Free some, run `invoke clean`, or build fewer at once: --recipe A --recipe B"
    return Finding(status, subject, text, None if fits else remedy)
