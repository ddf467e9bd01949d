"""requirements/*.txt: exact versions, hashes, no place; in step with the .in files and with what the code imports."""

import ast
import importlib.metadata
import re
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "requirements"
SETS = ("run", "dev")


def asked(name: str) -> dict[str, Requirement]:
    """What NAME.in asks for, by canonical name."""
    lines = (line.partition("#")[0].strip() for line in (FOLDER / f"{name}.in").read_text().splitlines())
    found = [Requirement(line) for line in lines if line and not line.startswith("-")]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def entries(name: str) -> list[str]:
    """The entries of NAME.txt, each with its hashes and the comment that says what asked for it."""
    return re.split(r"\n(?=\S)", (FOLDER / f"{name}.txt").read_text().strip())


def pinned(name: str) -> dict[str, set[str]]:
    """The versions in NAME.txt, by canonical name; several where they depend on the version of Python."""
    found: dict[str, set[str]] = {}
    for entry in entries(name):
        requirement = Requirement(entry.partition("\\")[0])
        found.setdefault(canonicalize_name(requirement.name), set()).add(str(requirement.specifier).removeprefix("=="))
    return found


@pytest.mark.parametrize("name", SETS)
def test_every_entry_is_exact_and_hashed(name: str) -> None:
    assert len(entries(name)) >= len(asked(name))
    for entry in entries(name):
        lines = [line.strip(" \\") for line in entry.splitlines() if not line.lstrip().startswith("#")]
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*( ; [^;]+)?", lines[0]), lines[0]
        assert lines[1:], f"{lines[0]} has no hash"
        for line in lines[1:]:
            assert re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line), line


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: str(path.name))
def test_no_place_is_named(path: Path) -> None:
    text = path.read_text()
    assert "://" not in text
    assert not re.search(r"--(extra-)?index-url|--find-links|--trusted-host|^-[fi] ", text, re.MULTILINE)
    assert not re.search(r"\b[a-z0-9-]+\.(org|com|io|net|dev)\b", text)


@pytest.mark.parametrize("name", SETS)
def test_both_files_agree(name: str) -> None:
    versions = pinned(name)
    for package, requirement in asked(name).items():
        assert package in versions, f"{package} is in {name}.in but not in {name}.txt"
        assert all(requirement.specifier.contains(version) for version in versions[package])
    direct = {
        canonicalize_name(entry.partition("==")[0]) for entry in entries(name) if f"-r requirements/{name}.in" in entry
    }
    assert direct == set(asked(name)), "make the .txt again: see CONTRIBUTING.md"


def test_sets_agree_on_what_they_share() -> None:
    run, dev = pinned("run"), pinned("dev")
    assert {name: run[name] for name in run.keys() & dev.keys()} == {
        name: dev[name] for name in run.keys() & dev.keys()
    }


@pytest.mark.parametrize(
    ("places", "sets"), [(("portside", "tasks.py"), ("run",)), (("tests",), SETS)], ids=["product", "tests"]
)
def test_every_import_is_asked_for(places: tuple[str, ...], sets: tuple[str, ...]) -> None:
    """A package that only comes along with another one may go away with it."""
    allowed = {name for one in sets for name in asked(one)}
    own = {path.stem for place in ("tests", "portside/check/layers") for path in (ROOT / place).rglob("*.py")}
    own |= {"portside", "tasks", "tests", "bench", "perturb"}
    distributions = importlib.metadata.packages_distributions()
    files = [
        file for place in places for file in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))
    ]
    # Scenarios are code to migrate, never imported.
    files = [file for file in files if "scenarios" not in file.parts]
    for file in files:
        for module in imported_modules(file) - own - sys.stdlib_module_names:
            names = {canonicalize_name(name) for name in distributions.get(module, [module])}
            assert names & allowed, f"{file.relative_to(ROOT)} imports {module}, which no requirements/*.in names"


def imported_modules(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_the_package_asks_for_the_same() -> None:
    """`pip install` and `scripts/invoke` bring the same packages: the one by ranges, the other by pins within them."""
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ranges = {canonicalize_name(r.name): r for r in map(Requirement, metadata["dependencies"])}
    assert {name: r.marker for name, r in ranges.items()} == {name: r.marker for name, r in asked("run").items()}
    versions = pinned("run")
    for name, requirement in ranges.items():
        assert not [s for s in requirement.specifier if s.operator != ">="], f"{name}: a bound that nothing needs"
        assert all(requirement.specifier.contains(version) for version in versions[name]), name
