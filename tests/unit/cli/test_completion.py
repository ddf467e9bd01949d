"""What bash completes: the script as a person sources it, and what it asks the program."""

import shlex
import subprocess
import sys
from pathlib import Path

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
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("completion") / "invoke"
    path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m portside "$@"\n')
    path.chmod(0o755)
    return shlex.quote(str(path))


@pytest.fixture(scope="module")
def script(program: str) -> str:
    """The script that bash sources, in a file: it is the same for all words, and a start of Python takes a second."""
    path = Path(shlex.split(program)[0]).parent / "script"
    with path.open("wb") as out:
        subprocess.run(["sh", "-c", f"{program} --print-completion-script bash"], cwd=ROOT, stdout=out, check=True)
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
        (["migrate", "--ruleset", "m"], ["mlu"]),
        (["migrate", "--mode", ""], ["precise", "vendor"]),
    ],
)
def test_what_bash_completes(words: list[str], expected: list[str], program: str, script: str) -> None:
    asked = ASK % {"program": program, "script": script, "words": shlex.join(["invoke", *words])}
    done = subprocess.run(["bash", "-c", asked], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout.split("\n")[:-1], done.stderr) == (expected, "")
