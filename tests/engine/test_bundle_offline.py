"""A bundle on another machine: an empty store, another checkout, no network, the same image."""

import shutil
from pathlib import Path

import pytest
from pipeline import Machine, checkout
from tiny_project import remove, tiny_project


def test_a_bundle_builds_the_same_image_without_a_network(tmp_path: Path) -> None:
    project = tiny_project(tmp_path / "first")
    project.add("lower", install=("echo lower > lower",), files={"lower.py": b"print(0)\n"})
    name = project.add(
        "upper",
        extends="lower",
        install=({"run": "cat code.py > copy", "files": ["code.py"]},),
        files={"code.py": b"print(1)\n"},
        sdists={"lib": {"x.py": b"import torch\ntorch.zeros(1).cuda()\n"}},
        repositories={"repo": {"README": b"read me\n", "data": bytes(100_000)}},
        weights={"small.bin": b"small", "big.bin": bytes(65 << 20)},
        migration={"ruleset": "mlu", "sources": ["lib"]},
    )
    try:
        built = project.machine.json("build", "--recipe", name, "--offline")
        archive = tmp_path / "upper.bundle"
        told = project.machine.json("bundle", "--recipe", name, "--output", str(archive), "--offline")
        assert told["bytes"] == archive.stat().st_size
        remove(project)
        shutil.rmtree(tmp_path / "first" / "upstream")

        other = Machine(checkout(tmp_path / "second"), tmp_path / "home", prefix=("unshare", "--net"))
        shutil.rmtree(other.checkout / "recipes")
        assert other.json("unbundle", "--archive", str(archive))["same_keys"] is True
        other.run("build", "--recipe", name, "--offline")
        assert other.json("inspect", "--recipe", name) == built
        other.run("verify", "--recipe", name, "--offline")
    finally:
        remove(project)


@pytest.mark.parametrize("arguments", [("bundle", "--recipe", "none"), ("unbundle", "--archive", "none")])
def test_mistakes_are_told(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    machine = Machine(checkout(tmp_path / "checkout"), tmp_path / "home")
    output = ("--output", "x") if arguments[0] == "bundle" else ()
    done = machine.run(*arguments, *output, expect=2 if arguments[0] == "bundle" else 4)
    assert done.stderr.startswith("error: ") and "Traceback" not in done.stderr
