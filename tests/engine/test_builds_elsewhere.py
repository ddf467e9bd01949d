"""A real BuildKit as a remote builder: the one in the Docker daemon that answers, where that can give images back.

That takes buildx and a daemon with the containerd image store (Docker 28.5 was tried); the stand-in of
tests/unit/registry/test_builders.py takes its place elsewhere.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_project
from grpc_proxy import GrpcProxy, remote_builder
from tiny_project import TinyProject

from portside.engines.buildx import Buildx, find_buildx
from portside.engines.endpoint import find_endpoint
from portside.errors import EngineError

STEPS = (
    "echo one > a && ln a b && mkfifo pipe && chmod 4755 a && ln -s nowhere link && mkdir gone full && touch full/file",
    "rm -r gone && echo two >> b && rm -r full && echo a file > full && ln a c && touch -d 2001-01-01 b",
)


def _buildx() -> Buildx | None:
    try:
        return find_buildx(os.environ)
    except EngineError:
        return None


def _gives_images() -> bool:
    """Whether the daemon's BuildKit knows the exporter `oci`: its workers have a snapshotter then."""
    buildx = _buildx()
    try:
        return buildx is not None and any(node.snapshotter for node in buildx.inspect("default").nodes)
    except EngineError:
        return False


pytestmark = pytest.mark.skipif(not _gives_images(), reason="takes buildx and a daemon with the containerd image store")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[TinyProject]:
    made = tiny_project.tiny_project(tmp_path)
    yield made
    tiny_project.remove(made)


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GrpcProxy]:
    """The builder `far`, in a folder of buildx's that is the test's own."""
    buildx = _buildx()
    socket = find_endpoint(os.environ).socket_path
    assert buildx is not None and socket is not None
    monkeypatch.setenv("BUILDX_CONFIG", str(tmp_path / "buildx"))
    with remote_builder(Path(socket)) as proxy:
        place = f"tcp://127.0.0.1:{proxy.port}"
        subprocess.run([*buildx.command, "create", "--name", "far", "--driver", "remote", place], check=True)
        yield proxy


def test_a_builder_gives_what_the_engine_gives(project: TinyProject, far: GrpcProxy) -> None:
    name = project.add("far", install=STEPS)
    here = project.machine.json("build", "--recipe", name, "--no-load")["image_id"]
    there = project.machine.json("build", "--recipe", name, "--no-load", "--no-cache", "--builder", "far")["image_id"]
    assert here == there


def test_a_part_of_a_builder_that_dies_is_built_in_the_engine(project: TinyProject, far: GrpcProxy) -> None:
    """It dies when the part has begun there."""
    name = project.add("dies", install=("sleep 5 && echo done > a",))
    (project.machine.checkout / "portside.toml").write_text('builders = ["far"]\n')
    plan = project.machine.run("plan", "--recipe", name).stdout
    assert "migrated/install: executed by builder far, remote, amd64" in plan
    command = project.machine.command("build", "--recipe", name, "--no-load", "--json")
    said = []
    with subprocess.Popen(
        command, env=project.machine.environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as build:
        assert build.stderr is not None and build.stdout is not None
        for line in build.stderr:
            said.append(line)
            if "in builder far" in line:
                far.close()
        output = build.stdout.read()
    assert build.returncode == 0, said
    assert any("is built elsewhere: far failed: the builder far stopped answering" in line for line in said)
    assert json.loads(output)["image_id"]
