"""What all tasks share: how errors reach a person, the words of the options, printing."""

import functools
import inspect
import io
import json
import logging
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from invoke.exceptions import Exit
from invoke.tasks import task

from portside.common.called import to_person
from portside.common.os_errors import explained
from portside.common.stopped import StoppedError
from portside.common.url import without_secrets
from portside.errors import PortsideError, RecipeError, did_you_mean

if TYPE_CHECKING:
    from portside.project import Machine, Project

RECIPE = "name of a recipe: recipes/NAME.yaml"
LAYER = "env, sources, migrated or weights"
BUILDER = "a builder of docker buildx for steps, or default: the engine; else BUILDX_BUILDER, portside.toml"
ENGINE = "docker or podman; default: PORTSIDE_ENGINE, portside.toml, docker, podman if no Docker answers"
CHOOSING = ("recipe", "all", "changed_since")
"""The arguments of a task that is for several recipes, of which one has to be given (`portside.cli.chosen`)."""
JSON = "print one JSON object on stdout and nothing else"


def portside_task(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """An invoke task whose expected errors reach a person as text and an exit code, without a traceback.

    Options have long names only: a letter for each would have another meaning in every task. An argument without a
    default has to be given; its docstring says how, in a line `Example: invoke …`.
    """

    def decorate(body: Callable[..., Any]) -> Any:
        needed = required(body)
        chooses = CHOOSING[-1] in inspect.signature(body).parameters

        @functools.wraps(body)
        def run(*args: Any, **kwargs: Any) -> Any:
            try:
                missing = [f"--{name.replace('_', '-')}" for name in needed if kwargs.get(name) is None]
                if chooses and not any(kwargs.get(name) for name in CHOOSING):
                    missing = ["--recipe, --all or --changed-since"]
                if missing:
                    usage_error(f"{body.__name__.replace('_', '-')} needs {' and '.join(missing)}", _hint(body))
                result = body(*args, **kwargs)
                sys.stdout.flush()
                return result
            except PortsideError as error:
                if isinstance(name := kwargs.get("recipe"), str):
                    error.name_recipe(name)
                elif name:
                    error.name_recipe(name[0])
                fail(error)
            except MemoryError:
                fail(PortsideError("there is not enough memory for this", "End something else, or give it more."))
            except KeyboardInterrupt as stopped:
                print("\ninterrupted; the next run continues from here", file=sys.stderr)
                leave(128 + stopped.number if isinstance(stopped, StoppedError) else 130)
            except OSError as error:
                leave_if_stdout_fails()
                fail(explained(error, _own_folders()))

        return task(run, **({"auto_shortflags": False, "positional": []} | options))

    return decorate


def fail(error: PortsideError) -> NoReturn:
    """End with an expected error: its text, and where it arose if somebody wants to know."""
    if os.environ.get("PORTSIDE_DEBUG") or logging.getLogger("invoke").isEnabledFor(logging.DEBUG):
        print(to_person(without_secrets(traceback.format_exc())), end="", file=sys.stderr)
    print(to_person(f"error: {without_secrets(str(error))}"), file=sys.stderr)
    leave(error.exit_code)


def _own_folders() -> list[Path]:
    """The folders that a call may write to, for a refusal that names none."""
    home = os.environ.get("PORTSIDE_HOME")
    with suppress(OSError):
        return [*([Path(home).expanduser()] if home else []), Path.cwd()]
    return []


def required(body: Callable[..., Any]) -> list[str]:
    """The names of a task's arguments that have no default; those that may be repeated may be absent."""
    arguments = list(inspect.signature(body).parameters.values())[1:]
    return [a.name for a in arguments if a.default is inspect.Parameter.empty and a.annotation is str]


def example(docstring: str | None) -> str | None:
    """The command after `Example: ` in a task's docstring."""
    found = re.search(r"^ *Example: (.*)$", docstring or "", re.MULTILINE)
    return found[1] if found else None


def _hint(body: Callable[..., Any]) -> str:
    name = body.__name__.replace("_", "-")
    return f"Example: {example(body.__doc__)}; all options: invoke --help {name}"


def usage_error(problem: str, solution: str) -> NoReturn:
    """End with what is wrong with a command line, as an expected error of a task ends."""
    error = RecipeError(problem, solution)
    print(to_person(f"error: {without_secrets(str(error))}"), file=sys.stderr)
    raise Exit(code=error.exit_code)


def set_up_streams() -> None:
    """Let streams that the caller closed lead nowhere, and let stdout keep what cannot be written.

    Otherwise the next file that is opened gets such a number, and what we or a child print ends up in it. With
    PYTHONUNBUFFERED set, nobody could tell afterwards that it was stdout which failed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free is this one
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8")
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8")
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8")
    elif isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.write_through:
        sys.stdout = os.fdopen(1, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors, closefd=False)


def leave_if_stdout_fails() -> None:
    """End the process if stdout does not take what was printed.

    If who reads it (`| head -1`) has seen enough, it ends as a program that SIGPIPE kills; else it says why.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        code = 128 + signal.SIGPIPE
        if not isinstance(error, BrokenPipeError):
            print(f"error: stdout cannot be written: {error.strerror}", file=sys.stderr)
            code = 1
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        leave(code)


def leave(code: int) -> NoReturn:
    """End the process without waiting for its threads: one may be in the middle of gigabytes."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def project() -> "Project":
    """The project that this call is about. Raises RecipeError where there is none."""
    from portside.cli.root import require_root
    from portside.project import Project

    return Project(require_root())


def machine() -> "Machine":
    """What a task needs that can do without a project: this call's project, or else only this machine."""
    from portside.cli.root import project_root
    from portside.project import Machine, Project

    root = project_root()
    return Machine() if root is None else Project(root)


def tell(lines: Iterable[str]) -> None:
    """Print lines for a person."""
    print(to_person("\n".join(lines)))


def show(value: Any) -> None:
    """Print one JSON value for programs."""
    print(json.dumps(value, indent=2))


def number(text: str, option: str) -> int:
    """A count given on the command line. Raises RecipeError for anything else."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise RecipeError(f"--{option}: expected a number, not {text!r}", "Give 0 or more, in digits.")
    return int(text)


def check_layer(layer: str) -> str:
    from portside.recipe.models import LAYERS

    if layer not in LAYERS:
        raise RecipeError(f"no layer '{layer}'", f"{did_you_mean(layer, LAYERS)}The layers are {', '.join(LAYERS)}.")
    return layer
