"""The tasks: they parse arguments, call the library and print. `invoke --list`, `invoke help TASK`.

A project's tasks.py is one line: `from portside.cli.tasks import *`. The command `portside` needs none.
"""

import shlex
from contextlib import suppress
from pathlib import Path

from invoke.context import Context
from invoke.exceptions import Exit

from portside.cli.begin_tasks import init, setup  # noqa: F401
from portside.cli.build_tasks import build  # noqa: F401
from portside.cli.container_tasks import check, run_container  # noqa: F401
from portside.cli.develop_tasks import capture, develop, patch  # noqa: F401
from portside.cli.draft_tasks import new  # noqa: F401
from portside.cli.image_tasks import bundle, clean, diff, load, pull, push, save, unbundle, verify  # noqa: F401
from portside.cli.lock_tasks import lock  # noqa: F401
from portside.cli.plan_tasks import plan  # noqa: F401
from portside.cli.root import is_own_checkout, tasks_folder
from portside.cli.task import (
    ENGINE,
    JSON,
    RECIPE,
    machine,
    portside_task,
    project,
    show,
    tell,
)


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
        tell(inspect_lines(report))


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
        tell(to_lines(report, Path(output)))


@portside_task(
    help={
        "recipe": f"{RECIPE}; default: only the machine",
        "all": "all recipes: which can be built, and the room that building all of them takes",
        "host": "look at another machine's cards: a file of --describe, or like:8xmlu370",
        "describe": "write a file that says what this machine has of cards, for --host elsewhere",
        "engine": ENGINE,
        "json": JSON,
    }
)
def doctor(
    c: Context,
    recipe: str | None = None,
    all: bool = False,
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

    if all and (recipe or host or describe):
        raise RecipeError("--all goes with no recipe and no other machine", "Say one of them.")
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
    if all:
        from portside.doctor.all_recipes import examine_all
        from portside.errors import EngineError

        running = None
        with suppress(EngineError):  # the machine's findings say why there is none
            running = p.engine(engine)
        findings += examine_all(project(), running)
    if json:
        show(to_json(findings))
    else:
        tell(to_lines(findings))
    if code := exit_code(findings):
        raise Exit(code=code)


@portside_task(
    help={
        "accelerator": "which cards: a name of docs/accelerators.md, or of the project's accelerators/",
        "output": "the file, in /etc/cdi or /var/run/cdi for engines to find it; default: stdout",
        "host": "another machine's cards: a file of `doctor --describe`, or like:8xmlu370",
    }
)
def cdi(c: Context, accelerator: str, output: str | None = None, host: str | None = None) -> None:
    """Write a specification of the Container Device Interface for this machine's cards.

    Example: invoke cdi --accelerator mlu370 --output /etc/cdi/cambricon-mlu.json
    """
    from portside.accelerators import for_host, load_accelerator
    from portside.accelerators.described import described_host
    from portside.doctor.cdi_file import cdi_text, write_cdi
    from portside.runtime import Host

    p = machine()
    on = Host.here() if host is None else described_host(host, Host.here(), p.root)
    known = for_host(load_accelerator(accelerator, root=p.root), on)
    if output is None:
        print(cdi_text(known, on), end="")
    else:
        write_cdi(known, on, Path(output))


if is_own_checkout(tasks_folder()):
    from portside.cli.own_tests import test  # noqa: F401
