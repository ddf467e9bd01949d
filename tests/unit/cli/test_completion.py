"""What bash completes: the script as a person sources it, and what it asks the program."""

import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator

import calls
import pytest

from portside.cli.root import CHECKOUT as ROOT

RECIPES = sorted(path.stem for path in (ROOT / "recipes").glob("*.yaml"))
ASK = """
source %(script)s
COMP_WORDS=(%(words)s)
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
word=${COMP_WORDS[COMP_CWORD]}
_complete_portside %(program)s "${word#=}"
printf '%%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What bash asks: it passes the words on to us, and one Python answers all (calls.py)."""
    folder = tmp_path_factory.mktemp("completion")
    asked, answer, path = folder / "asked", folder / "answer", folder / "invoke"
    os.mkfifo(asked)
    os.mkfifo(answer)
    path.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > '{asked}'\ncat '{answer}'\n")
    path.chmod(0o755)

    def answering() -> None:
        while words := asked.read_text().split("\n")[:-1]:
            answer.write_text(calls.call(ROOT, words, {}, "python -m portside").stdout)

    thread = threading.Thread(target=answering)
    thread.start()
    yield shlex.quote(str(path))
    asked.write_text("")
    thread.join()


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script that bash sources, in a file: it is the same for all words, and a start of Python takes a second."""
    path = tmp_path_factory.mktemp("completion") / "script"
    command = [sys.executable, "-m", "portside", "--print-completion-script", "bash"]
    with path.open("wb") as out:
        subprocess.run(command, cwd=ROOT, stdout=out, check=True)
    return shlex.quote(str(path))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["bui"], ["build"]),
        (["help", "che"], ["check"]),
        (["build", "--recipe", ""], RECIPES),
        (["build", "--recipe", "min"], ["minilm"]),
        (["build", "--recipe", "chatglm"], [name for name in RECIPES if name.startswith("chatglm")]),
        (["build", "--recipe", "=", "min"], ["minilm"]),
        (["build", "--recipe", "="], RECIPES),
        (["build", "--recipe", "minilm", "--js"], ["--json"]),
        (["build", "--recipe", "minilm", "--json", "che"], ["check"]),
        (["check", "--layer", ""], ["env", "sources", "migrated", "weights"]),
        (["run-container", "--recipe", "chatglm", "--target", ""], ["api", "check", "cli", "inference", "web"]),
        (["run-container", "--recipe", "nosuch", "--target", ""], [""]),
        (["run-container", "--weights", ""], ["baked", "mount"]),
        (["run-container", "--command", ""], [""]),
        (["build", "--engine", ""], ["docker", "podman"]),
        (["migrate", "--ruleset", "m"], ["mlu", "musa"]),
        (["new", "--accelerator", "mlu3"], ["mlu370"]),
        (["migrate", "--mode", ""], ["precise", "vendor"]),
    ],
)
def test_what_bash_completes(words: list[str], expected: list[str], program: str, script: str) -> None:
    asked = ASK % {"program": program, "script": script, "words": shlex.join(["invoke", *words])}
    done = subprocess.run(["bash", "-c", asked], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout.split("\n")[:-1], done.stderr) == (expected, "")
