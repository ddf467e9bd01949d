"""`verify` with an engine: what is reproducible, and what is not, with the file and the cause."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pipeline import docker
from tiny_project import TinyProject, remove, tiny_project

LIST = 'perl -e \'opendir D, "/bin"; %names = map { $_ => 1 } readdir D; print "$_\\n" for keys %names\' > listing'


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyProject]:
    made = tiny_project(tmp_path_factory.mktemp("verify"))
    yield made
    remove(made)


def verdict(project: TinyProject, name: str, *, reproducible: bool) -> dict[str, Any]:
    done = project.machine.run("verify", "--recipe", name, "--offline", "--json", expect=0 if reproducible else 9)
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["reproducible"] is reproducible
    return report


def findings(report: dict[str, Any]) -> dict[str, list[str]]:
    """path -> the kinds of its causes."""
    rows = [finding for part in report["parts"] for finding in part["findings"]]
    return {row["path"].rpartition("/")[2]: [cause["kind"] for cause in row["causes"]] for row in rows}


def test_a_recipe_without_accidents_is_reproducible(project: TinyProject) -> None:
    name = project.add(
        "good",
        install=({"run": "cat code.py > copy && mkdir -m 700 folder && ln copy hard", "files": ["code.py"]},),
        files={"code.py": b"print(1)\n", "other.py": b"print(2)\n"},
        sdists={"lib": {"x.py": b"import torch\ntorch.zeros(1).cuda()\n"}},
        repositories={"repo": {"README": b"read me\n"}},
        weights={"small.bin": b"small", "big.bin": bytes(65 << 20)},
        migration={"ruleset": "mlu", "sources": ["lib"]},
    )
    report = verdict(project, name, reproducible=True)
    assert all(part["diff_ids"][0] == part["diff_ids"][1] for part in report["parts"]) and findings(report) == {}
    kinds = {part["kind"] for part in report["parts"]}
    assert kinds == {"base", "data", "run", "frame"}
    built = project.machine.json("inspect", "--recipe", name)
    assert report["image_ids"] == [built["image_id"]] * 2
    assert any("umask" in line for line in report["varied"])
    assert "is reproducible" in project.machine.run("verify", "--recipe", name, "--offline").stdout


def test_the_date_is_named(project: TinyProject) -> None:
    name = project.add("date", install=("date > stamp",))
    report = verdict(project, name, reproducible=False)
    assert findings(report) == {"stamp": ["time"]}
    (part,) = (part for part in report["parts"] if not part["reproducible"])
    assert (part["layer"], part["name"]) == ("migrated", "install")
    assert part["findings"][0]["step"] == "RUN date > stamp"
    assert list(report["advice"]) == ["time"] and "SOURCE_DATE_EPOCH" in report["advice"]["time"]


def test_a_day_that_both_builds_share_is_named(project: TinyProject) -> None:
    name = project.add("day", install=("date +%F > day",))
    report = verdict(project, name, reproducible=False)
    assert findings(report) == {"day": ["time"]}


def test_random_numbers_are_named(project: TinyProject) -> None:
    name = project.add("random", install=("bash -c 'echo $RANDOM $RANDOM > number'",))
    report = verdict(project, name, reproducible=False)
    assert findings(report) == {"number": ["random"]}
    text = project.machine.run("verify", "--recipe", name, "--offline", expect=9).stdout
    assert "migrated/install  DIFFERS" in text and "/number  (" in text and "        random: " in text
    assert "not reproducible: migrated/install" in text


def test_the_order_of_a_hash_table_is_named(project: TinyProject) -> None:
    name = project.add("order", install=(LIST,))
    assert findings(verdict(project, name, reproducible=False)) == {"listing": ["order"]}


def test_several_accidents_are_told_apart_and_both_builds_kept(project: TinyProject) -> None:
    lines = ("date +%s > seconds", LIST, "mkdir logs && touch logs/run-$(date +%N)", "echo fine > fine")
    name = project.add("several", install=lines)
    folder = project.machine.checkout.parent / "kept"
    done = project.machine.run("verify", "--recipe", name, "--offline", "--keep", str(folder), "--json", expect=9)
    found = findings(json.loads(done.stdout))
    logs = {path: kinds for path, kinds in found.items() if path.startswith("run-")}
    assert len(logs) == 2 and all(kinds == ["random"] for kinds in logs.values())
    assert {path: kinds for path, kinds in found.items() if path not in logs} == {
        "seconds": ["time"],
        "listing": ["order"],
    }
    first, second = (str(folder / f"migrated-install.{number}.tar") for number in (1, 2))
    report = project.machine.json("diff", first, second)
    assert {row["path"].rpartition("/")[2] for row in report["files"]} == set(found)
    project.machine.run("diff", first, second, "--exit-code", expect=1)
    project.machine.run("diff", first, first, "--exit-code")


def test_nothing_stays_behind(project: TinyProject) -> None:
    """No image of the second build in the engine, no scratch store; what the store has is the first build still."""
    name = project.add("clean", install=("date +%N > stamp",))
    built = project.machine.json("build", "--recipe", name, "--offline")
    blobs = project.machine.blobs()
    verdict(project, name, reproducible=False)
    assert project.machine.json("inspect", "--recipe", name) == built
    assert project.machine.blobs() == blobs
    assert list((project.machine.home / "work").iterdir()) == []
    tags = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}", "--no-trunc").splitlines()
    mine = [tag for tag in tags if tag.startswith(f"portside/{name}:weights")]
    assert mine == [f"portside/{name}:weights {built['image_id']}"]
