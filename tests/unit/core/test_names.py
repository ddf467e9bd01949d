"""One name, one thing: no class name stands for two things, and no module name for three."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "portside"
TESTS = ROOT / "tests"


def defined(modules: Mapping[str, str]) -> dict[str, dict[str, set[str]]]:
    """The classes at the top of modules (name -> source): class -> module -> the full names of its bases."""
    found: dict[str, dict[str, set[str]]] = defaultdict(dict)
    for module, source in modules.items():
        body = ast.parse(source).body
        names = {  # what a name in this module means
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for node in body:
            if isinstance(node, ast.ClassDef):
                bases = {ast.unparse(base).partition("[")[0] for base in node.bases}
                found[node.name][module] = {_full(base, names, module) for base in bases}
                names[node.name] = f"{module}.{node.name}"
    return found


def _full(base: str, names: Mapping[str, str], module: str) -> str:
    first, dot, rest = base.partition(".")
    return names.get(first, f"{module}.{first}") + dot + rest


def doubles(modules: Mapping[str, str]) -> list[str]:
    """The class names that stand for two things, with where; a class and its own subclass are one."""
    out = []
    for name, places in sorted(defined(modules).items()):
        own = {module for module, bases in places.items() if not bases & {f"{there}.{name}" for there in places}}
        if len(own) > 1:
            out.append(f"{name}: {', '.join(sorted(own))}")
    return out


def crowded(paths: Iterable[Path]) -> dict[str, list[str]]:
    """The names that three modules or more have, with their paths."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(paths):
        found[path.name].append(str(path))
    return {name: places for name, places in found.items() if len(places) > 2}


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        ({"p.a": "class A: ...", "p.b": "class A: ..."}, ["A: p.a, p.b"]),
        ({"p.a": "class _A: ...", "p.b": "class _A: ...", "p.c": "class _A: ..."}, ["_A: p.a, p.b, p.c"]),
        ({"p.a": "class A: ...", "p.b": "class B: ..."}, []),
        ({"p.a": "class A: ...", "p.b": "from p.a import A as Other\nclass A(Other): ..."}, []),
        ({"p.a": "class A: ...", "p.b": "from p import a\nclass A(a.A): ..."}, []),
        ({"p.a": "class A: ...", "p.b": "from p.a import A as Other\nclass A(Other[int]): ..."}, []),
        ({"p.a": "class A: ...", "p.b": "from q import A as Other\nclass A(Other): ..."}, ["A: p.a, p.b"]),
        ({"p.a": "class A: ...", "p.b": "class B: ...\nclass A(B): ..."}, ["A: p.a, p.b"]),
    ],
)
def test_doubles_are_seen(modules: dict[str, str], said: list[str]) -> None:
    assert doubles(modules) == said


def test_no_class_name_stands_for_two_things() -> None:
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path.read_text(encoding="utf-8")
        for path in sorted(PACKAGE.rglob("*.py"))
    }
    assert doubles(modules) == []


@pytest.mark.parametrize("house", [PACKAGE, TESTS], ids=lambda house: house.name)
def test_no_three_modules_have_one_name(house: Path) -> None:
    """But for the names that Python and pytest give, and the scenarios, which are data of tests."""
    scenarios = TESTS / "unit" / "migrate" / "scenarios"
    paths = [path for path in house.rglob("*.py") if scenarios not in path.parents]
    assert crowded(path for path in paths if path.name not in {"__init__.py", "conftest.py"}) == {}
