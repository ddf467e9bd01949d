"""Which builders a build uses: those that a person named, or those of portside.toml and then the engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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


@dataclass
class Builders:
    """The builders that a build may use; they are opened when they are needed first.

    settings: of portside.toml; they count where nobody named one, and say more of the one that somebody named.
    environment: of this process. asked: of --builder.
    """

    settings: Sequence[BuilderSettings] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    asked: str | None = None
    _found: list[BuilderRuns] | None = None

    @property
    def named(self) -> str | None:
        """The one that a person named, if that is not the engine."""
        name = named_builder(self.asked, self.environment)
        return None if name == ENGINE else name

    @property
    def engine_builds(self) -> bool:
        """Whether the engine executes run parts, too: after the builders of portside.toml, not beside one by name."""
        return self.named is None

    def open(self, *, start: bool = True) -> list[BuilderRuns]:
        """In the order of their preference. start: let buildx start those that do not run yet and that it starts.

        A builder that somebody named must be there: raises EngineError. Of others it is told that they are not.
        """
        if self._found is None:
            self._found = self._open(start)
        return self._found

    def _open(self, start: bool) -> list[BuilderRuns]:
        if (name := self.named) is not None:
            known = {item.name: item for item in self.settings}
            return [open_builder(find_buildx(self.environment), known.get(name) or BuilderSettings(name=name), start)]
        if not self.settings or named_builder(self.asked, self.environment) == ENGINE:
            return []
        try:
            buildx = find_buildx(self.environment)
        except EngineError as error:
            say(f"the builders of portside.toml are not used: {error.problem}")
            return []
        found = []
        for item in self.settings:
            try:
                found.append(open_builder(buildx, item, start))
            except EngineError as error:
                say(f"the builder {item.name} is not used: {error.problem}")
        return found


def open_builder(buildx: Buildx, settings: BuilderSettings, start: bool) -> BuilderRuns:
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


def place_for(places: Sequence[RunPlace], architecture: str) -> RunPlace | None:
    """The first place that runs such programs, which gets a run part if it is free; None where there is none."""
    return next((place for place in places if place.runs(architecture)), None)
