"""chatglm-cpu itself, from lock to checks, on Debian's own packages; torch and all of upstream are stand-ins."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chatglm_standins import CPU, Standins
from pipeline import Machine, checkout

from portside.lock.file import read_lock


@pytest.fixture
def standins(tmp_path: Path) -> Iterator[Standins]:
    made = Standins(Machine(checkout(tmp_path / "checkout"), tmp_path / "home"), tmp_path)
    made.prepare()
    yield made
    made.remove()


def test_from_lock_to_checks(standins: Standins) -> None:
    machine, name = standins.machine, standins.full(CPU)
    committed = read_lock(machine.checkout / "recipes" / f"{name}.lock")
    machine.run("lock", "--recipe", name)
    lock = read_lock(machine.checkout / "recipes" / f"{name}.lock")
    assert committed is not None
    assert lock is not None
    assert (lock.base, lock.env.debs) == (committed.base, committed.env.debs)
    assert lock.env.python is not None
    assert {wheel.file for wheel in lock.env.python.wheels} >= {"torch-2.13.0+cpu-py3-none-any.whl"}
    machine.run("fetch", "--recipe", name)
    built = machine.json("build", "--recipe", name)
    assert built == machine.json("inspect", "--recipe", name)
    assert machine.run("check", "--recipe", name).stderr.count(" passed") == 5
    where = "import torch, transformers; print(transformers.__file__)"
    look = f"grep -c 'float()' cli_demo.py web_demo.py api.py; python3 -c '{where}'"
    workspace = f"/workspace/{standins.full('chatglm')}"
    assert machine.run("run-container", "--recipe", name, "--command", look).stdout.split() == [
        *("cli_demo.py:1", "web_demo.py:1", "api.py:1"),
        f"{workspace}/transformers_cpu/src/transformers/__init__.py",
    ]
