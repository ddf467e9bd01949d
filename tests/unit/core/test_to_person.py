"""What is somebody else's reaches a terminal as something to read, and never as something to obey."""

import ast
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import portside
from portside.cli.task import fail, tell
from portside.common.called import to_person
from portside.common.progress import say, step, transfer
from portside.errors import CheckError

EVIL = "a\x1b]0;title\x07\x1b[2J\x9b31m\r\x00\u202eb"
SHOWN = "a\\x1b]0;title\\x07\\x1b[2J\\x9b31m\\x0d\\x00\\u202eb"
PACKAGE = Path(portside.__file__).parent
OWN_WORDS = {
    "cli/own_tests.py": "names of our own modules, and numbers",
    "cli/draft_tasks.py": "a recipe, in YAML, which escapes",
    "cli/tasks.py": "a CDI document, in YAML or JSON, which escape",
    "doctor/card_program.py": "JSON, which escapes",
    "cli/program.py": "the help, the version, and names for the shell to complete",
    "cli/task.py": "where it is done, JSON, which escapes, and what the system says",
    "cli/trusting.py": "where it is done",
    "common/progress.py": "where it is done",
    "runtime/run.py": "a command line to run as it is, and the name of a container",
    "check/enter.py": "read by the check, which says it",
}
"""Modules that print, and why what they print is harmless."""


@given(st.text(st.characters()))
def test_nothing_is_left_that_a_terminal_obeys(text: str) -> None:
    shown = to_person(text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown)
    shown.encode()
    if re.fullmatch("[ -~\t\n]*", text):
        assert shown == text


def test_line_ends_and_letters_stay() -> None:
    assert to_person("größe\tok\r\n日本\n") == "größe\tok\n日本\n"
    assert to_person(b"\xff\x1b".decode("utf-8", "surrogateescape")) == "\\xff\\x1b"


def test_each_way_to_a_person_goes_through_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portside.cli.task.leave", sys.exit)
    say(EVIL)
    with step(EVIL) as note:
        note(EVIL)
    with transfer(EVIL, None) as advance:
        advance(8 << 20)
    with pytest.raises(SystemExit):
        fail(CheckError(EVIL, EVIL))
    tell([EVIL])
    out, err = capsys.readouterr()
    assert out == f"{SHOWN}\n" and err.count(SHOWN) == 6
    assert "\x1b" not in err + out


def test_no_other_module_prints() -> None:
    found = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.is_relative_to(PACKAGE / "check/layers") or "begin/files" in str(path):
            continue  # they run in a pytest of their own, whose output the check says
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        if any(ast.unparse(call.func) in ("print", "sys.stdout.write", "sys.stderr.write") for call in calls):
            found.add(path.relative_to(PACKAGE).as_posix())
    assert found == set(OWN_WORDS)
