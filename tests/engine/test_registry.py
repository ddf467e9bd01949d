"""Push, pull, save and load as a person does, with an engine and Debian's docker-registry; no other network."""

import io
import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from pipeline import Machine, differing, docker
from tiny_project import TinyProject, remove, tiny_project

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "registry"))

from registry_server import RegistryServer

MODEL = Random(5).randbytes(65 << 20)
"""A weight file that is large enough for a blob of its own."""
CODE = b"cat weights/w/vocab.txt\necho one\n"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    server = RegistryServer(tmp_path_factory.mktemp("registry")).start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, registry: RegistryServer) -> Iterator[TinyProject]:
    """A recipe of all kinds of layers, built, and a portside.toml that names the registry."""
    made = tiny_project(tmp_path_factory.mktemp("project"))
    made.add(
        "port",
        install=("echo installed > done.txt",),
        files={"code.sh": CODE},
        sdists={"upstream": {"a.py": b"print(1)\n"}},
        weights={"model.bin": MODEL, "vocab.txt": b"a vocabulary\n"},
        registry=f"{registry.host}/team/models",
    )
    made.machine.run("build", "--recipe", made.full("port"))
    yield made
    remove(made)


def fresh(project: TinyProject, home: Path) -> Machine:
    """Another machine: the same checkout, an empty store, and an engine that has lost the images."""
    remove(project)
    return Machine(project.machine.checkout, home)


def runs(machine: Machine, name: str) -> str:
    return machine.run("run-container", "--recipe", name, "--command", "sh code.sh; cat done.txt").stdout


def test_push_lose_everything_pull(project: TinyProject, registry: RegistryServer, tmp_path: Path) -> None:
    name = project.full("port")
    before = project.machine.json("inspect", "--recipe", name)
    project.machine.run("push", "--recipe", name, "--tag", "first")
    there = fresh(project, tmp_path / "there")
    pulled = there.json("pull", "--recipe", name, "--tag", f"{registry.host}/team/models:first")
    assert differing(before, pulled) == []
    assert docker("image", "inspect", f"portside/{name}:latest", "--format", "{{.Id}}").strip() == before["image_id"]
    assert runs(there, name) == "a vocabulary\none\ninstalled\n"
    plan = there.json("plan", "--recipe", name, "--no-pull")
    assert {layer["state"] for layer in plan["layers"]} == {"cached"}


def test_a_one_line_edit_pushes_its_layer_and_the_config(project: TinyProject, registry: RegistryServer) -> None:
    name, machine = project.full("port"), project.machine
    machine.run("push", "--recipe", name)
    code = machine.checkout / "recipes" / name / "code.sh"
    code.write_bytes(CODE.replace(b"one", b"two"))
    try:
        push_the_edit(machine, name, registry)
    finally:
        code.write_bytes(CODE)
        machine.run("build", "--recipe", name)


def push_the_edit(machine: Machine, name: str, registry: RegistryServer) -> None:
    machine.run("build", "--recipe", name)
    layers = {layer["name"]: layer for layer in machine.json("inspect", "--recipe", name)["layers"]}
    registry.forget_requests()
    pushed = machine.json("push", "--recipe", name)
    # What `install` makes is the same as before, so of the migrated layer's two blobs only the code's is new.
    own = [layers["migrated"]["diff_ids"][-1], layers["weights"]["image_id"]]
    assert sorted(pushed["sent"]) == sorted(digest.removeprefix("sha256:") for digest in own)
    assert pushed["sent_bytes"] < layers["migrated"]["bytes"] + 10_000 < 100_000
    weights = list(layers["weights"]["diff_ids"])
    assert not [path for _, path in registry.requests() if any(digest in path for digest in weights)]


def test_an_empty_store_pulls_every_layer_and_builds_none(project: TinyProject, tmp_path: Path) -> None:
    name = project.full("port")
    before = project.machine.json("inspect", "--recipe", name)
    project.machine.run("push", "--recipe", name)
    there = fresh(project, tmp_path / "there")
    states = {layer["name"]: layer["state"] for layer in there.json("plan", "--recipe", name)["layers"]}
    assert states == dict.fromkeys(states, "pull")
    done = there.run("build", "--recipe", name, "--json")
    assert differing(before, json.loads(done.stdout)) == []
    assert "built" not in done.stderr and done.stderr.count("pulled ") == 6
    assert [path.suffix for path in (there.home / "inputs" / "sha256").iterdir()] == [".json"]
    assert runs(there, name) == "a vocabulary\none\ninstalled\n"


