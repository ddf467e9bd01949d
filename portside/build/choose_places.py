"""Which builders a build uses: those that a person named, or those of portside.toml and then the engine."""

from collections.abc import Mapping, Sequence

from portside.build.builder_runs import BuilderRuns
from portside.build.run_places import RunPlace
from portside.common.progress import say
from portside.config import BuilderSettings
from portside.engines.buildx import Buildx, FoundBuilder, find_buildx
from portside.errors import EngineError
from portside.registry.reference import parse_repository

ENGINE = "default"
"""buildx's own word for the builder of the daemon: here it is the engine, whichever it is."""


def named_builder(asked: str | None, environment: Mapping[str, str]) -> str | None:
    """The builder that a person named: by --builder, else by BUILDX_BUILDER, as buildx does."""
    return asked or environment.get("BUILDX_BUILDER") or None


def open_builders(
    settings: Sequence[BuilderSettings], environment: Mapping[str, str], asked: str | None = None, *, start: bool = True
) -> tuple[list[BuilderRuns], bool]:
    """The builders to use, in the order of their preference, and whether the engine comes after them.

    asked: of --builder. settings: of portside.toml; they count where nobody named one, and say more of the one that
    somebody named. start: let buildx start those that do not run yet and that it starts.
    A builder that somebody named must be there: raises EngineError. Of others it is told that they are not.
    """
    name = named_builder(asked, environment)
    if name == ENGINE or (name is None and not settings):
        return [], True
    by_name = {item.name: item for item in settings}
    if name is not None:
        return [
            open_builder(find_buildx(environment), by_name.get(name) or BuilderSettings(name=name), start=start)
        ], False
    try:
        buildx = find_buildx(environment)
    except EngineError as error:
        say(f"the builders of portside.toml are not used: {error.problem}")
        return [], True
    found = []
    for item in settings:
        try:
            found.append(open_builder(buildx, item, start=start))
        except EngineError as error:
            say(f"the builder {item.name} is not used: {error.problem}")
    return found, True


def open_builder(buildx: Buildx, settings: BuilderSettings, *, start: bool) -> BuilderRuns:
    """One builder, which runs, unless `start` is false and buildx would start it. Raises EngineError."""
    found = buildx.inspect(settings.name, start=start)
    check_builder(found, start=start)
    registry = parse_repository(settings.registry) if settings.registry else None
    return BuilderRuns(buildx, found, registry, settings.architectures or None)


def check_builder(found: FoundBuilder, *, start: bool = True) -> None:
    """Raise EngineError for a builder that does not answer, or gives other layers than engines do."""
    if not found.is_running and (start or not found.starts):
        errors = "; ".join(node.error or f"{node.endpoint or node.name} is {node.status}" for node in found.nodes)
        raise EngineError(
            f"the builder {found.name} does not answer: {errors or 'it has no nodes'}",
            f"Start it, or see how it is: docker buildx inspect {found.name}",
        )
    if other := found.other_snapshotters:
        raise EngineError(
            f"the builder {found.name} keeps file systems with {' and '.join(other)}, where a step that changes a file "
            "which an earlier step linked changes its other names too: its layers, and image IDs, would be others",
            "Start its buildkitd with --oci-worker-snapshotter=overlayfs; rootless before Linux 5.11: fuse-overlayfs.",
        )
    if found.driver == "docker" and found.is_running and not any(node.snapshotter for node in found.nodes):
        raise EngineError(
            f"the builder {found.name} is a Docker daemon without the containerd image store: it gives no image back",
            "Use it as the engine (DOCKER_HOST, DOCKER_CONTEXT), or switch that store on there.",
        )


def for_architecture(places: Sequence[RunPlace], architecture: str) -> list[RunPlace]:
    """The places that run such programs, in their order. Raises EngineError where there is none."""
    fitting = [place for place in places if place.runs(architecture)]
    if not fitting:
        there = "; ".join(place.describe() for place in places)
        raise EngineError(
            f"nothing is known to run programs for {architecture} here: {there}",
            f"Name a builder for {architecture} (--builder, or builders in portside.toml: docs/builders.md), or let a "
            "machine emulate one (docs/configuration.md).",
        )
    return fitting
