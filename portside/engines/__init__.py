"""Engines: what executes `RUN` and runs containers. To add one: a module, and a line in ENGINES."""

import os
from collections.abc import Callable

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
    "open_engine",
]


def _docker() -> Engine:
    from portside.engines.docker import DockerEngine

    return DockerEngine()


ENGINES: dict[str, Callable[[], Engine]] = {"docker": _docker}


def open_engine(name: str | None = None) -> Engine:
    """The engine of that name; without one, what PORTSIDE_ENGINE says, else Docker.

    Raises EngineError if there is no such engine or it does not answer.
    """
    name = name or os.environ.get("PORTSIDE_ENGINE") or "docker"
    if name not in ENGINES:
        raise EngineError(f"there is no engine called {name!r}", f"Use one of: {', '.join(sorted(ENGINES))}.")
    return ENGINES[name]()
