"""What all tasks share: how errors reach a person, the words of the options, printing."""

import functools
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from invoke.tasks import task

from portside.errors import PortsideError, RecipeError

if TYPE_CHECKING:
    from portside.project import Project

ROOT = Path(__file__).resolve().parent.parent
RECIPE = "name of a recipe: recipes/NAME.yaml"
LAYER = "env, sources, migrated or weights"
ENGINE = "the engine to use; default: PORTSIDE_ENGINE, portside.toml, docker"
JSON = "print one JSON object on stdout and nothing else"


def portside_task(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """An invoke task whose expected errors reach a person as text and an exit code, without a traceback."""

    def decorate(body: Callable[..., Any]) -> Any:
        @functools.wraps(body)
        def run(*args: Any, **kwargs: Any) -> Any:
            try:
                return body(*args, **kwargs)
            except PortsideError as error:
                if os.environ.get("PORTSIDE_DEBUG") or logging.getLogger("invoke").isEnabledFor(logging.DEBUG):
                    traceback.print_exc()
                print(f"error: {error}", file=sys.stderr)
                leave(error.exit_code)
            except KeyboardInterrupt:
                print("\ninterrupted; the next run continues from here", file=sys.stderr)
                leave(130)

        return task(run, **options)

    return decorate


def leave(code: int) -> NoReturn:
    """End the process without waiting for its threads: one may be in the middle of gigabytes."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def project() -> "Project":
    from portside.project import Project

    return Project(ROOT)


def show(value: Any) -> None:
    """Print one JSON value for programs."""
    print(json.dumps(value, indent=2))


def number(text: str, option: str) -> int:
    """A count given on the command line. Raises RecipeError for anything else."""
    if not text.isdecimal():
        raise RecipeError(f"--{option}: expected a number, not {text!r}", "0 and more are numbers here.")
    return int(text)


def check_layer(layer: str) -> str:
    from portside.recipe.models import LAYERS

    if layer not in LAYERS:
        raise RecipeError(f"no layer '{layer}'", f"The layers are {', '.join(LAYERS)}.")
    return layer
