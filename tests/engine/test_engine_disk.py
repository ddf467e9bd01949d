"""What builds, checks and killed ones leave in an engine: bounded, and removed by `clean --engine`."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_project import TinyProject, tiny_project

from portside.build.in_engine import look, remove
from portside.engines import Engine, EngineImage, open_engine
from portside.engines.base import BUILD_LABEL, RECIPE_LABEL


@pytest.fixture(params=["docker", "podman"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TinyProject]:
    if request.param == "podman":
        request.getfixturevalue("podman_storage")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PORTSIDE_ENGINE", request.param)
        made = tiny_project(tmp_path)
        yield made
        engine = open_engine()
        for ref in made.images():
            engine.remove_image(ref)


def steps(engine: Engine, mark: str) -> list[str]:
    """The steps with this mark that the engine's cache has."""
    records = engine.cache.records() if engine.cache else []
    return sorted(record.text.rpartition(" ")[2] for record in records if mark in record.text)


def own(project: TinyProject, engine: Engine) -> dict[str, EngineImage]:
    return {image.id: image for image in engine.images() if image.labels[RECIPE_LABEL] in project.names}


def clean(project: TinyProject, engine: Engine, home: Path) -> list[str]:
    """As `clean --engine --yes`, but for what is other people's in this engine."""
    left, mine = look(engine, home), own(project, engine)
    temporary, unnamed = ([image for image in images if image.id in mine] for images in (left.temporary, left.unnamed))
    return remove(engine, home, replace(left, temporary=tuple(temporary), unnamed=tuple(unnamed), containers=()))


@pytest.mark.parametrize("project", ["docker"], indirect=True)  # Podman has no cache
def test_an_edit_leaves_nothing_of_the_build_before(project: TinyProject) -> None:
    """Other people's builds may run meanwhile, so only what is ours is looked at."""
    engine, mark = open_engine(), os.urandom(6).hex()
    for number in range(2):
        copied = {"run": "cat code.py > copy", "files": ["code.py"]}
        install = (copied, f": {mark} && echo {number} > {number}.step")
        name = project.add("disk", install=install, files={"code.py": os.urandom(4).hex().encode()})
        project.machine.json("build", "--recipe", name)
        assert steps(engine, mark) == [f"{number}.step"]
    images = own(project, engine)
    assert images and all(image.names and BUILD_LABEL not in image.labels for image in images.values())
    assert clean(project, engine, project.machine.home) == []
    assert steps(engine, mark) == [] and own(project, engine) == images
    found = project.machine.json("plan", "--recipe", name)["engine"]
    assert found["name"] == engine.name and found["layers"] == found["room"] == 0


KILLED = """
import os, runpy, signal, sys
from portside.engines.docker import DockerEngine
from portside.engines.podman import PodmanEngine
DockerEngine.build = PodmanEngine.build = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
sys.argv[0] = "portside"
runpy.run_module("portside", run_name="__main__")
"""
"""A call of portside that is killed as soon as it would build."""


def test_what_a_killed_build_left_is_found_from_another_store(project: TinyProject, tmp_path: Path) -> None:
    engine, machine = open_engine(), project.machine
    name = project.add("killed", install=("true",))
    words = ["build", "--recipe", name]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *words], cwd=machine.checkout, env=machine.environ(), capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    [left] = [name for name, image in own(project, engine).items() if BUILD_LABEL in image.labels]
    other = tmp_path / "other"
    said = replace(machine, home=other).json("clean", "--engine")
    assert left in {row["id"] for row in said["temporary"]} and left in own(project, engine)
    assert clean(project, engine, other) == [] and left not in own(project, engine)
