"""Where what is to be executed goes: a builder, or the engine."""

import os
from typing import Any

from portside.build.choose_places import Builders, place_for
from portside.config import Config
from portside.engines import Builder
from portside.plan.model import Plan


def builders_of(config: Config, asked: str | None) -> Builders:
    """The builders that may execute something. asked: of --builder."""
    return Builders(config.builder_settings, os.environ, asked)


def add_places(report: dict[str, Any], made: Plan, builders: Builders, engine: Builder | None) -> list[str]:
    """Give each run part of a plan's report that is to be built its `place`: one line for a person, null where nothing
    is known to execute it. Gives the lines to show.

    engine: None where none answers. No builder is started. Raises EngineError for a named builder that cannot be used.
    """
    run = {part.key for part in made.build_order() if part.kind == "run"}
    rows = [(layer["name"], row) for layer in report["layers"] for row in layer["parts"]]
    waiting = [(layer, row) for layer, row in rows if row["key"] in run and row["state"] == "build"]
    if not waiting:
        return []
    architecture = made.lock.base.architecture
    described = None
    if (place := place_for(builders.open(start=False), architecture)) is not None:
        described = place.describe()
    elif engine is not None and builders.engine_builds and engine.runs(architecture):
        described = engine.describe()
    for _, row in waiting:
        row["place"] = described
    names = ", ".join(f"{layer}/{row['name']}" for layer, row in waiting)
    if described is None:
        return [f"{names}: nothing here is known to execute programs for {architecture}"]
    return [f"{names}: executed by {described}"]
