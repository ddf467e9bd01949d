"""Whether a container's weights are mounted or in its image: as it was asked for, or as the engine has the image."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from small_project import Machine

from portside.config import Config
from portside.engines import Mount
from portside.runtime.auto import with_weights
from portside.runtime.intent import Intent


def test_which_image_a_container_is_of(machine: Callable[..., Machine], capsys: pytest.CaptureFixture[str]) -> None:
    made = machine("here")
    made.build()
    plan = made.plan
    config = Config(home=made.home, folders=(made.small.downloads,))
    project: Any = SimpleNamespace(store=made.store, config=config, lock=lambda recipe: plan.lock)
    engine: Any = made.engine
    engine.name = "Nobody"
    plain = Intent(plan.recipe)
    asked = replace(plain, layer="migrated", mounted_weights=True)

    def of(intent: Intent, way: str, engine: Any) -> tuple[Intent, tuple[Mount, ...]]:
        return with_weights(intent, way, project, engine, lambda: plan)

    for way, runs_in in (("baked", engine), ("auto", engine), ("auto", None)):
        assert of(plain, way, runs_in) == (plain, ())
    made.engine.loaded.clear()
    assert of(plain, "baked", engine) == of(plain, "auto", None) == (plain, ())
    capsys.readouterr()
    found, mounts = of(plain, "auto", engine)
    assert found == asked
    assert "The weights are mounted: Nobody does not have the finished image of small" in capsys.readouterr().err
    assert mounts and all(Path(mount.source).exists() for mount in mounts)
    assert of(asked, "mount", engine) == (asked, mounts)
    told = of(asked, "mount", None)[1]
    assert [mount.target for mount in told] == [mount.target for mount in mounts]
