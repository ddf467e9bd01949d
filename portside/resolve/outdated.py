"""Whether upstream has moved on from a lock: its branches, tags and revisions are asked for, and nothing is fetched."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from portside.errors import PortsideError
from portside.fetch.fetcher import Fetcher
from portside.inputs.bringer import Moved
from portside.inputs.kinds import SOURCES, WEIGHTS
from portside.lock.models import Lock
from portside.project import Project
from portside.recipe import Recipe


class Outdated(NamedTuple):
    """moved: by request (`sources.NAME`, `weights.NAME`), by name. unknown: why nobody could say it."""

    moved: Mapping[str, Moved]
    unknown: Mapping[str, PortsideError]


def outdated(project: Project, recipe: Recipe, lock: Lock) -> Outdated:
    """What `lock --update` would lock anew. The lock is one of this version of the recipe."""
    fetcher = Fetcher(project.store, project.config, root=recipe.root)
    asks: list[tuple[str, Callable[[Any, Any, Fetcher], Moved | None] | None, Any, Any]] = []
    for name, source in sorted(recipe.model.sources.items()):
        asks.append((f"sources.{name}", SOURCES[source.kind].moved, source, lock.sources[name]))
    for name, weights in sorted(recipe.model.weights.items()):
        asks.append((f"weights.{name}", WEIGHTS[weights.kind].moved, weights, lock.weights[name]))
    moved: dict[str, Moved] = {}
    unknown: dict[str, PortsideError] = {}
    for request, ask, asked, locked in asks:
        try:
            if ask is not None and (found := ask(asked, locked, fetcher)) is not None:
                moved[request] = found
        except PortsideError as error:
            unknown[request] = error
    return Outdated(moved, unknown)
