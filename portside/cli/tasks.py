"""The tasks: they parse arguments, call the library and print. `invoke --list`, `invoke help TASK`.

A project's tasks.py is one line: `from portside.cli.tasks import *`. The command `portside` needs none.
"""

import shlex
from pathlib import Path

from invoke.context import Context
from invoke.exceptions import Exit

from portside.cli.begin_tasks import init, setup  # noqa: F401
from portside.cli.container_tasks import check, run_container  # noqa: F401
from portside.cli.develop_tasks import capture, develop, patch  # noqa: F401
from portside.cli.image_tasks import bundle, clean, diff, load, pull, push, save, unbundle, verify  # noqa: F401
from portside.cli.lock_tasks import lock  # noqa: F401
from portside.cli.root import is_own_checkout, tasks_folder
from portside.cli.task import (
    BUILDER,
    ENGINE,
    JSON,
    LAYER,
    RECIPE,
    check_layer,
    machine,
    portside_task,
    project,
    show,
    tell,
)

NO_PULL = "ask no registry for layers that somebody else has built"


@portside_task(help={"json": JSON})
def recipes(c: Context, json: bool = False) -> None:
    """All recipes: locked, built, what is missing.

    Example: invoke recipes
    """
    from portside.cli.report.recipes import overview, overview_lines

    rows = overview(project())
    if json:
        show({"recipes": rows})
    else:
        tell(overview_lines(rows))


@portside_task(help={"recipe": RECIPE})
def fetch(c: Context, recipe: str) -> None:
    """Bring every input into the store, verified.

    Example: invoke fetch --recipe minilm
    """
    from portside.common.progress import human_bytes, live, say
    from portside.doctor.lacking import take_inventory
    from portside.fetch.fetcher import Fetcher
    from portside.fetch.fetcher import fetch as fetch_all
    from portside.prepare import lock_pin_and_plan

    p = project()
    plan_ = lock_pin_and_plan(p, p.recipe(recipe))
    lacking = [file for file in take_inventory(plan_.recipe, plan_.lock, p.config).missing if file.size is not None]
    if lacking:
        say(f"To bring: {len(lacking)} file(s), {human_bytes(sum(file.size or 0 for file in lacking))}")
    with live():
        fetch_all(plan_, Fetcher(p.store, p.config))
    say(f"All inputs of {recipe} are in the store at {p.config.home}")


@portside_task(help={"recipe": RECIPE, "no-pull": NO_PULL, "engine": ENGINE, "builder": BUILDER, "json": JSON})
def plan(
    c: Context,
    recipe: str,
    no_pull: bool = False,
    engine: str | None = None,
    builder: str | None = None,
    json: bool = False,
) -> None:
    """Each layer: its key, whether it is cached, can be pulled or has to be built, and why.

    What is to be executed is shown with the place that it goes to, if that is free. The last line says what the engine
    lacks and what is free there, if one answers.

    Example: invoke plan --recipe minilm
    """
    from portside.build.space import engine_needs
    from portside.cli.report.executed import add_places, builders_of
    from portside.cli.report.plan import plan_lines, plan_report
    from portside.errors import EngineError
    from portside.image.pointers import what_is_left
    from portside.prepare import locked_plan, say_behind

    p = project()
    loaded = p.recipe(recipe)
    made = locked_plan(p, loaded)
    say_behind(made)
    report = plan_report(made, p.store, [] if no_pull else p.registries(loaded))
    report["engine"] = None
    running = None
    lines = plan_lines(report)
    try:
        running = p.engine(engine)
        needs = engine_needs([made], p.store, running)
    except EngineError:
        if engine:  # asked for; else a plan needs none
            raise
    else:
        report["engine"] = {"name": running.name, **needs.report()}
        lines.append(needs.line(running.name))
    lines += add_places(report, made, builders_of(p.config, builder), running)
    if json:
        show(report)
    else:
        print("\n".join([*lines, *what_is_left(made, p.store)]))


