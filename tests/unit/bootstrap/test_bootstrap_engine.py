"""scripts/invoke and what tasks need besides Python: an engine, mmdebstrap, the rights to install them."""

import subprocess
from pathlib import Path

import pytest
from bootstrap_machine import Machine

CALL = ("build", "--recipe", "debian")


def test_fresh_machine_as_root(machine: Machine) -> None:
    done = machine.run(*CALL, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("folder: "), "stdout belongs to the task"
    assert "chatter" not in done.stderr
    for package in ("docker.io", "mmdebstrap"):
        assert done.stderr.count(f"portside: installing {package}: ") == 1
    assert "starting the engine" in done.stderr
    # its package lists are empty, so one try fails
    assert [call.split()[1] for call in machine.calls("apt-get")] == ["install", "update", "install"]
    assert machine.calls("apt-get")[-1].endswith(" mmdebstrap docker.io")
    assert "--no-install-recommends" in machine.calls("apt-get")[-1]


def test_second_call_does_nothing_twice(machine: Machine) -> None:
    machine.run(*CALL)
    before = machine.calls()
    done = machine.run(*CALL)
    assert (done.returncode, done.stderr) == (0, "")
    assert machine.calls() == before
    assert before.count("dockerd") == 1


def test_package_lists_that_serve_are_not_updated(machine: Machine) -> None:
    machine.mark("lists")
    machine.run(*CALL)
    assert [call.split()[1] for call in machine.calls("apt-get")] == ["install"]


def test_installed_engine_is_only_started(machine: Machine) -> None:
    machine.has("docker", "dockerd")
    done = machine.run("check", "--recipe", "debian")
    assert done.returncode == 0, done.stderr
    assert machine.calls("apt-get") == []
    assert machine.calls("dockerd") == ["dockerd"]


def test_engine_that_answers_needs_no_rights(machine: Machine) -> None:
    machine.has("docker", "dockerd")
    machine.run(script="start-engine")
    done = machine.run("check", "--recipe", "debian", FAKE_UID="1000")
    assert (done.returncode, machine.calls("apt-get"), machine.calls("dockerd")) == (0, [], ["dockerd"])


def test_missing_client_is_installed_beside_an_engine(machine: Machine) -> None:
    machine.has("dockerd")
    machine.run(script="start-engine")
    done = machine.run("check", "--recipe", "debian")
    assert "portside: installing docker.io: the engine's client" in done.stderr
    assert machine.calls("dockerd") == ["dockerd"]


@pytest.mark.parametrize(
    "call",
    [
        ("plan", "--recipe", "debian"),
        ("inspect", "--recipe", "debian"),
        ("build", "--help"),
        ("--list",),
        (),
        ("run-container", "--recipe", "debian", "--dry-run"),
        ("check", "--recipe", "debian", "--engine", "podman"),
        ("check", "--recipe", "debian", "--engine=podman"),
        ("help", "build"),
    ],
)
def test_calls_that_need_nothing(machine: Machine, call: tuple[str, ...]) -> None:
    done = machine.run(*call, FAKE_UID="1000")
    assert done.returncode == 0, done.stderr
    assert machine.calls("apt-get") == []


@pytest.mark.parametrize("recipe", ["debian", "child"])
@pytest.mark.parametrize("task", ["lock", "fetch", "render", "build"])
def test_recipe_on_debian_needs_mmdebstrap(machine: Machine, task: str, recipe: str) -> None:
    machine.run(task, f"--recipe={recipe}")
    assert " mmdebstrap" in machine.calls("apt-get")[-1]


@pytest.mark.parametrize(
    "text",
    [
        "base:\n  archive: vendor.tar\nenv:\n  debian:\n    - git\n",
        "extends: debian\nbase:\n  archive: vendor.tar\n",
        "extends: other\n",
        "extends: nothing-of-this-name\n",
    ],
)
def test_recipe_on_something_else_needs_none(machine: Machine, text: str) -> None:
    (machine.clone / "recipes" / "other.yaml").write_text(text)
    done = machine.run("render", "--recipe", "other")
    assert done.returncode == 0, done.stderr
    assert machine.calls("apt-get") == []


def test_recipe_name_does_not_leave_the_folder(machine: Machine) -> None:
    (machine.clone / "outside.yaml").write_text("base:\n  debian:\n    suite: bookworm\n")
    assert machine.run("render", "--recipe", "../outside").returncode == 0
    assert machine.calls("apt-get") == []


def test_without_rights_the_commands_are_printed(machine: Machine) -> None:
    done = machine.run(*CALL, FAKE_UID="1000")
    assert done.returncode == 6
    assert done.stdout == ""
    assert "  sudo apt-get update\n" in done.stderr
    assert "  sudo apt-get install --no-install-recommends mmdebstrap uidmap docker.io\n" in done.stderr
    assert f"  sudo PORTSIDE_ENGINE_ROOT={machine.engine} {machine.clone}/scripts/start-engine\n" in done.stderr
    assert machine.calls("apt-get") == machine.calls("dockerd") == []


def test_sudo_without_a_password_is_used(machine: Machine) -> None:
    machine.has("sudo")
    done = machine.run(*CALL, FAKE_UID="1000")
    assert done.returncode == 0, done.stderr
    assert machine.calls("sudo -n env ")
    assert machine.calls("dockerd") == ["dockerd"]
    assert machine.calls("apt-get")[-1].endswith(" mmdebstrap uidmap docker.io")
    before = machine.calls("apt-get")
    assert machine.run(*CALL, FAKE_UID="1000").returncode == 0
    assert machine.calls("apt-get") == before


def test_apt_that_fails_shows_its_last_lines(machine: Machine) -> None:
    machine.mark("apt-fails")
    done = machine.run(*CALL)
    assert done.returncode == 6
    assert done.stdout == ""
    assert "E: the mirror is on fire" in done.stderr
    log = Path(done.stderr.rpartition("the whole log: ")[2].strip())
    assert "chatter" in log.read_text()


def test_other_distribution_is_told_what_is_needed(machine: Machine) -> None:
    (machine.folder / "bin" / "apt-get").unlink()
    done = machine.run(*CALL)
    assert done.returncode == 6
    assert "missing here: mmdebstrap docker.io" in done.stderr
    assert "no Debian or Ubuntu" in done.stderr


def test_engine_named_by_docker_host_is_only_checked(machine: Machine) -> None:
    nowhere = f"unix://{machine.folder}/none.sock"
    done = machine.run("check", PORTSIDE_ENGINE_ROOT="", DOCKER_HOST=nowhere)
    assert done.returncode == 6
    assert f"no engine answers at {nowhere}" in done.stderr
    assert machine.calls("apt-get") == machine.calls("dockerd") == []


def test_engine_named_by_docker_host_is_used(machine: Machine) -> None:
    machine.has("docker", "dockerd")
    machine.run(script="start-engine")
    done = machine.run("check", PORTSIDE_ENGINE_ROOT="", DOCKER_HOST=f"unix://{machine.engine}/docker.sock")
    assert done.returncode == 0, done.stderr


def test_engine_of_another_context_is_left_to_the_task(machine: Machine) -> None:
    (machine.folder / ".docker").mkdir()
    (machine.folder / ".docker" / "config.json").write_text('{\n\t"auths": {},\n\t"currentContext": "lab"\n}')
    machine.has("docker")
    done = machine.run("check", PORTSIDE_ENGINE_ROOT="", FAKE_PING="1")
    assert (done.returncode, machine.calls("apt-get")) == (0, [])


def test_engine_that_this_user_may_not_use(machine: Machine) -> None:
    machine.has("docker")
    done = machine.run("check", FAKE_PING="2", FAKE_UID="1000")
    assert done.returncode == 6
    assert "sudo usermod -aG docker someone" in done.stderr
    assert machine.calls("apt-get") == []


def test_start_engine_leaves_nothing_of_the_caller_in_the_daemon(machine: Machine) -> None:
    machine.has("dockerd")
    done = machine.run(script="start-engine")
    assert done.returncode == 0, done.stderr
    files = (machine.folder / "inherited").read_text().splitlines()
    assert sorted(set(files)) == sorted({"/dev/null", str(machine.engine / "engine.log")})
    assert (machine.folder / "folder").read_text() == "/"


def test_start_engine_twice_starts_one(machine: Machine) -> None:
    machine.has("dockerd")
    both = [machine.start(script="start-engine") for _ in range(2)]
    for process in both:
        assert process.communicate(timeout=30)[0] == ""
    assert [process.returncode for process in both] == [0, 0]
    assert machine.run(script="start-engine").returncode == 0
    assert machine.calls() == ["dockerd"]


def test_start_engine_after_a_hard_kill(machine: Machine) -> None:
    machine.has("dockerd")
    machine.run(script="start-engine")
    machine.stop_daemon()
    with subprocess.Popen(["sleep", "30"]) as other:
        (machine.engine / "docker.pid").write_text(str(other.pid))
        done = machine.run(script="start-engine")
        other.kill()
    assert done.returncode == 0, done.stderr
    assert machine.calls() == ["dockerd", "dockerd"]


def test_start_engine_that_fails_shows_the_log(machine: Machine) -> None:
    machine.has("docker", "dockerd")
    machine.mark("dockerd-fails")
    done = machine.run("check")
    assert done.returncode == 6
    assert "no space left on device" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("options", [("--bridge=none",), ("--bridge", "none"), ("--bip", "10.9.0.1/24")])
def test_start_engine_keeps_the_bridge_of_the_machines_engine(machine: Machine, options: tuple[str, ...]) -> None:
    machine.has("dockerd")
    done = machine.run("--", *options, script="start-engine")
    removes = "none" in " ".join(options)
    assert done.returncode == (2 if removes else 0), done.stderr
    assert machine.calls() == ([] if removes else ["dockerd"])


def test_start_engine_without_rights(machine: Machine) -> None:
    machine.has("dockerd")
    done = machine.run(script="start-engine", FAKE_UID="1000")
    assert done.returncode == 6
    assert f"sudo {machine.clone}/scripts/start-engine" in done.stderr
    assert machine.calls() == []


def test_start_engine_explains_itself(machine: Machine) -> None:
    done = machine.run("--help", script="start-engine")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: scripts/start-engine")
    assert machine.run("--bogus", script="start-engine").returncode == 2


def test_podman_is_used_where_docker_is_not_installed(machine: Machine) -> None:
    machine.has("podman")
    done = machine.run("check", "--recipe", "debian", FAKE_PING="1", PORTSIDE_ENGINE_ROOT="", FAKE_UID="1000")
    assert (done.returncode, machine.calls("apt-get")) == (0, []), done.stderr


@pytest.mark.parametrize(
    ("call", "installed", "changes"),
    [
        (("check", "--recipe", "debian"), (), {"FAKE_PODMAN": "3.4.4"}),
        (("check", "--recipe", "debian"), (), {"PORTSIDE_ENGINE": "docker"}),
        (("check", "--recipe", "debian", "--engine", "docker"), (), {}),
        (("check", "--recipe", "debian"), ("docker", "dockerd"), {}),
        (("test",), (), {}),
    ],
)
def test_podman_is_no_substitute(
    machine: Machine, call: tuple[str, ...], installed: tuple[str, ...], changes: dict[str, str]
) -> None:
    machine.has("podman", *installed)
    done = machine.run(*call, FAKE_PING="1", PORTSIDE_ENGINE_ROOT="", FAKE_UID="1000", **changes)
    assert done.returncode == 6
    assert ("docker.io: the engine that executes" in done.stderr) == (not installed)
    assert "scripts/start-engine" in done.stderr
