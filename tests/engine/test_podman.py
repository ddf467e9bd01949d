"""A whole project with Podman beside Docker: the same images, and nothing of either engine in them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from file_systems import differences, of_build, of_layers
from pipeline import Machine
from tiny_project import TinyProject, remove, tiny_project

from portside.engines.podman import PodmanEngine
from portside.engines.podman_cli import runtime_options
from portside.layers.raw import TarLayer

OF_ONE_NAME = " && chmod 4755 new/deep/file"
"""What an overlay and other storage make differently of a file with two names: docs/reproducibility.md."""
STEPS = (
    "cat code.py > copy && mkdir -p new/deep && echo one > new/deep/file && ln new/deep/file new/hard",
    f"ln -s deep/file new/soft && mkfifo new/fifo && rm /bin/perl{OF_ONE_NAME}",
    "mv /usr/bin /usr/elsewhere && mkdir /usr/bin && echo $HOME > /usr/bin/note && chmod 1777 /usr/bin",
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyProject]:
    made = tiny_project(tmp_path_factory.mktemp("podman-project"))
    yield made
    remove(made)


@pytest.fixture(scope="module")
def name(project: TinyProject, podman_storage: Path) -> str:
    overlay = podman("info", "--format", "{{.Store.GraphDriverName}}").strip() == "overlay"
    steps = STEPS if overlay else [step.replace(OF_ONE_NAME, "") for step in STEPS]
    return project.add(
        "both",
        install=({"run": steps[0], "files": ["code.py"]}, *steps[1:]),
        files={"code.py": b"print(1)\n"},
        weights={"small.bin": b"small", "big.bin": bytes(1 << 20)},
    )


@pytest.fixture(scope="module")
def other(project: TinyProject, name: str, podman_storage: Path) -> Machine:
    """Another store with the same inputs, on a machine that is set to Podman."""
    home = project.machine.home.with_name("home-of-podman")
    shutil.copytree(project.machine.home, home)
    return replace(project.machine, home=home, environment={"PORTSIDE_ENGINE": "podman"})


@pytest.fixture(scope="module")
def built(other: Machine, name: str) -> Any:
    return other.json("build", "--recipe", name, "--load-all")


def podman(*arguments: str) -> str:
    return subprocess.run(["podman", *arguments], capture_output=True, text=True, check=True).stdout


def left_over() -> list[Any]:
    """Containers of any kind, and images without a name."""
    containers = json.loads(podman("ps", "--all", "--external", "--format", "json"))
    return [*containers, *json.loads(podman("images", "--all", "--filter", "dangling=true", "--format", "json"))]


def test_both_engines_give_the_same_images(project: TinyProject, other: Machine, name: str, built: Any) -> None:
    assert project.machine.json("build", "--recipe", name, "--engine", "docker") == built
    inside = podman("image", "inspect", "--format", "{{.Id}}", f"portside/{name}:latest").strip()
    assert f"sha256:{inside}" == built["image_id"]
    assert left_over() == []


def test_a_second_build_touches_nothing(other: Machine, name: str, built: Any) -> None:
    before = other.blobs()
    assert other.run("build", "--recipe", name).stderr.count("up to date") == 4
    assert other.blobs() == before


def test_the_image_runs_and_its_checks_know_the_engine(other: Machine, name: str, built: Any) -> None:
    done = other.run(
        "run-container", "--recipe", name, "--command", "cat new/hard; cat weights/w/small.bin; exit 3", expect=3
    )
    assert done.stdout == "one\nsmall"
    line = other.run("run-container", "--recipe", name, "--command", "echo it", "--dry-run").stdout
    assert line.startswith("podman ")
    assert subprocess.run(line, shell=True, capture_output=True, text=True, check=True).stdout == "it\n"
    assert "test_image.py" not in other.run("check", "--recipe", name, "--layer", "sources").stderr


def test_an_archive_goes_from_one_engine_to_the_other(
    project: TinyProject, other: Machine, name: str, built: Any, tmp_path: Path
) -> None:
    archive = tmp_path / "image.tar"
    other.run("save", "--recipe", name, "--output", str(archive))
    podman("image", "rm", *(f"portside/{name}:{tag}" for tag in ("weights", "latest")))
    other.run("load", "--archive", str(archive))
    assert (
        f"sha256:{podman('image', 'inspect', '--format', '{{.Id}}', f'portside/{name}:weights').strip()}"
        == built["image_id"]
    )
    project.machine.run("load", "--archive", str(archive), "--engine", "docker")


def test_a_damaged_layer_is_made_again(other: Machine, name: str, built: Any) -> None:
    blob = other.home / "oci" / "blobs" / "sha256" / built["layers"][3]["diff_ids"][0].removeprefix("sha256:")
    blob.chmod(0o644)
    with blob.open("r+b") as stream:
        stream.seek(600)
        stream.write(b"damage")
    podman("image", "rm", *(f"portside/{name}:{tag}" for tag in ("weights", "latest")))
    done = other.run("build", "--recipe", name, "--json")
    assert json.loads(done.stdout) == built
    assert "and made again" in done.stderr


def test_the_doctor_says_which_engine_it_is(other: Machine) -> None:
    line = next(line for line in other.run("doctor").stdout.splitlines() if " engine " in line)
    assert "Podman" in line and "(it was asked for)" in line


def test_verify_builds_again_with_podman(other: Machine, name: str, built: Any) -> None:
    assert "is reproducible" in other.run("verify", "--recipe", name, "--offline").stdout
    assert left_over() == []


def test_a_plain_podman_build_gives_the_same_files(other: Machine, name: str, built: Any, tmp_path: Path) -> None:
    other.run("render", "--recipe", name, "--output", str(tmp_path / "context"))
    tag = f"portside-test/{name}:plain"
    podman(*runtime_options(), "build", "--network", "none", "--tag", tag, str(tmp_path / "context"))
    podman("save", "--format", "docker-dir", "--output", str(tmp_path / "image"), tag)
    podman("image", "rm", tag)
    plain = of_layers(TarLayer(path) for path in saved_layers(tmp_path / "image"))
    # A plain engine makes the folders that it mounts over where a base lacks them, as this one does.
    mounted = {(folder, (None, "dir")) for folder in ("dev", "proc", "run", "sys")}
    found = differences(of_build(other.home, built), plain)
    assert {(change.path, change.kinds) for change in found} == mounted


def saved_layers(folder: Path) -> Iterator[Path]:
    """The layer tars of an image that podman saved as a folder, uncompressed."""
    for layer in json.loads((folder / "manifest.json").read_bytes())["layers"]:
        yield folder / layer["digest"].removeprefix("sha256:")


BUILD = """
import functools, pathlib, sys
from portside.engines import ImageToBuild, open_engine
folder, show = pathlib.Path(sys.argv[1]), functools.partial(print, flush=True)
open_engine("podman").build(ImageToBuild(folder, folder / "Dockerfile", sys.argv[2]), show)
"""


@pytest.mark.usefixtures("built")
def test_what_an_interrupted_build_leaves(name: str, tmp_path: Path) -> None:
    """SIGINT: nothing. A power cut, here SIGKILL to all: what is removed once somebody says that nobody builds."""
    dockerfile, tag = tmp_path / "Dockerfile", f"portside-test/{name}:interrupted"
    command = [sys.executable, "-c", BUILD, str(tmp_path), tag]
    dockerfile.write_text(f"FROM portside/{name}:env\nRUN cat /proc/version && : {tmp_path} && sleep 60\n")
    for sign in (signal.SIGINT, signal.SIGKILL):
        program = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n{BUILD}"
        with subprocess.Popen(
            [sys.executable, "-c", program, *command[3:]], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            assert any("Linux version" in line for line in child.stdout)
            child.send_signal(sign)
            if sign == signal.SIGKILL:
                for process in processes(str(tmp_path)):
                    os.kill(process, sign)
        assert child.returncode != 0
        deadline = time.monotonic() + 20
        while processes(str(tmp_path)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert len(left_over()) == (1 if sign == signal.SIGKILL else 0)
    PodmanEngine().remove_interrupted(f"portside/{name}:env")
    assert left_over() == []
    dockerfile.write_text(f"FROM portside/{name}:env\nRUN echo it is built > /note\n")
    subprocess.run(command, check=True, capture_output=True)
    podman("image", "rm", tag)
    assert left_over() == []


def processes(mentioned: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mentioned.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found