@portside_task(
    help={
        "recipe": RECIPE,
        "output": "a new or empty folder; default: build/RECIPE",
        "link": "COPY --link, for BuildKit of Docker 23 and newer",
    }
)
def render(c: Context, recipe: str, output: str | None = None, link: bool = False) -> None:
    """A Dockerfile and contexts that a plain `docker build DIR` or `podman build DIR` accepts.

    Example: invoke render --recipe minilm --output minilm-docker
    """
    from portside.build.render import LINK_NOTE, check_converted, check_output
    from portside.build.render import render as render_to
    from portside.common.progress import live, say
    from portside.fetch.fetcher import Fetcher
    from portside.fetch.fetcher import fetch as fetch_all
    from portside.fetch.manual import missing_text
    from portside.prepare import lacking, lock_pin_and_plan

    p = project()
    loaded = p.recipe(recipe)
    folder = Path(output) if output else p.root / "build" / recipe
    check_output(folder)
    plan_ = lock_pin_and_plan(p, loaded, lenient=True)
    check_converted(plan_, p.store)
    with live():
        fetch_all(plan_, Fetcher(p.store, p.config, lenient=True))
    render_to(plan_, p.store, folder, link=link)
    if lacked := lacking(p, plan_):
        say(f"{missing_text(loaded, lacked)}\nThe contexts lack them; with them: invoke render --recipe {recipe}")
    if link:
        say(LINK_NOTE)
    say(
        f"Rendered to {folder}: DOCKER_BUILDKIT=1 docker build --network none --tag {recipe} {shlex.quote(str(folder))}"
    )


@portside_task(
    help={
        "recipe": RECIPE,
        "layer": f"the last layer to build: {LAYER}; default: weights",
        "offline": "use only what is on this machine",
        "no-cache": "build every layer again, and read the whole base",
        "no-pull": NO_PULL,
        "no-load": "leave the images in the store: the engine does not get them",
        "load-all": "load the images of the layers below into the engine, too",
        "engine": ENGINE,
        "builder": BUILDER,
        "json": JSON,
    }
)
def build(
    c: Context,
    recipe: str,
    layer: str = "weights",
    offline: bool = False,
    no_cache: bool = False,
    no_pull: bool = False,
    no_load: bool = False,
    load_all: bool = False,
    engine: str | None = None,
    builder: str | None = None,
    json: bool = False,
) -> None:
    """Build the layers of a recipe; locks and fetches by itself what is missing.

    The engine gets the image of the last layer; those below it when something needs them, or with --load-all.

    Example: invoke build --recipe minilm
    """
    from portside.build.many import build as build_all
    from portside.cli.report.executed import builders_of
    from portside.cli.report.image import built_lines, image_report, not_loaded
    from portside.common.progress import say
    from portside.fetch.fetcher import Fetcher
    from portside.image.pointers import what_is_left
    from portside.prepare import lock_pin_and_plan

    check_layer(layer)
    p = project()
    loaded = p.recipe(recipe)
    builders = builders_of(p.config, builder)
    running = None if no_load and not builders.engine_builds else p.engine(engine)
    plan_ = lock_pin_and_plan(p, loaded, offline=offline, last=layer, pulling=True)
    registries = [] if offline or no_pull else p.registries(loaded)
    fetcher = Fetcher(p.store, p.config, offline)
    built = build_all(
        plan_,
        p.store,
        fetcher,
        running,
        last=layer,
        no_cache=no_cache,
        registries=registries,
        load=not no_load,
        load_all=load_all,
        builders=builders,
    )
    report = image_report(plan_, p.store, layer)
    for line in [*built_lines(built), *what_is_left(plan_, p.store)]:
        say(line)
    say(f"{recipe} is {report['image_id']}")
    if running is not None and not (no_load or load_all) and len(built) > 1:
        say(not_loaded(recipe, built, running.name))
    if json:
        show(report)


