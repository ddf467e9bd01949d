"""`minilm` from its committed lock to a running container, and once more on "another machine"."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from file_systems import differences, of_build, of_plain_build
from own_left import remove_cache
from pipeline import Machine, checkout, docker, own_names, remove_images, with_inputs_of

IMAGE_ID = "sha256:9f1c63f917a78d5f9a8aa960d1373e9b0749a003ba9c24f5dcff1687eac204ae"
"""What the committed recipe and lock have given so far, on every machine: "Rules of determinism" in CONTRIBUTING.md."""
LAYERS = ["env", "sources", "migrated", "weights"]
LAYERS_OF = '{{join .RootFS.Layers " "}}'
IMAGES = [f"portside/minilm:{name}" for name in (*LAYERS, "latest")]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    root = tmp_path_factory.mktemp("first")
    with own_names(IMAGES):
        yield Machine(checkout(root / "checkout"), root / "home")


@pytest.fixture(scope="module")
def built(machine: Machine) -> Any:
    """The first build, from nothing: everything is fetched by its lock."""
    remove_images(IMAGES)
    return machine.json("build", "--recipe", "minilm")


def test_a_build_gives_four_layers(built: Any, machine: Machine) -> None:
    assert [layer["name"] for layer in built["layers"]] == LAYERS
    assert built["image_id"] == built["layers"][-1]["image_id"] == IMAGE_ID
    assert docker("image", "inspect", "--format", "{{.Id}}", "portside/minilm:latest").strip() == built["image_id"]
    assert machine.json("inspect", "--recipe", "minilm") == built


def test_other_tools_read_the_store(built: Any, machine: Machine) -> None:
    place = f"oci:{machine.home}/oci:minilm:weights"
    found = json.loads(subprocess.run(["skopeo", "inspect", place], capture_output=True, check=True).stdout)
    layers = {layer["name"]: layer["diff_ids"] for layer in built["layers"]}
    stacked = ("env", "weights", "sources", "migrated")
    assert found["Layers"] == [diff_id for name in stacked for diff_id in layers[name]]
    assert found["Labels"]["portside.recipe"] == "minilm"


def test_every_layer_passes_its_checks(built: Any, machine: Machine) -> None:
    output = machine.run("check", "--recipe", "minilm").stderr
    assert all(f"--- {name}" in output for name in LAYERS)
    assert output.count(" passed") == 5  # the recipe's own are a run of their own
    assert "run with your rights" not in output


def test_a_changed_image_fails_its_checks(built: Any, machine: Machine) -> None:
    """What was tampered with is not what is checked: the finished image is refused, and of a layer below, which a build
    does not load, the right one is loaded."""
    tampered = "FROM portside/minilm:weights\nRUN echo x >> /workspace/minilm/embed.py"
    for name in ("weights", "migrated"):
        subprocess.run(
            ["docker", "build", "--network", "none", "--tag", f"portside/minilm:{name}", "-"],
            input=tampered,
            text=True,
            check=True,
            capture_output=True,
        )
    machine.run("check", "--recipe", "minilm", "--layer", "weights", expect=6)
    machine.run("check", "--recipe", "minilm", "--layer", "migrated")
    image_id = docker("image", "inspect", "--format", "{{.Id}}", "portside/minilm:migrated").strip()
    assert image_id == built["layers"][2]["image_id"]
    machine.run("build", "--recipe", "minilm")
    machine.run("check", "--recipe", "minilm", "--layer", "weights")


def test_the_image_runs(built: Any, machine: Machine) -> None:
    done = machine.run("run-container", "--recipe", "minilm", "--command", 'python3 embed.py "A cat." "A kitten."')
    assert 0.5 < float(done.stdout) < 1


def test_a_second_build_touches_nothing(built: Any, machine: Machine) -> None:
    before = machine.blobs()
    done = machine.run("build", "--recipe", "minilm")
    assert done.stderr.count("up to date") == 4
    assert machine.blobs() == before


def test_another_machine_gets_the_same_image(built: Any, machine: Machine, tmp_path: Path) -> None:
    """Another store, checkout, time zone, locale, umask, home, clock and folder; no network, no cache, no images."""
    remove_images(IMAGES)
    home = with_inputs_of(machine.home, tmp_path / "home")
    (tmp_path / "elsewhere").mkdir()
    environment = {"TZ": "Pacific/Kiritimati", "LANG": "de_DE.ISO-8859-1", "LC_ALL": "C", "HOME": str(tmp_path)}
    prefix = ("unshare", "--net", "--", "sh", "-c", 'umask 077; exec faketime -f "+400d" "$@"', "sh")
    other = Machine(checkout(tmp_path / "checkout"), home, environment, prefix, tmp_path / "elsewhere")
    other.run("build", "--recipe", "minilm", "--offline", "--no-cache")
    first, second = (m.run("inspect", "--recipe", "minilm", "--json").stdout for m in (machine, other))
    assert second == first
    assert json.loads(first) == built


def test_one_character_rebuilds_one_layer(built: Any, machine: Machine, tmp_path: Path) -> None:
    edited = Machine(checkout(tmp_path / "checkout"), machine.home)
    script = edited.checkout / "recipes" / "minilm" / "embed.py"
    script.write_text(script.read_text().replace('"""How alike', '"""how alike'))
    before = machine.blobs()
    plan = edited.json("plan", "--recipe", "minilm")
    assert {layer["name"]: layer["state"] for layer in plan["layers"]} == {
        "env": "cached",
        "sources": "cached",
        "migrated": "build",
        "weights": "cached",
    }
    reasons = {part["name"]: part["reasons"] for part in plan["layers"][2]["parts"]}
    assert (reasons["trees"], reasons["install"]) == ([], [])
    assert [reason for reason in reasons["files"] if "embed.py" in reason] == reasons["files"] != []
    before_it = set(docker("image", "inspect", "--format", LAYERS_OF, "portside/minilm:weights").split())
    rebuilt = edited.json("build", "--recipe", "minilm")
    after_it = set(docker("image", "inspect", "--format", LAYERS_OF, "portside/minilm:weights").split())
    # What lies below the edit has the chain that it had, and an engine unpacks nothing of it again.
    [own] = set(rebuilt["layers"][2]["diff_ids"]) - before_it
    assert after_it - before_it == {own} == {rebuilt["layers"][2]["diff_ids"][-1]}
    for old, new in zip(built["layers"], rebuilt["layers"], strict=True):
        assert (old["diff_ids"] == new["diff_ids"]) == (old["name"] != "migrated")
        assert (old["key"] == new["key"]) == (old["name"] != "migrated")
    after = machine.blobs()
    assert {name: after[name] for name in before} == before
    machine.run("build", "--recipe", "minilm")


def test_a_plain_docker_build_gives_the_same_files(built: Any, machine: Machine, tmp_path: Path) -> None:
    machine.run("render", "--recipe", "minilm", "--output", str(tmp_path / "context"))
    plain = of_plain_build(tmp_path / "context", f"portside-test/plain:{os.getpid()}")
    assert differences(of_build(machine.home, built), plain) == []


def take_base(machine: Machine, of: Machine, built: Any) -> None:
    """Put the base of `of` into a store that may not have made its own yet."""
    base = Path("oci", "blobs", "sha256", built["layers"][0]["diff_ids"][0].removeprefix("sha256:"))
    (machine.home / base.parent).mkdir(parents=True, exist_ok=True)
    if not (machine.home / base).exists():
        os.link(of.home / base, machine.home / base)


@pytest.fixture
def killed(machine: Machine, built: Any, tmp_path: Path) -> Iterator[Machine]:
    yield Machine(machine.checkout, with_inputs_of(machine.home, tmp_path / "home"))
    remove_cache(tmp_path)
    shutil.rmtree(tmp_path / "home")


def test_a_build_that_is_killed_again_and_again_arrives(killed: Machine, machine: Machine, built: Any) -> None:
    moments = random.Random(7)
    for attempt in range(6):
        if attempt == 3:  # making the base takes longer than any build here may live: the others get further
            take_base(killed, machine, built)
        process = subprocess.Popen(
            killed.command("build", "--recipe", "minilm", "--offline"),
            env=killed.environ(),
            cwd=killed.checkout,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(moments.uniform(0.5, 8))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for path in (killed.home / "oci" / "blobs" / "sha256").glob("*"):
            assert len(path.name) == 64
    killed.run("build", "--recipe", "minilm", "--offline")
    assert killed.json("inspect", "--recipe", "minilm") == built
    assert list((killed.home / "partial").iterdir()) == []


def test_podman_gives_the_same_image(built: Any, machine: Machine, podman_storage: Path, tmp_path: Path) -> None:
    home = with_inputs_of(machine.home, tmp_path / "home")
    other = Machine(machine.checkout, home, {"PORTSIDE_ENGINE": "podman"})
    take_base(other, machine, built)  # both engines have the same base, which neither has a part in
    assert other.json("build", "--recipe", "minilm", "--offline") == built
    assert other.run("check", "--recipe", "minilm", "--layer", "env").stderr.count(" passed") == 1
    done = other.run("run-container", "--recipe", "minilm", "--command", 'python3 embed.py "A cat." "A kitten."')
    assert 0.5 < float(done.stdout) < 1
