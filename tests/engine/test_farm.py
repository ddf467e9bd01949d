"""Two machines with different engines that share a registry, with builds that are killed; scripts/stress_farm.py does
it over and over."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from farm import FarmMachine, add_recipes, alone, build_split
from pipeline import Machine
from tiny_project import TinyProject, remove, tiny_project

sys.path.append(str(Path(__file__).parents[1] / "unit" / "registry"))
from registry_server import RegistryServer


@pytest.fixture
def project(tmp_path: Path) -> Iterator[TinyProject]:
    made = tiny_project(tmp_path / "project")
    yield made
    remove(made)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RegistryServer]:
    made = RegistryServer(tmp_path / "registry").start()
    yield made
    made.kill()


@pytest.mark.usefixtures("podman_storage")
def test_recipes_split_between_two_engines_with_builds_that_are_killed(
    project: TinyProject, registry: RegistryServer, tmp_path: Path
) -> None:
    names = add_recipes(project, 3)
    docker, podman = ({"PORTSIDE_ENGINE": name} for name in ("docker", "podman"))
    expected = alone(project, names, tmp_path / "alone", docker)
    settings = project.machine.checkout / "portside.toml"
    settings.write_text(f'registries = ["{registry.host}/team/models"]\n')
    machines = []
    for engine, own in ((docker, names[:2]), (podman, names[1:])):
        home = tmp_path / engine["PORTSIDE_ENGINE"]
        machines.append(FarmMachine(Machine(project.machine.checkout, home, engine), own))
    for one in machines:
        shutil.copytree(project.machine.home, one.machine.home)
    build_split(machines, kills=1, seed=1, between=(0.5, 2.0))
    for one in machines:
        assert one.image_ids == {name: expected[name] for name in one.recipes}