@portside_task(help={"recipe": RECIPE, "json": JSON})
def inspect(c: Context, recipe: str, json: bool = False) -> None:
    """The layers of a built recipe: key, diff IDs, image ID, sizes; the same on every machine.

    Example: invoke inspect --recipe minilm
    """
    from portside.cli.report.image import image_report, inspect_lines
    from portside.prepare import locked_plan

    p = project()
    report = image_report(locked_plan(p, p.recipe(recipe)), p.store)
    if json:
        show(report)
    else:
        print("\n".join(inspect_lines(report)))


@portside_task(
    help={
        "source": "folder with the code to migrate; it is not changed",
        "ruleset": "mlu (default), npu, musa, xpu, gaudi, rocm, cpu, your own, or a path to a ruleset (.yaml)",
        "framework": "version of the framework whose rules count; default: the ruleset's",
        "output": "a new or empty folder for the migrated tree and its reports",
        "mode": "precise (default; token and import aware) or vendor (as torch_gpu2mlu.py, line by line)",
        "strict": "vendor mode: also CUDA, gpu and GPU",
        "json": JSON,
    }
)
def migrate(
    c: Context,
    source: str,
    output: str,
    ruleset: str = "mlu",
    mode: str = "precise",
    framework: str | None = None,
    strict: bool = False,
    json: bool = False,
) -> None:
    """Rewrite CUDA code for another accelerator, with a report to review.

    Example: invoke migrate --source ChatGLM-6B --ruleset mlu --output ChatGLM-6B_mlu
    """
    from portside.errors import RecipeError
    from portside.migrate.folder import migrate_folder
    from portside.migrate.report import to_lines
    from portside.migrate.rulesets import load as load_ruleset

    if mode == "image":
        raise RecipeError(
            "image mode runs the converter of a base image, so a recipe has to say which",
            "Set migration.mode to image in a recipe; here the modes are precise and vendor.",
        )
    if mode not in ("precise", "vendor"):
        raise RecipeError(f"no mode '{mode}'", "The modes are precise and vendor.")
    rules = load_ruleset(ruleset, {"framework": framework} if framework else None, root=machine().root)
    report = migrate_folder(Path(source), rules, "vendor" if mode == "vendor" else "precise", Path(output), strict)
    if json:
        show({"output": output, "counts": report.counts()})
    else:
        print("\n".join(to_lines(report, Path(output))))


@portside_task(
    help={
        "recipe": f"{RECIPE}; default: only the machine",
        "host": "look at another machine's cards: a file of --describe, or like:8xmlu370",
        "describe": "write a file that says what this machine has of cards, for --host elsewhere",
        "engine": ENGINE,
        "json": JSON,
    }
)
def doctor(
    c: Context,
    recipe: str | None = None,
    host: str | None = None,
    describe: str | None = None,
    engine: str | None = None,
    json: bool = False,
) -> None:
    """Engine, driver, devices, disk, missing inputs: each with its remedy; the exit code is for CI.

    Example: invoke doctor --recipe minilm
    """
    from portside.accelerators.described import described_host
    from portside.doctor import examine, examine_described, exit_code, to_json, to_lines, write_description
    from portside.errors import RecipeError
    from portside.lock.file import read_lock
    from portside.runtime import Host

    p = machine()
    loaded = project().recipe(recipe) if recipe else None
    locked = read_lock(loaded.lock_path) if loaded else None
    here = Host.here()
    if describe is not None:
        if host is not None:
            raise RecipeError("--describe writes what this machine has, and --host is another", "Say one of the two.")
        write_description(here, Path(describe), p.root)
        return
    if host is not None:
        findings = examine_described(described_host(host, here, p.root), loaded, locked, root=p.root)
    else:
        findings = examine(here, p.config, loaded, locked, lambda: p.engine_choice(engine), root=p.root)
    if json:
        show(to_json(findings))
    else:
        tell(to_lines(findings))
    if code := exit_code(findings):
        raise Exit(code=code)


if is_own_checkout(tasks_folder()):
    from portside.cli.own_tests import test  # noqa: F401
