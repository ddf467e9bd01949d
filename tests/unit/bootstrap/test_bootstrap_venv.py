"""scripts/invoke and the virtual environment: made once, pinned, whole or made again."""

import os
import shutil
import signal
import subprocess

import pytest
from bootstrap_machine import Machine


def test_first_call_sets_up_and_runs_invoke_in_the_root(machine: Machine) -> None:
    done = machine.run("plan", "--recipe", "a b", PYTHONDONTWRITEBYTECODE="1")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"folder: {machine.clone}\narguments: plan --recipe a b\nsettings of Python: PYTHONUTF8=1\n"
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["portside"] * 2
    assert "making the virtual environment" in done.stderr
    assert "requirements/run.txt" in done.stderr
    assert machine.calls() == ["venv", "pip requirements/run.txt"]


def test_the_callers_settings_of_python_and_cd_do_not_matter(machine: Machine) -> None:
    """With PYTHONSAFEPATH portside would not be found, with CDPATH `cd` may go elsewhere and prints where it went."""
    (machine.folder / "elsewhere" / "scripts").mkdir(parents=True)
    names = ("PYTHONSAFEPATH", "PYTHONPATH", "PYTHONHOME", "PYTHONOPTIMIZE", "PYTHONWARNINGS", "PYTHONIOENCODING")
    settings = dict.fromkeys(names, "1") | {"PYTHONUTF8": "0", "CDPATH": str(machine.folder / "elsewhere")}
    environment = machine.environment(**settings)
    done = subprocess.run(
        ["scripts/invoke", "plan"], cwd=machine.clone, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"folder: {machine.clone}\narguments: plan\nsettings of Python: PYTHONUTF8=1\n"


def test_second_call_only_looks(machine: Machine) -> None:
    machine.run("plan")
    before = machine.calls()
    done = machine.run("plan")
    assert (done.returncode, done.stderr) == (0, "")
    assert machine.calls() == before


def test_no_arguments_list_the_tasks(machine: Machine) -> None:
    assert "arguments: --list\n" in machine.run().stdout


def test_developers_tools_come_with_test_and_on_demand(machine: Machine) -> None:
    machine.run("plan")
    machine.run("--version", PORTSIDE_DEV="1")
    assert machine.calls() == ["venv", "pip requirements/run.txt", "pip requirements/dev.txt"]
    machine.run("plan")
    machine.run("--version", PORTSIDE_DEV="1")
    assert len(machine.calls()) == 3


def test_killed_set_up_is_done_again(machine: Machine) -> None:
    machine.mark("pip-hangs")
    process = machine.start("plan")
    machine.wait_for_call("pip")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (machine.venv / "run.stamp").exists()

    left_over = machine.venv / "bin" / "half-written"
    left_over.touch()
    machine.mark("pip-hangs", on=False)
    done = machine.run("plan")
    assert done.returncode == 0, done.stderr
    assert machine.calls() == ["venv", "pip requirements/run.txt"] * 2
    assert not left_over.exists()


def test_failed_set_up_shows_why_and_is_done_again(machine: Machine) -> None:
    machine.mark("pip-fails")
    done = machine.run("plan")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "DO NOT MATCH THE HASHES" in done.stderr
    machine.mark("pip-fails", on=False)
    assert machine.run("plan").returncode == 0


@pytest.mark.parametrize("name", ["PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON"])
def test_pip_installs_here_wherever_else_it_is_set_to(machine: Machine, name: str) -> None:
    done = machine.run("plan", **{name: "1"})
    assert done.returncode == 0, done.stderr


def test_many_at_once_set_up_once(machine: Machine) -> None:
    processes = [machine.start("plan") for _ in range(5)]
    errors = [process.communicate(timeout=30)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 5, errors
    assert machine.calls() == ["venv", "pip requirements/run.txt"]


def test_second_one_says_that_it_waits(machine: Machine) -> None:
    machine.mark("pip-hangs")
    first = machine.start("plan")
    machine.wait_for_call("pip")
    second = machine.start("plan")
    assert second.stderr is not None
    assert "waiting for another set-up" in second.stderr.readline()
    machine.mark("pip-hangs", on=False)
    assert [process.communicate(timeout=30)[0][:6] for process in (first, second)] == ["folder"] * 2
    assert machine.calls() == ["venv", "pip requirements/run.txt"]


def test_new_requirements_make_it_anew(machine: Machine) -> None:
    machine.run("plan", PORTSIDE_DEV="1")
    with (machine.clone / "requirements" / "run.txt").open("a") as file:
        file.write("more==1\n")
    machine.run("plan", PORTSIDE_DEV="1")
    assert machine.calls() == ["venv", "pip requirements/run.txt", "pip requirements/dev.txt"] * 2


def test_copied_clone_makes_its_own(machine: Machine) -> None:
    machine.run("plan")
    copy = machine.folder / "copy"
    shutil.copytree(machine.clone, copy, symlinks=True)
    done = machine.run("plan", script="../../copy/scripts/invoke")
    assert f"folder: {copy}\n" in done.stdout
    assert machine.calls("venv") == ["venv", "venv"]


def test_place_can_be_chosen(machine: Machine) -> None:
    place = machine.folder / "else where"
    assert machine.run("plan", PORTSIDE_VENV=str(place)).returncode == 0
    assert (place / "bin" / "invoke").exists()
    assert not machine.venv.exists()


def test_somebody_elses_folder_is_left_alone(machine: Machine) -> None:
    theirs = machine.folder / "theirs"
    (theirs / "bin").mkdir(parents=True)
    (theirs / "thesis.txt").write_text("years of work")
    done = machine.run("plan", PORTSIDE_VENV=str(theirs))
    assert done.returncode == 1
    assert "was not made by scripts/invoke" in done.stderr
    assert sorted(path.name for path in theirs.iterdir()) == ["bin", "thesis.txt"]


def test_python_that_is_too_old(machine: Machine) -> None:
    (machine.folder / "bin" / "python3").write_text("#!/bin/sh\nexit 1\n")
    done = machine.run("plan")
    assert done.returncode == 1
    assert "no Python 3.10 or newer" in done.stderr
    assert machine.calls() == []


def test_missing_venv_module_is_installed_by_root(machine: Machine) -> None:
    machine.mark("no-ensurepip")
    done = machine.run("plan")
    assert done.returncode == 0, done.stderr
    assert "portside: installing python3-venv: " in done.stderr
    assert machine.calls("apt-get install")[-1].endswith(" python3-venv")


def test_missing_venv_module_is_asked_of_others(machine: Machine) -> None:
    machine.mark("no-ensurepip")
    done = machine.run("plan", FAKE_UID="1000")
    assert done.returncode == 6
    assert "sudo apt-get install --no-install-recommends python3-venv\n" in done.stderr
    assert machine.calls() == []
