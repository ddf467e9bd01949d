"""A base out of a registry on loopback, as a person uses it: lock, build with a command, render for a plain engine."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from own_left import forgotten_build
from pipeline import Machine, checkout, docker, remove_images
from tiny_images import programs

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "registry"))

from made_up_registry import MadeUpRegistry, tar

from portside.common import oci
from portside.engines import open_engine
from portside.engines.docker_cli import find_cli
from portside.engines.endpoint import find_endpoint

RECIPE = """\
description: on an image of a registry
base: {{image: "{image}"}}
accelerator: {{name: cpu}}
install: ["cat /etc/greeting > greeted", "mkdir -p made"]
"""


@pytest.fixture
def registry() -> Iterator[MadeUpRegistry]:
    made = MadeUpRegistry()
    yield made
    made.close()


def test_lock_build_and_render(registry: MadeUpRegistry, tmp_path: Path) -> None:
    layers = (tar({**programs(), "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n"}), tar({"etc/greeting": b"hello\n"}))
    image = registry.image(
        layers, (f"{oci.LAYER}+gzip", f"{oci.LAYER}+gzip"), config={"config": {"Env": ["PATH=/bin"]}}
    )
    amd = image | {"platform": {"os": "linux", "architecture": "amd64"}}
    address = registry.tag("1", registry.index(amd))
    machine = Machine(checkout(tmp_path / "checkout"), tmp_path / "home")
    name = f"r{tmp_path.stat().st_ino}"
    (machine.checkout / f"recipes/{name}.yaml").write_text(RECIPE.format(image=address))
    rendered, tag = tmp_path / "rendered", f"portside-test/{name}"
    pinned = f"{registry.name}@{image['digest']}"
    try:
        machine.run("lock", "--recipe", name)
        first = machine.run("build", "--recipe", name, "--layer", "migrated", "--json")
        registry.tag("1", registry.image((tar({"moved": b""}),), (oci.LAYER,)))
        # A plain engine builds on the locked bytes, though the tag has moved.
        machine.run("render", "--recipe", name, "--output", str(rendered))
        assert f"ARG BASE={pinned}\n" in (rendered / "Dockerfile").read_text()
        cli = str(find_cli(find_endpoint(os.environ), os.environ).path)
        with forgotten_build(open_engine("docker"), rendered):
            done = subprocess.run(
                [cli, "build", "--quiet", "--network", "none", "--tag", tag, str(rendered)],
                capture_output=True,
                text=True,
                check=False,
                env={**machine.environ(), "DOCKER_BUILDKIT": "1"},
            )
        assert done.returncode == 0, f"{done.stderr}\n{registry.requests[-9:]}"
        said = docker("run", "--rm", "--network", "none", tag, "sh", "-c", f"cat /workspace/{name}/greeted")
        assert said == "hello\n"
        ours, theirs = (
            json.loads(docker("image", "inspect", ref, "--format", "{{json .RootFS.Layers}}"))[:2]
            for ref in (f"portside/{name}:migrated", tag)
        )
        assert ours == theirs
        # Everything again in an empty store without a network, from a bundle.
        packed = tmp_path / "r.bundle"
        machine.run("bundle", "--recipe", name, "--output", str(packed))
        registry.documents.clear()
        registry.blobs.clear()
        there = Machine(checkout(tmp_path / "there"), tmp_path / "other")
        there.run("unbundle", "--archive", str(packed))
        again = there.run("build", "--recipe", name, "--layer", "migrated", "--offline", "--json")
        assert json.loads(again.stdout)["image_id"] == json.loads(first.stdout)["image_id"]
        verdict = there.run("verify", "--recipe", name, "--offline", "--json")
        assert json.loads(verdict.stdout)["reproducible"]
    finally:
        names = docker("images", "--format", "{{.Repository}}:{{.Tag}}", f"portside/{name}").split()
        remove_images([*names, tag, pinned])
