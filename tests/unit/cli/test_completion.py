"""What bash completes: the script as a person sources it, and what it asks the program."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from portside.cli.root import CHECKOUT as ROOT

RECIPES = sorted(path.stem for path in (ROOT / "recipes").glob("*.yaml"))
ASK = """
source <(%(program)s --print-completion-script bash)
COMP_WORDS=(%(words)s)
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
word=${COMP_WORDS[COMP_CWORD]}
_complete_portside %(program)s "${word#=}"
printf '%%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "invoke"
    path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m portside "$@"\n')
    path.chmod(0o755)
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
def test_what_bash_completes(words: list[str], expected: list[str], program: str) -> None:
    script = ASK % {"program": program, "words": shlex.join(["invoke", *words])}
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout.split("\n")[:-1], done.stderr) == (expected, "")
