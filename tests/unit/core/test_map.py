"""The map of the house is kept: the contracts of pyproject.toml, and what they cannot see."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "portside"
MODULES = sorted(PACKAGE.rglob("*.py"))
ROOMS = sorted(folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists())

IMPORTS_BY_NAME = {"portside/doctor/card_program.py", "portside/plan/run_build.py"}
"""Modules that may import others by a text, which no contract sees: an image's PyTorch, and the backend of an sdist."""


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "lint-imports"
    command = [str(program), "--no-logo", "--cache-dir", str(folder / "cache")]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package that a test may damage."""
    folder = tmp_path_factory.mktemp("house")
    shutil.copytree(PACKAGE, folder / "portside", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_the_contracts_are_kept(house: Path) -> None:
    done = lint_imports(house)
    assert done.returncode == 0, done.stdout
    assert "2 kept, 0 broken" in done.stdout


ADDED = {
    "up": ("common/tree.py", "import portside.build\n", "portside.common is not allowed to import portside.build"),
    "circle": ("common/yaml_file.py", "from portside.common import explain\n", "explain"),
    "circle of types": (
        "store/records.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from portside.store import inputs\n",
        "records",
    ),
    "circle in a function": ("lock/models.py", "def late() -> None:\n    from portside.lock import file\n", "models"),
}
"""What is added to a module, and what is then said of it."""


@pytest.mark.parametrize("case", ADDED)
def test_the_contracts_break(house: Path, case: str) -> None:
    path, lines, said = ADDED[case]
    module = house / "portside" / path
    before = module.read_text(encoding="utf-8")
    try:
        module.write_text(f"{before}\n{lines}", encoding="utf-8")
        done = lint_imports(house)
    finally:
        module.write_text(before, encoding="utf-8")
    assert done.returncode == 1, done.stdout
    assert "1 kept, 1 broken" in done.stdout
    assert said in done.stdout


def by_name(source: str) -> bool:
    """Whether a module imports by a text: with importlib, or `__import__`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import) and any(alias.name.partition(".")[0] == "importlib" for alias in node.names):
            return True
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "importlib":
            return True
        if isinstance(node, ast.Name | ast.Attribute | ast.Constant):
            word = (
                node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else node.value
            )
            if word == "__import__":
                return True
    return False


@pytest.mark.parametrize(
    "source",
    [
        "import importlib",
        "def f():\n    import os, importlib.util as u",
        "from importlib import import_module",
        "x = __import__('os')",
        "import builtins\nbuiltins.__import__('os')",
        "import builtins\ngetattr(builtins, '__import__')('os')",
    ],
)
def test_imports_by_name_are_seen(source: str) -> None:
    assert by_name(source)


def test_no_module_imports_by_name() -> None:
    found = {str(path.relative_to(ROOT)) for path in MODULES if by_name(path.read_text(encoding="utf-8"))}
    assert found == IMPORTS_BY_NAME


def test_few_modules_stand_outside_of_a_room() -> None:
    loose = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert len(loose) <= 5, sorted(loose)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_comes_in_and_what_goes_out(room: str) -> None:
    text = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8"))) or ""
    assert re.search(r"^In: .+\.\nOut: .+\.$", text, re.MULTILINE), f"portside/{room}/__init__.py"


def test_contributing_has_the_map() -> None:
    """The table of rooms has the contract's rooms, in the contract's order."""
    contract = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("\nlayers = [")[2].partition("]")[0]
    wanted = [sorted(re.findall(r"\w+", line)) for line in contract.splitlines() if line.strip()]
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = page.partition("## Where things are")[2].partition("\n## ")[0]
    rows = [re.findall(r"`(\w+)(?:/|\.py)`", row.split("|")[1]) for row in table.splitlines() if row.startswith("| `")]
    assert [sorted(row) for row in rows] == wanted
