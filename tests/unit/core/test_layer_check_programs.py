"""What the layers' checks run in a container has to run on the Python of a vendor's image, 3.7 in the tutorial's."""

import ast
import importlib.metadata
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

LAYERS = Path(__file__).parents[3] / "portside" / "check" / "layers"
SHARED = runpy.run_path(str(LAYERS / "conftest_layers.py"))
OLD_PYTHON = "import sys; sys.modules['importlib.metadata'] = None\n"
NO_SETUPTOOLS = "sys.modules['pkg_resources'] = None\n"
PKG_RESOURCES = """
class Distribution: project_name, version, location = "Odd_Thing.X", "1.2+mlu", "/torch"
working_set = [Distribution]
"""


def programs() -> list[str]:
    found = []
    for path in sorted(LAYERS.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\nimport " in node.value:
                found.append(node.value)
    return found


@pytest.mark.parametrize("program", programs())
def test_their_syntax(program: str) -> None:
    ast.parse(program, feature_version=(3, 7))


@pytest.mark.parametrize("before", ["", OLD_PYTHON, OLD_PYTHON + NO_SETUPTOOLS])
def test_python_packages_with_and_without_importlib_metadata(before: str, tmp_path: Path) -> None:
    (tmp_path / "pkg_resources.py").write_text(PKG_RESOURCES)

    def run(command: str, python: str, program: str) -> Any:
        assert (command, python) == ("%s -c %s", "python3")
        argv = [sys.executable, "-c", before + program]
        done = subprocess.run(argv, capture_output=True, text=True, cwd=tmp_path)
        return SimpleNamespace(rc=done.returncode, stdout=done.stdout, stderr=done.stderr)

    found = SHARED["distributions"](SimpleNamespace(run=run), "python3")
    if before == OLD_PYTHON:
        assert found == {"odd-thing-x": ("1.2+mlu", "/torch")}
    else:
        assert found["pytest"][0] == importlib.metadata.version("pytest")


def test_a_wheel_beside_a_deb_of_the_same_name_is_the_one_that_is_imported() -> None:
    """pip puts a locked setuptools into /usr/local, and Debian's stays in /usr/lib, later on the path."""
    rows = '[["Setup_Tools", "79.0.1", "/usr/local/lib/python3.11"], ["setup-tools", "66.1.1", "/usr/lib/python3"]]'
    host = SimpleNamespace(run=lambda *_: SimpleNamespace(rc=0, stdout=rows, stderr=""))
    assert SHARED["distributions"](host, "python3") == {"setup-tools": ("79.0.1", "/usr/local/lib/python3.11")}


def test_what_has_no_name_is_no_package() -> None:
    """An egg-info without PKG-INFO, as a source tree may have one."""
    rows = '[[null, null, "/x"], ["A_b", "1", "/y"]]'
    host = SimpleNamespace(run=lambda *command: SimpleNamespace(rc=0, stdout=rows, stderr=""))
    assert SHARED["distributions"](host, "python3") == {"a-b": ("1", "/y")}
