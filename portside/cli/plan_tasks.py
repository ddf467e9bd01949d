"""The task `plan`, and `build --dry-run`: what there is, and what would be done."""

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from invoke.context import Context

from portside.cli.chosen import CHOICE, Chosen, choose, each, end, failures
from portside.cli.task import BUILDER, ENGINE, JSON, portside_task, project, show, tell

if TYPE_CHECKING:
    from portside.build.choose_places import Builders
    from portside.engines import Builder
    from portside.project import Project
    from portside.recipe import Recipe

NO_PULL = "ask no registry for layers that somebody else has built"


@portside_task(
    iterable=["recipe"], help=CHOICE | {"no-pull": NO_PULL, "engine": ENGINE, "builder": BUILDER, "json": JSON}
)
def plan(
    c: Context,
    recipe: list[str],
    all: bool = False,
    changed_since: str | None = None,
    no_pull: bool = False,
    engine: str | None = None,
    builder: str | None = None,
    json: bool = False,
) -> None:
    """Each layer: its key, whether it is cached, can be pulled or has to be built, and why.

    What is to be executed is shown with the place that it goes to, if that is free. The last line says what the engine
    lacks and what is free there, if one answers. Of several recipes it also says which parts they share.

    Example: invoke plan --recipe minilm
    """
    from portside.cli.report.executed import builders_of
    from portside.errors import EngineError

    p = project()
    chosen = choose(p, recipe, all, changed_since)
    running: Builder | None = None
    try:
        running = p.engine(engine)
    except EngineError:
        if engine:  # asked for; else a plan needs none
            raise
    builders = builders_of(p.config, builder)
    if chosen.is_one:
        _plan_one(p, chosen.recipes[0], running, builders, no_pull, json)
    else:
        show_graph(p, chosen, running, builders, [] if no_pull else None, json=json, each_layer=True)


def _plan_one(
    p: "Project", loaded: "Recipe", running: "Builder | None", builders: "Builders", no_pull: bool, json: bool
) -> None:
    from portside.build.space import engine_needs
    from portside.cli.report.executed import add_places
    from portside.cli.report.plan import plan_lines, plan_report
    from portside.image.pointers import what_is_left
    from portside.prepare import locked_plan, say_behind

    made = locked_plan(p, loaded)
    say_behind(made)
    report = plan_report(made, p.store, [] if no_pull else p.registries(loaded))
    report["engine"] = None
    lines = plan_lines(report)
    if running is not None:
        needs = engine_needs([made], p.store, running)
        report["engine"] = {"name": running.name, **needs.report()}
        lines.append(needs.line(running.name))
    lines += add_places(report, made, builders, running)
    if json:
        show(report)
    else:
        tell([*lines, *what_is_left(made, p.store)])


def show_graph(
    p: "Project",
    chosen: Chosen,
    running: "Builder | None",
    builders: "Builders",
    registries: "Sequence[str] | None",
    *,
    last: str = "weights",
    json: bool = False,
    each_layer: bool = False,
) -> None:
    """What building these recipes would do, and the room that it takes. registries: that are asked; default: those of
    each recipe. each_layer: also a report on the layers of each. Raises an error that tells of each that has no plan.
    """
    from portside.build.engine_runs import EngineRuns
    from portside.build.graph import Graph
    from portside.build.run_places import RunPlace
    from portside.build.space import engine_needs, store_needs
    from portside.cli.report.graph import graph_lines, graph_report, room_line
    from portside.cli.report.plan import plan_lines, plan_report
    from portside.fetch.fetcher import Fetcher
    from portside.prepare import locked_plan, say_behind

    asked: dict[str, Sequence[str]] = {
        item.name: p.registries(item) if registries is None else registries for item in chosen.recipes
    }
    plans, failed = each(chosen, lambda item: locked_plan(p, item), quiet=True)
    made = list(plans.values())
    places: list[RunPlace] = [*builders.open(start=False)]
    if running is not None and builders.engine_builds:
        places.append(EngineRuns(running, p.store.home))
    report = graph_report(made, p.store, asked, places, last)
    lines = graph_lines(report)
    if each_layer:
        layers = {}
        for name, one in plans.items():
            say_behind(one)
            layers[name] = plan_report(one, p.store, asked[name])
            lines += [name, *(f"  {line}" for line in plan_lines(layers[name]))]
        report["layers"] = layers
    build = [row["key"] for row in report["parts"]]
    needed = store_needs(Graph.of(made, last), build, Fetcher(p.store, p.config))
    free = shutil.disk_usage(p.store.home).free
    report |= {"store": {"room": needed, "free": free}, "engine": None, "failed": failures(failed)}
    lines.append(room_line(needed, free))
    if running is not None:
        needs = engine_needs(made, p.store, running, last=last)
        report["engine"] = {"name": running.name, **needs.report()}
        lines.append(needs.line(running.name))
    if json:
        show(report)
    else:
        tell(lines)
    end(failed, len(chosen.recipes))
