"""The chatglm recipes themselves, from lock to checks, on stand-ins of everything that they take from elsewhere."""

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chatglm_standins import ARCHIVE, RECIPES, Standins, wheel
from file_systems import differences, of_build, of_plain_build
from pipeline import Machine, checkout

from portside.lock.bases import ArchiveBase
from portside.lock.file import read_lock


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chatglm")


@pytest.fixture(scope="module")
def standins(root: Path) -> Iterator[Standins]:
    made = Standins(Machine(checkout(root / "checkout"), root / "home"), root)
    made.prepare()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def machine(standins: Standins) -> Machine:
    return standins.machine


@pytest.fixture(scope="module")
def before(standins: Standins, machine: Machine) -> str:
    """What a machine says that lacks the vendor's files."""
    for recipe in RECIPES:
        machine.run("lock", "--recipe", standins.full(recipe))
    return machine.run("build", "--recipe", standins.full("chatglm-finetune"), expect=4).stderr


def test_everything_that_is_missing_is_told_at_once(before: str) -> None:
    assert ARCHIVE in before
    assert "cndsp-0.8.0-py3-none-any.whl" in before
    assert "locked when first seen" in before
    assert "and later, for run targets that read data:\n  AdvertiseGen.tar.gz" in before
    assert "pytorch_model-00001" not in before, "it is in the folder"


def test_plan_and_render_do_without(before: str, machine: Machine, standins: Standins, root: Path) -> None:
    chatglm = standins.full("chatglm")
    rows = machine.json("plan", "--recipe", chatglm)["layers"]
    assert ARCHIVE in rows[0]["parts"][0]["reasons"][0]
    machine.run("render", "--recipe", chatglm, "--output", str(root / "rendered"))
    assert "ARG BASE\nFROM ${BASE} AS env" in (root / "rendered" / "Dockerfile").read_text()
    assert (root / "rendered" / "migrated" / "chatglm-6b_mlu" / "modeling_chatglm.py").is_file()


@pytest.fixture(scope="module")
def built(before: str, machine: Machine, standins: Standins) -> dict[str, Any]:
    """Each recipe's report, in their order; `blobs`: what the store had after the first."""
    standins.bring_vendors_files()
    reports: dict[str, Any] = {}
    for recipe in RECIPES:
        reports[recipe] = machine.json("build", "--recipe", standins.full(recipe))
        reports.setdefault("blobs", machine.blobs())
    return reports


def test_first_sight_pins_the_vendors_files(built: Any, machine: Machine, standins: Standins) -> None:
    lock = read_lock(machine.checkout / "recipes" / f"{standins.full('chatglm-finetune')}.lock")
    assert lock is not None
    assert lock.unpinned() == []
    assert isinstance(lock.base, ArchiveBase)
    assert lock.base.reference == standins.reference
    assert lock.base.epoch == 1677658150  # what its config calls created
    archive = (machine.checkout.parent / "files" / ARCHIVE).read_bytes()
    assert lock.base.sha256 == hashlib.sha256(archive).hexdigest()


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_layer_passes_its_checks(built: Any, machine: Machine, standins: Standins, recipe: str) -> None:
    assert machine.run("check", "--recipe", standins.full(recipe)).stderr.count(" passed") == 5


def test_recipes_share_what_they_have_in_common(built: Any, machine: Machine) -> None:
    chatglm, *others = [{layer["name"]: layer for layer in built[recipe]["layers"]} for recipe in RECIPES]
    for other in others:
        assert other["weights"]["diff_ids"] == chatglm["weights"]["diff_ids"]
        count = len(chatglm["env"]["diff_ids"])
        assert other["env"]["diff_ids"][:count] == chatglm["env"]["diff_ids"]
        # chatglm-finetune has another transformers.
        assert len(set(other["sources"]["diff_ids"]) & set(chatglm["sources"]["diff_ids"])) >= 2
    blobs = machine.blobs()
    assert {name: blobs[name] for name in built["blobs"]} == built["blobs"]


