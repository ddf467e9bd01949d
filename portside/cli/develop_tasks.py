"""The tasks of the porting loop: edit a recipe's code where it runs, and make the recipe of what was edited."""

from pathlib import Path

from invoke.context import Context
from invoke.exceptions import Exit

from portside.cli.task import ENGINE, JSON, RECIPE, number, portside_task, project, show, tell, usage_error


@portside_task(
    iterable=["mount", "port", "env"],
    help={
        "recipe": RECIPE,
        "target": "the run target whose devices, data sets, ports and rights the container has",
        "command": "a shell line to run in it; default: a shell",
        "watch": "a run target to run, which starts again whenever code changes",
        "folder": "where the code is laid out; default: work/RECIPE",
        "devices": "cards: 0,1 or 0-3 or all or none; default: as many as the target needs",
        "network": "none (default), bridge, host or a network's name; what is installed from there is noted",
        "mount": "HOST:CONTAINER or HOST:CONTAINER:ro; may be repeated",
        "port": "HOST:CONTAINER, or NAME=HOST for a named port of the target; may be repeated",
        "env": "NAME=VALUE; may be repeated",
        "name": "the container's name; default: portside-RECIPE-USER-develop",
        "sources": "lay out the sources that are migrated, too: what is saved there is migrated at once",
        "reset": "let folder and container be as the recipe says; what lay there stays in the folder's git",
        "recreate": "begin a new container; the folder stays as it is",
        "layout-only": "lay the code out and start nothing",
        "stop-timeout": "seconds that a watched target has to end before it starts again; default: 10",
        "engine": ENGINE,
    },
)
def develop(
    c: Context,
    recipe: str,
    mount: list[str],
    port: list[str],
    env: list[str],
    target: str | None = None,
    command: str | None = None,
    watch: str | None = None,
    folder: str | None = None,
    devices: str | None = None,
    network: str | None = None,
    name: str | None = None,
    sources: bool = False,
    reset: bool = False,
    recreate: bool = False,
    layout_only: bool = False,
    stop_timeout: str | None = None,
    engine: str | None = None,
) -> None:
    """Edit a recipe's code on this machine, and run it in its container without a build; see develop.md.

    Example: invoke develop --recipe yolact --watch image
    """
    from portside.develop import Wanted
    from portside.develop import develop as start

    p = project()
    wanted = Wanted(
        target=target,
        command=command,
        watched=watch,
        devices=devices,
        folder=folder,
        network=network,
        ports=tuple(port),
        env=tuple(env),
        mounts=tuple(mount),
        name=name,
        sources=sources,
        reset=reset,
        recreate=recreate,
        layout_only=layout_only,
        stop_seconds=None if stop_timeout is None else number(stop_timeout, "stop-timeout"),
    )
    if code := start(p, recipe, wanted, lambda: p.engine(engine)):
        raise Exit(code=code)


@portside_task(
    help={
        "recipe": RECIPE,
        "folder": "the working folder; default: work/RECIPE",
        "take-offers": "change earlier steps whose lines were edited, and say what repeats in one step",
        "target": "make a run target of this name of what was run last in the container",
        "no-packages": "do not look what pip and apt installed in the container",
        "engine": ENGINE,
        "leave-out": "take what a recipe can say, although something was edited that it cannot",
        "dry-run": "say what would be written, and write nothing",
        "json": JSON,
    }
)
def capture(
    c: Context,
    recipe: str,
    folder: str | None = None,
    target: str | None = None,
    take_offers: bool = False,
    leave_out: bool = False,
    no_packages: bool = False,
    dry_run: bool = False,
    engine: str | None = None,
    json: bool = False,
) -> None:
    """Make the recipe give what was edited in its working folder; see develop.md.

    Example: invoke capture --recipe yolact --dry-run
    """
    from portside.capture import capture as take
    from portside.cli.report.captured import captured_lines, captured_report

    p = project()
    made = take(
        p,
        recipe,
        folder,
        dry_run=dry_run,
        leave_out=leave_out,
        take_offers=take_offers,
        target=target,
        engine_of=None if no_packages else lambda: p.engine(engine),
    )
    if json:
        show(captured_report(made, dry_run))
    else:
        tell(captured_lines(made, dry_run))


@portside_task(
    help={
        "recipe": RECIPE,
        "rebase": "let the recipe's own steps follow its lock: a three-way merge of what each of them did",
        "old-lock": "file with the lock that the steps were written for; default: the newest in git with other sources",
        "dry-run": "say what would become of each step, and write nothing",
        "json": JSON,
    }
)
def patch(
    c: Context,
    recipe: str,
    rebase: bool = False,
    old_lock: str | None = None,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Let patch steps follow when upstream has moved: each stays, gets another count, becomes a diff, or goes.

    Example: invoke patch --recipe yolact --rebase
    """
    from portside.capture.rebase import rebase as follow
    from portside.cli.report.captured import rebased_lines, rebased_report
    from portside.errors import MigrationError

    if not rebase:
        usage_error("patch needs --rebase", "Example: invoke patch --recipe yolact --rebase")
    done = follow(project(), recipe, Path(old_lock) if old_lock else None, dry_run=dry_run)
    if json:
        show(rebased_report(recipe, done, dry_run))
    else:
        tell(rebased_lines(recipe, done, dry_run))
    if done and done[-1].what == "conflict":
        raise Exit(code=MigrationError.exit_code)
