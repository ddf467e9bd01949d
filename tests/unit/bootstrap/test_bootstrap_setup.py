"""scripts/setup, which the task `setup` runs: what images are built with, on machines that lack it."""

import os
import shutil
import subprocess
from pathlib import Path

import calls
import pytest
from bootstrap_machine import Machine

from portside.begin import set_up_machine
from portside.errors import EngineError

KEYS = not list(Path("/usr/share/keyrings").glob("debian-archive-keyring.[gp][pg][gp]"))
"""Whether this machine lacks the keys of Debian's archive."""


def install(packages: str) -> str:
    words = packages.split()
    if KEYS and "podman" not in words:
        words.insert(words.index("docker.io"), "debian-archive-keyring")
    elif KEYS:
        words.insert(words.index("podman"), "debian-archive-keyring")
    return f"sudo apt-get install --no-install-recommends {' '.join(words)}"


def programs(machine: Machine, *names: str) -> None:
    """Put programs into PATH that only have to be there."""
    for name in names:
        shutil.copy(machine.folder / "shelf" / "docker", machine.folder / "bin" / name)


def test_fresh_machine_as_root(machine: Machine) -> None:
    done = machine.run(script="setup")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    for package in ("git", "mmdebstrap", "docker.io"):
        assert done.stderr.count(f"portside: installing {package}: ") == 1
    assert machine.calls("dockerd") == ["dockerd"]
    assert done.stderr.endswith("portside: this machine can build images\n")
    assert not machine.venv.exists()


@pytest.mark.skipif(KEYS, reason="this machine lacks the keys of Debian's archive")
def test_what_is_there_is_left_alone(machine: Machine) -> None:
    machine.has("docker", "dockerd")
    programs(machine, "git", "mmdebstrap")
    machine.run(script="start-engine")
    before = machine.calls()
    done = machine.run(script="setup")
    assert (done.returncode, done.stderr) == (0, "portside: this machine can build images\n")
    assert machine.calls() == before


def test_without_rights_the_commands_are_printed(machine: Machine) -> None:
    done = machine.run(script="setup", FAKE_UID="1000")
    assert (done.returncode, done.stdout) == (6, "")
    assert f"  {install('git mmdebstrap uidmap docker.io')}\n" in done.stderr
    assert f"  sudo PORTSIDE_ENGINE_ROOT={machine.engine} {machine.clone}/scripts/start-engine\n" in done.stderr
    assert machine.calls("apt-get") == machine.calls("dockerd") == []


@pytest.mark.parametrize(("user", "packages"), [("0", "git docker.io"), ("1000", "git uidmap docker.io")])
def test_dry_run_prints_the_commands_and_does_nothing(machine: Machine, user: str, packages: str) -> None:
    programs(machine, "mmdebstrap")
    done = machine.run("--dry-run", script="setup", FAKE_UID=user)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "sudo apt-get update",
        install(packages),
        f"sudo PORTSIDE_ENGINE_ROOT={machine.engine} {machine.clone}/scripts/start-engine",
    ]
    assert machine.calls() == []


def test_podman_is_installed_where_it_is_asked_for(machine: Machine) -> None:
    done = machine.run("--dry-run", script="setup", PORTSIDE_ENGINE="podman", PORTSIDE_ENGINE_ROOT="")
    assert done.stdout.splitlines() == ["sudo apt-get update", install("git mmdebstrap podman")]


def test_podman_is_used_where_docker_is_not(machine: Machine) -> None:
    machine.has("podman")
    python = str(machine.folder / "shelf" / "venv-python")
    done = machine.run("--dry-run", script="setup", PORTSIDE_ENGINE_ROOT="", FAKE_PING="1", PORTSIDE_PYTHON=python)
    assert done.returncode == 0
    assert "docker.io" not in done.stdout and "start-engine" not in done.stdout


def test_it_explains_itself(machine: Machine) -> None:
    assert machine.run("--help", script="setup").stdout.startswith("Usage: scripts/setup [--dry-run]\n")
    assert machine.run("--bogus", script="setup").returncode == 2


def test_the_task_runs_it(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("DOCKER_", "PORTSIDE_"))]:
        monkeypatch.delenv(name)

    def task(*words: str, **changes: str) -> "subprocess.CompletedProcess[str]":
        environment = machine.environment(FAKE_UID="1000", **changes)
        return calls.call(Path("/"), ["setup", *words], environment, "python -m portside")

    done = task("--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1] == install("git mmdebstrap uidmap docker.io")
    done = task()
    assert (done.returncode, done.stdout) == (6, "")
    assert "have these run as root, then try again:" in done.stderr
    assert "podman" in task("--dry-run", PORTSIDE_ENGINE="podman", PORTSIDE_ENGINE_ROOT="").stdout


def test_a_machine_without_bash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="bash is not in PATH"):
        set_up_machine(None)
