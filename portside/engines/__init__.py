"""Engines: what executes `RUN` and runs containers. To add one: a module, and a line in ENGINES and COMMAND_LINES.

In: the name of an engine, or none.
Out: an engine: runs instructions, gives the layer that came of them, loads and runs images.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from portside.engines import docker_run
from portside.engines.base import (
    BuildCache,
    Builder,
    CacheRecord,
    Container,
    Engine,
    EngineImage,
    ImageLayer,
    ImageToBuild,
    ImageToLoad,
    Mount,
    Output,
    Runner,
    RunSpec,
    Transfer,
)
from portside.errors import EngineError

__all__ = [
    "ENGINES",
    "BuildCache",
    "Builder",
    "CacheRecord",
    "Choice",
    "Container",
    "Engine",
    "EngineImage",
    "ImageLayer",
    "ImageToBuild",
    "ImageToLoad",
    "Mount",
    "Output",
    "RunSpec",
    "Runner",
    "Transfer",
    "choose_engine",
    "command_line",
    "open_engine",
]


def _docker() -> Engine:
    from portside.engines.docker import DockerEngine

    return DockerEngine()


def _podman() -> Engine:
    from portside.engines.podman import PodmanEngine

    return PodmanEngine()


def _podman_line(spec: RunSpec) -> list[str]:
    from portside.engines.podman_cli import as_command

    return as_command(spec)


ENGINES: dict[str, Callable[[], Engine]] = {"docker": _docker, "podman": _podman}
COMMAND_LINES: dict[str, Callable[[RunSpec], list[str]]] = {"docker": docker_run.as_command, "podman": _podman_line}
"""For each of them what its `as_command` gives; no engine has to answer for that."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine, and why it is this one."""

    engine: Engine
    reason: str


def open_engine(name: str | None = None) -> Engine:
    """The engine of that name; without one, as `choose_engine` chooses. Raises EngineError as that does."""
    return choose_engine(name).engine


def choose_engine(name: str | None = None) -> Choice:
    """The engine of that name; without one, what PORTSIDE_ENGINE says, else Docker, and Podman where no Docker answers.

    Podman is no substitute for a daemon that somebody named in DOCKER_HOST or a context, nor for one that refuses.
    Raises EngineError if there is no such engine or it does not answer.
    """
    if named := _named(name):
        return Choice(ENGINES[named](), "it was asked for")
    from portside.engines.endpoint import NoDaemonError, is_chosen

    try:
        return Choice(_docker(), "Docker comes first where it answers")
    except NoDaemonError as error:
        if is_chosen(os.environ) or shutil.which("podman") is None:
            raise
        try:
            return Choice(_podman(), "no Docker daemon answers")
        except EngineError as other:
            raise EngineError(f"{error.problem}; and {other.problem}", error.remedy) from other


def command_line(spec: RunSpec, name: str | None = None) -> list[str]:
    """The command line that starts a container with the engine of that name, which need not answer.

    Without a name it is that of the engine that would be chosen, or Docker's where none answers.
    Raises EngineError if there is no such engine.
    """
    named = _named(name)
    if named is None:
        try:
            named = choose_engine().engine.name
        except EngineError:
            named = "docker"
    return COMMAND_LINES[named](spec)


def _named(name: str | None) -> str | None:
    name = name or os.environ.get("PORTSIDE_ENGINE") or None
    if name is not None and name not in ENGINES:
        raise EngineError(f"there is no engine called {name!r}", f"Use one of: {', '.join(sorted(ENGINES))}.")
    return name