def test_offline_and_no_pull_ask_nobody(project: TinyProject, registry: RegistryServer, tmp_path: Path) -> None:
    name = project.full("port")
    there = fresh(project, tmp_path / "there")
    registry.forget_requests()
    for option in ("--offline", "--no-pull"):
        there.run("build", "--recipe", name, option, expect=4)
    there.run("plan", "--recipe", name, "--no-pull")
    assert registry.requests() == []


@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
def test_save_and_load(project: TinyProject, tmp_path: Path, ending: str) -> None:
    name = project.full("port")
    before = project.machine.json("inspect", "--recipe", name)
    archive = tmp_path / f"image.{ending}"
    project.machine.run("save", "--recipe", name, "--output", str(archive))
    there = fresh(project, tmp_path / "there")
    docker("load", "--input", str(archive))
    assert docker("image", "inspect", f"portside/{name}:weights", "--format", "{{.Id}}").strip() == before["image_id"]
    remove(project)
    there.run("load", "--archive", str(archive))
    assert differing(before, there.json("inspect", "--recipe", name)) == []
    assert runs(there, name) == "a vocabulary\none\ninstalled\n"


def test_what_docker_saves_loads(project: TinyProject, tmp_path: Path) -> None:
    name = project.full("port")
    project.machine.run("build", "--recipe", name, "--load-all")
    docker("tag", f"portside/{name}:migrated", f"portside/{name}-copy:v1")
    docker("save", "--output", str(tmp_path / "saved.tar"), f"portside/{name}-copy:v1", f"portside/{name}:env")
    docker("image", "rm", f"portside/{name}-copy:v1")
    before = project.machine.json("inspect", "--recipe", name)["layers"]
    there = fresh(project, tmp_path / "there")
    done = there.run("load", "--archive", str(tmp_path / "saved.tar"))
    assert all(layer["image_id"] in done.stderr for layer in before if layer["name"] in ("env", "migrated"))
    plan = {layer["name"]: layer["state"] for layer in there.json("plan", "--recipe", name, "--no-pull")["layers"]}
    assert plan == {"env": "cached", "sources": "cached", "migrated": "cached", "weights": "build"}


def test_a_foreign_image_does_not_run_as_the_recipes(project: TinyProject, tmp_path: Path) -> None:
    """Under the recipe's name it is not loaded; who gives it that name in the engine gets it refused, until a build.

    What runs meanwhile is the layer below, with the weights mounted."""
    name, machine = project.full("port"), project.machine
    machine.run("build", "--recipe", name, "--load-all")
    ref, other = f"portside/{name}:weights", f"portside/{name}:env"
    before = docker("image", "inspect", ref, "--format", "{{.Id}}")
    docker("tag", other, ref)
    docker("save", "--output", str(tmp_path / "evil.tar"), ref)
    config = {"Cmd": ["/bin/sh"]}
    make_foreign(tmp_path / "evil.tar", config)
    refused = machine.run("load", "--archive", str(tmp_path / "evil.tar"), expect=4)
    assert f"an image called {ref}, which is not the recipe's" in refused.stderr
    refused = machine.run("run-container", "--recipe", name, "--weights", "baked", "--command", "true", expect=6)
    assert f"Load the right one: invoke build --recipe {name} --layer weights" in refused.stderr
    machine.run("check", "--recipe", name, "--layer", "weights", expect=6)
    # Where it is left open how the weights come, the store's own are mounted: the foreign image is not run either.
    assert runs(machine, name) == "a vocabulary\none\ninstalled\n"
    machine.run("build", "--recipe", name)
    assert docker("image", "inspect", ref, "--format", "{{.Id}}") == before
    assert runs(machine, name) == "a vocabulary\none\ninstalled\n"


def make_foreign(path: Path, config: dict[str, object]) -> None:
    """Give the image of an archive another config, without labels."""
    with tarfile.open(path) as archive:
        files = {item.name: archive.extractfile(item).read() for item in archive if item.isfile()}  # type: ignore[union-attr]
    [row] = json.loads(files["manifest.json"])
    value = json.loads(files[row["Config"]]) | {"config": config}
    files |= {"other.json": json.dumps(value).encode()}
    files["manifest.json"] = json.dumps([row | {"Config": "other.json"}]).encode()
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
