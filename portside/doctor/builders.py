"""The builders that would execute steps, and whether each can."""

from collections.abc import Iterator, Mapping, Sequence

from portside.build.choose_places import Builders, open_builder
from portside.config import BuilderSettings
from portside.doctor.findings import Finding
from portside.engines.buildx import find_buildx
from portside.errors import EngineError

SUBJECT = "builder"


def examine_builders(settings: Sequence[BuilderSettings], environment: Mapping[str, str]) -> Iterator[Finding]:
    """The one of BUILDX_BUILDER, or those of portside.toml; nothing where there are none. No builder is started."""
    known = {item.name: item for item in settings}
    named = Builders(settings, environment).named
    wanted = [known.get(named) or BuilderSettings(name=named)] if named else list(settings)
    if not wanted:
        return
    try:
        buildx = find_buildx(environment)
    except EngineError as error:
        yield Finding("problem" if named else "warning", SUBJECT, error.problem, error.solution)
        return
    for item in wanted:
        try:
            place = open_builder(buildx, item, start=False)
        except EngineError as error:
            # The one that is named must be there; of those of portside.toml another takes the parts, or the engine.
            yield Finding("problem" if named else "warning", SUBJECT, error.problem, error.solution)
            continue
        starts = "" if place.found.is_running else "; buildx starts it when it is needed"
        why = " (BUILDX_BUILDER)" if named else ""
        yield Finding("ok", SUBJECT, f"{place.describe()}{why}{starts}")
