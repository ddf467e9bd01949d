"""Builds of one recipe at once, in two stores and one engine; scripts/stress_builds.py does it over and over."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from at_once import build_at_once, left_over, stores
from tiny_project import TinyProject, remove, tiny_project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[TinyProject]:
    made = tiny_project(tmp_path / "project")
    yield made
    remove(made)


def test_builds_of_one_recipe_at_once(project: TinyProject, tmp_path: Path) -> None:
    name = project.add("few", install=("echo one > a && sleep 0.3", "cat a > b"), files={"a.py": b"x\n"})
    homes = stores(project, tmp_path, 2)
    environment = {**os.environ, "PORTSIDE_ENGINE": "docker"}
    found = build_at_once(project.machine, name, homes, 4, environment)
    assert found.failed == ()
    assert len(found.image_ids) == 1
    notes = [line for line in left_over(homes, "docker", environment) if "portside.invalid" not in line]
    assert notes == []  # names of other tests that run beside this one may be there
