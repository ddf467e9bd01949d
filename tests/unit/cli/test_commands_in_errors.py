"""The commands that errors tell a person to run can be run as they stand."""

import re
from pathlib import Path

import pytest

from portside.cli.root import CHECKOUT as ROOT
from portside.cli.task import portside_task
from portside.errors import InputError, PortsideError
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
    error = InputError("gone", lambda recipe: f"invoke fetch --recipe {recipe}; or invoke lock --recipe {recipe}")
    assert str(error) == "gone\n  invoke fetch --recipe NAME; or invoke lock --recipe NAME"
    error.name_recipe("lower")
    error.name_recipe("upper")
    assert error.solution == "invoke fetch --recipe lower; or invoke lock --recipe lower"
    InputError("nothing to do").name_recipe("x")


def test_no_message_has_a_stand_in_that_nobody_replaces() -> None:
    found = []
    for path in [*sorted((ROOT / "portside").rglob("*.py")), ROOT / "tasks.py"]:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(r"--recipe (R|RECIPE)\b", line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []


def test_a_raised_anew_error_still_waits_for_its_recipe() -> None:
    """The remedy goes along as it is, and not as the text for a recipe that nobody knows."""
    error = InputError("gone", lambda recipe: f"invoke fetch --recipe {recipe}").told_of("a.tar", "Get it again.")
    error.name_recipe("minilm")
    assert str(error) == "a.tar: gone\n  invoke fetch --recipe minilm"


def test_a_subject_is_named_once() -> None:
    assert InputError("gone").told_of("a.tar", "x").problem == "a.tar: gone"
    assert InputError("a.tar is damaged", subject="a.tar").told_of("a.tar", "x").problem == "a.tar is damaged"
    assert InputError.about("a.tar", "it ends").told_of("a.tar", "x").problem == "a.tar: it ends"
    inner = InputError.about("layer", "it is damaged").told_of("a.tar", "x")
    assert (inner.problem, inner.solution) == ("a.tar: layer: it is damaged", "x")
    assert InputError("it says a.tar").told_of("a.tar", "x").problem == "a.tar: it says a.tar"  # no text is looked into


def test_every_kind_has_an_exit_code_of_its_own() -> None:
    kinds = PortsideError.__subclasses__()
    assert len({kind.exit_code for kind in kinds}) == len(kinds)
