"""Engines: what executes `RUN` and runs containers. To add one: a module, and a line in ENGINES and COMMAND_LINES."""

import os
from collections.abc import Callable

from portside.engines import docker_run
from portside.engines.base import (
    Container,
    Engine,
    ExecResult,
    ImageLayer,
    ImageToLoad,
    Mount,
    Output,
    RunSpec,
    Transfer,
)
from portside.errors import EngineError

__all__ = [
    "ENGINES",
    "Container",
    "Engine",
    "ExecResult",
    "ImageLayer",
    "ImageToLoad",
    "Mount",
    "Output",
    "RunSpec",
    "Transfer",
    "command_line",
    "open_engine",
]


def _docker() -> Engine:
    from portside.engines.docker import DockerEngine

    return DockerEngine()


ENGINES: dict[str, Callable[[], Engine]] = {"docker": _docker}
COMMAND_LINES: dict[str, Callable[[RunSpec], list[str]]] = {"docker": docker_run.as_command}
"""For each of them what its `as_command` gives; no engine has to answer for that."""


def open_engine(name: str | None = None) -> Engine:
    """The engine of that name; without one, what PORTSIDE_ENGINE says, else Docker.

    Raises EngineError if there is no such engine or it does not answer.
    """
    return ENGINES[_name(name)]()


def command_line(spec: RunSpec, name: str | None = None) -> list[str]:
    """The command line that starts a container with the engine of that name, which need not answer.

    Raises EngineError if there is no such engine.
    """
    return COMMAND_LINES[_name(name)](spec)


def _name(name: str | None) -> str:
    name = name or os.environ.get("PORTSIDE_ENGINE") or "docker"
    if name not in ENGINES:
        raise EngineError(f"there is no engine called {name!r}", f"Use one of: {', '.join(sorted(ENGINES))}.")
    return name
