"""The task `build`: one recipe, or many over one graph."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from invoke.context import Context

from portside.cli.chosen import CHOICE, Chosen, choose, end
from portside.cli.task import BUILDER, ENGINE, JSON, LAYER, check_layer, number, portside_task, project, show
from portside.errors import RecipeError

if TYPE_CHECKING:
    from portside.build.many import Wish
    from portside.build.whole import BuildReport
    from portside.engines import Builder
    from portside.plan.model import Plan
    from portside.project import Project
    from portside.share.publish import Publishing

NO_PULL = "ask no registry for layers that somebody else has built"


@portside_task(
    iterable=["recipe"],
    help=CHOICE
    | {
        "layer": f"the last layer to build: {LAYER}; default: weights",
        "offline": "use only what is on this machine",
        "no-cache": "build every layer again, and read the whole base",
        "no-pull": NO_PULL,
        "no-load": "leave the images in the store: the engine does not get them",
        "load-all": "load the images of the layers below into the engine, too",
        "push": "push each layer as soon as it is there, and each image, as RECIPE in its registry",
        "jobs": "how many steps each engine and builder executes at once; default: as many as processors, 2 to 4",
        "dry-run": "build nothing: say what would be made of what, where, and what room it takes",
        "engine": ENGINE,
        "builder": BUILDER,
        "json": JSON,
    },
)
def build(
    c: Context,
    recipe: list[str],
    all: bool = False,
    changed_since: str | None = None,
    layer: str = "weights",
    offline: bool = False,
    no_cache: bool = False,
    no_pull: bool = False,
    no_load: bool = False,
    load_all: bool = False,
    push: bool = False,
    jobs: str | None = None,
    dry_run: bool = False,
    engine: str | None = None,
    builder: str | None = None,
    json: bool = False,
) -> None:
    """Build the layers of recipes; locks and fetches by itself what is missing.

    What several recipes have in common is made once, and what fails ends only what depends on it. The engine gets the
    image of the last layer; those below it when something needs them, or with --load-all.

    Example: invoke build --recipe minilm
    """
    from portside.build.many import Wish, build_all
    from portside.cli.report.executed import builders_of
    from portside.fetch.fetcher import Fetcher
    from portside.prepare import plans_to_build

    check_layer(layer)
    at_once = None if jobs is None else number(jobs, "jobs")
    _check_options(layer, offline, push, at_once)
    p = project()
    chosen = choose(p, recipe, all, changed_since)
    with ExitStack() as stack:
        publisher = stack.enter_context(publishing(p, chosen)) if push else None
        builders = builders_of(p.config, builder)
        running = None if no_load and not builders.engine_builds else p.engine(engine)
        if dry_run:
            from portside.cli.plan_tasks import show_graph

            show_graph(p, chosen, running, builders, [] if offline or no_pull else None, last=layer, json=json)
            return
        plans, failed = plans_to_build(p, chosen.recipes, offline=offline, last=layer)
        wish = Wish(
            last=layer,
            no_cache=no_cache,
            registries={} if offline or no_pull else {item.name: p.registries(item) for item in chosen.recipes},
            load=not no_load,
            load_all=load_all,
            jobs=at_once,
            builders=builders,
            publisher=publisher,
        )
        if chosen.is_one:
            for error in failed.values():
                raise error
        report = build_all(plans, p.store, Fetcher(p.store, p.config, offline), running, wish)
        report.failed = failed | report.failed
    if chosen.is_one:
        _tell_one(p, plans, report, wish, running, json)
    else:
        _tell_many(p, plans, report, wish, json)
        end(report.failed, len(chosen.recipes))


def _check_options(layer: str, offline: bool, push: bool, jobs: int | None) -> None:
    """Raises RecipeError for options that do not go together."""
    if jobs == 0:
        raise RecipeError("--jobs: nothing is built by 0 at once", "Give 1 or more.")
    if push and offline:
        raise RecipeError("--push and --offline do not go together", "Push later: invoke push --recipe NAME")
    if push and layer != "weights":
        raise RecipeError("--push pushes finished images", "Leave --layer out.")


def publishing(project: "Project", chosen: Chosen, compression: str = "none") -> "Publishing":
    """Where the images of these recipes go. Raises RecipeError where one of them has no registry."""
    from portside.common.compression import check_compression
    from portside.registry.reference import Reference, parse_reference, parse_repository
    from portside.share.publish import Publishing

    references: dict[str, Reference] = {
        item.name: parse_reference(item.name, project.home_registry(item)) for item in chosen.recipes
    }
    others = dict.fromkeys(text for item in chosen.recipes for text in project.registries(item))
    kind = check_compression(compression)
    return Publishing(project.store, references, compression=kind, others=[parse_repository(text) for text in others])


def _tell_one(
    project: "Project",
    plans: "Sequence[Plan]",
    report: "BuildReport",
    wish: "Wish",
    engine: "Builder | None",
    json: bool,
) -> None:
    from portside.cli.report.image import built_lines, image_report, not_loaded
    from portside.common.progress import say
    from portside.image.pointers import what_is_left

    for error in report.failed.values():
        raise error
    [plan] = plans
    built = report.built[plan.recipe.name]
    found = image_report(plan, project.store, wish.last)
    for line in [*built_lines(built), *what_is_left(plan, project.store)]:
        say(line)
    say(f"{plan.recipe.name} is {found['image_id']}")
    if engine is not None and wish.load and not wish.load_all and len(built) > 1:
        say(not_loaded(plan.recipe.name, built, engine.name))
    if json:
        show(found)


def _tell_many(project: "Project", plans: "Sequence[Plan]", report: "BuildReport", wish: "Wish", json: bool) -> None:
    from portside.cli.report.many import many_lines, many_report
    from portside.common.progress import say
    from portside.image.pointers import what_is_left

    for plan in plans:
        for line in what_is_left(plan, project.store) if plan.recipe.name in report.built else ():
            say(f"{plan.recipe.name}: {line}")
    for line in many_lines(report):
        say(line)
    if json:
        show(many_report(plans, report, project.store, wish.last))
