"""`check` asks before the checks of somebody else's recipe run for the first time."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import calls
import pytest

from portside.begin.project import make_project
from portside.cli.root import CHECKOUT

RECIPE = "{description: d, base: {debian: {suite: bookworm}}, accelerator: {name: cpu}, checks: [test_own.py]}"
ASKED = "the recipe r has checks of its own that have not run here before as they are now, and they are code: "


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_project(tmp_path / "p")
    folder = tmp_path / "p/recipes/r"
    folder.mkdir()
    folder.with_suffix(".yaml").write_text(RECIPE)
    (folder / "test_own.py").write_text("def test_it(): pass\n")
    return tmp_path / "p"


def check(root: Path, *words: str) -> tuple[int, str]:
    """No recipe here has a lock: code 3 says that the checks would have been let run."""
    done = calls.call(root, ["check", *words], {"PORTSIDE_HOME": str(root.parent / "home")})
    return done.returncode, done.stderr


def test_nobody_is_there_to_be_asked(root: Path) -> None:
    code, said = check(root, "--recipe", "r")
    assert code == 9
    assert f"{ASKED}{root / 'recipes/r/test_own.py'}\n" in said
    assert "Read them; then: portside check --recipe r --trust" in said
    assert check(root, "--recipe", "r", "--trust")[0] == 3
    assert check(root, "--recipe", "r")[0] == 3
    (root / "recipes/r/beside.py").write_text("")
    assert check(root, "--recipe", "r")[0] == 9


def test_what_came_with_portside_is_as_trusted_as_it_is(root: Path) -> None:
    assert check(root, "--recipe", "hello")[0] == 3
    with (root / "recipes/hello/checks/test_hello.py").open("a") as stream:
        stream.write("# mine\n")
    assert check(root, "--recipe", "hello")[0] == 9


@pytest.mark.parametrize(("answer", "code"), [("y\n", 3), ("\n", 9), ("\x04", 9)])
def test_who_is_there_answers(root: Path, answer: str, code: int) -> None:
    ours, theirs = pty.openpty()
    own = {"PORTSIDE_HOME": str(root.parent / "home"), "TERM": "dumb", "PYTHONPATH": str(CHECKOUT)}
    environment = os.environ | own
    command = [sys.executable, "-c", f"import sys; {calls.PROGRAMS['portside']}", "check", "--recipe", "r"]
    with subprocess.Popen(command, cwd=root, env=environment, stdin=theirs, stderr=theirs) as child:
        os.close(theirs)
        said = b""
        while b"[y/N]" not in said:
            said += os.read(ours, 1000)
        os.write(ours, answer.encode())
        assert child.wait() == code
    os.close(ours)
    assert ASKED.encode() in said.replace(b"\r\n", b"\n")
