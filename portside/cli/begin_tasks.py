"""The tasks that a person begins with, before there is a project."""

import shlex
from pathlib import Path

from invoke.context import Context
from invoke.exceptions import Exit

from portside.cli.task import machine, portside_task, usage_error


@portside_task(
    positional=["folder"],
    help={
        "folder": "where: a folder, new or not, in which nothing is overwritten",
        "example": "a recipe that comes with Portside, such as minilm or chatglm, in place of a small first one",
    },
)
def init(c: Context, folder: str, example: str | None = None) -> None:
    """Make a project of your own: a recipe, settings, CI for GitHub and GitLab; with --example also add to one.

    Example: invoke init mymodels --example minilm
    """
    from portside.begin import make_project
    from portside.common.progress import say

    if folder.startswith("-"):
        usage_error(f"init has no option {folder}", "All options: invoke --help init")
    made = make_project(Path(folder), example)
    for path in made.written:
        say(f"  {Path(folder) / path}")
    if not made.written:
        say(f"{folder} has all of it already")
    enter = f"cd {shlex.quote(folder)} && " if Path(folder).resolve() != Path.cwd() else ""
    say(f"Build it: {enter}invoke build --recipe {made.recipe}")


@portside_task(help={"dry-run": "only print the commands that root would have to run"})
def setup(c: Context, dry_run: bool = False) -> None:
    """Make this machine ready to build: install and start an engine, mmdebstrap and git, where they are missing.

    On Debian and Ubuntu, as root or with sudo; anybody else is told what to have run.

    Example: invoke setup
    """
    from portside.begin import set_up_machine

    if code := set_up_machine(machine().config.engine, dry_run):
        raise Exit(code=code)
