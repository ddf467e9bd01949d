"""The commands that errors tell a person to run can be run as they stand."""

import re
from pathlib import Path

import pytest

from portside.cli.root import CHECKOUT as ROOT
from portside.cli.task import portside_task
from portside.errors import RECIPE, InputError
from portside.store.inputs import Inputs


def test_a_command_gets_the_recipe_of_the_task(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr("portside.cli.task.leave", leave)

    @portside_task()
    def task(c: object, recipe: str) -> None:
        Inputs(Path("/nowhere")).require("ab" * 32, "a.whl")

    with pytest.raises(SystemExit) as ended:
        task.body(None, recipe="minilm")
    assert ended.value.code == InputError.exit_code
    assert capsys.readouterr().err.endswith("Fetch it with a network: invoke fetch --recipe minilm\n")


def test_a_name_is_put_in_once() -> None:
    error = InputError("gone", f"invoke fetch --recipe {RECIPE}; or invoke lock --recipe {RECIPE} --update x")
    error.name_recipe("lower")
    error.name_recipe("upper")
    assert error.solution == "invoke fetch --recipe lower; or invoke lock --recipe lower --update x"
    InputError("nothing to do").name_recipe("x")


def test_no_message_has_a_stand_in_that_nobody_replaces() -> None:
    found = []
    for path in [*sorted((ROOT / "portside").rglob("*.py")), ROOT / "tasks.py"]:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(r"--recipe (R|RECIPE)\b", line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []
