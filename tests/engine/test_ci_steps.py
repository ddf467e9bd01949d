"""The steps of the CI files that `init` writes, run in a project with a registry; what they call for which event is
tested without an engine (tests/unit/begin/test_ci_templates.py)."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_project import TinyProject, remove, tiny_project

from portside.begin import make_project

sys.path.append(str(Path(__file__).parents[1] / "unit"))
sys.path.append(str(Path(__file__).parents[1] / "unit" / "registry"))
from ci_templates import run_github, run_gitlab
from project_history import commit, first_commit, head
from registry_server import RegistryServer


@pytest.fixture
def project(tmp_path: Path) -> Iterator[TinyProject]:
    made = tiny_project(tmp_path / "project")
    made.add("one", files={"a.py": b"x\n"})
    make_project(tmp_path / "new")
    shutil.copytree(tmp_path / "new" / ".github", made.machine.checkout / ".github")
    shutil.copy(tmp_path / "new" / ".gitlab-ci.yml", made.machine.checkout)
    yield made
    remove(made)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RegistryServer]:
    made = RegistryServer(tmp_path / "registry").start()
    yield made
    made.kill()


def test_what_is_built_is_pushed_and_the_next_run_finds_it(
    project: TinyProject, registry: RegistryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project.machine.checkout
    (root / "portside.toml").write_text(f'registries = ["{registry.host}/team/models"]\n')
    first_commit(root)
    program = tmp_path / "bin" / "portside"
    program.parent.mkdir()
    # The tiny image has no programs that its checks could use, such as find.
    program.write_text(f'#!/bin/sh\n[ "$1" = check ] || exec {sys.executable} -m portside "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    monkeypatch.setenv("PORTSIDE_HOME", str(project.machine.home))
    monkeypatch.setenv("PORTSIDE_ENGINE", "docker")
    before = head(root)
    list(run_github(root, path, {"NIGHTLY": "false", "PUSH": "true", "SINCE": "0" * 40}))
    tags = {item.name for item in (registry.folder / "storage").rglob("tags/*")}
    assert project.full("one") in tags and any(tag.startswith("migrated-") for tag in tags)
    requests = len(registry.requests())
    list(run_github(root, path, {"NIGHTLY": "false", "PUSH": "true", "SINCE": before}))
    assert len(registry.requests()) == requests, "nothing is other"
    list(run_github(root, path, {"NIGHTLY": "true", "PUSH": "false", "SINCE": ""}))
    two = project.add("two", extends="one", files={"b.py": b"y\n"})
    commit(root)
    run_gitlab(root, path, {"CI_COMMIT_BEFORE_SHA": before, "REGISTRY_HOST": registry.host})
    tags = {item.name for item in (registry.folder / "storage").rglob("tags/*")}
    assert two in tags