def test_the_vendors_environment_stays(built: Any, machine: Machine, standins: Standins) -> None:
    command = "echo $PATH $NEUWARE_HOME; command -v python3"
    done = machine.run("run-container", "--recipe", standins.full("chatglm"), "--command", command)
    lines = done.stdout.split()
    assert lines[0].startswith("/torch/venv3/pytorch/bin:/usr/local/neuware/bin:")
    assert lines[1:] == ["/usr/local/neuware", "/torch/venv3/pytorch/bin/python3"]


def test_a_plain_docker_build_gives_the_same_files(
    built: Any, machine: Machine, standins: Standins, root: Path
) -> None:
    loaded = subprocess.run(["docker", "load", "--quiet", "--input", root / "files" / ARCHIVE], capture_output=True)
    assert loaded.returncode == 0, loaded.stderr
    context = root / "plain"
    machine.run("render", "--recipe", standins.full("chatglm"), "--output", str(context))
    plain = of_plain_build(context, f"portside-test/chatglm:{standins.suffix}")
    assert differences(of_build(machine.home, built["chatglm"], foreign=2), plain) == []


def test_the_lock_below_moved(built: Any, machine: Machine, standins: Standins, root: Path) -> None:
    """A newer need of transformers in chatglm: recipes above it build as before, say so, and `lock` takes it over."""
    locks = {path: path.read_text() for path in (machine.checkout / "recipes").glob("chatglm*.lock")}
    file, data = wheel("filelock", "6.0", {})
    (root / "index" / file).write_bytes(data)
    chatglm, ptuning, parallel = map(standins.full, RECIPES[:3])
    machine.run("lock", "--recipe", chatglm, "--update", "filelock")
    told = machine.run("build", "--recipe", parallel).stderr
    assert "wheel filelock: 1.0 -> 6.0" in told
    assert f"invoke lock --recipe {parallel}" in told
    assert machine.json("inspect", "--recipe", parallel) == built["chatglm-ptuning-parallel"]
    told = machine.run("lock", "--recipe", parallel).stderr
    assert f"{parallel} extends {ptuning}, which is locked first" in told
    for recipe in (chatglm, ptuning, parallel):
        lock = read_lock(machine.checkout / "recipes" / f"{recipe}.lock")
        assert lock is not None and lock.env.python is not None
        assert [w.version for w in lock.env.python.wheels if w.name == "filelock"] == ["6.0"]
        assert "is older than" not in machine.run("plan", "--recipe", recipe).stderr
    for path, text in locks.items():
        path.write_text(text)


def test_upstream_moved(built: Any, machine: Machine, standins: Standins, root: Path) -> None:
    """One line changed in a pinned file: the build stops with the step, the file and the line."""
    folder = root / "git" / "chatglm-6b"
    path = folder / "modeling_chatglm.py"
    lines = path.read_text().splitlines()
    number = lines.index("    if empty_init:") + 1
    lines[number - 1] = "    if empty_init is True:"
    path.write_text("\n".join(lines) + "\n")
    commit = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qam", "moved"]
    subprocess.run(commit, cwd=folder, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True)
    standins.set_commit("chatglm-6b", head.stdout.strip())
    machine.run("lock", "--recipe", standins.full("chatglm"))
    told = machine.run("build", "--recipe", standins.full("chatglm"), expect=8).stderr
    recipe = machine.checkout / "recipes" / f"{standins.full('chatglm')}.yaml"
    line = recipe.read_text().splitlines().index("  - name: torch 1.9 has no skip_init, its uses") + 1
    assert f"{recipe}:{line}: patch step 2 (torch 1.9 has no skip_init, its uses)" in told
    assert "must change 4 places, but 3 are there" in told
    places, close = told.split("close to it:")
    assert places.count(": if empty_init:") == 3
    assert f"chatglm-6b_mlu/modeling_chatglm.py:{number + 1}: if empty_init is True:" in close
    assert ": if empty_init:" not in close
