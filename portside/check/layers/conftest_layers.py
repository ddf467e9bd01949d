"""What every layer's checks share: the expectations, and how to list a folder of a container with its hashes."""

import json
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
import testinfra.backend

if "PORTSIDE_BROKER" in os.environ:
    # Under the engines' names: a check that asks testinfra for a host of its own gets this one.
    for engine in ("docker", "podman"):
        testinfra.backend.BACKENDS[engine] = "broker_backend.BrokerBackend"

DISTRIBUTIONS = """
import json
try:
    from importlib.metadata import distributions
    rows = [[d.metadata["Name"], d.version, str(d.locate_file(""))] for d in distributions()]
except ImportError:  # before Python 3.8
    try:
        import pkg_resources
        rows = [[d.project_name, d.version, d.location] for d in pkg_resources.working_set]
    except ImportError:  # no setuptools either
        import email, glob, os, sys
        kinds = "*.dist-info/METADATA", "*.egg-info/PKG-INFO", "*.egg-info"
        found = [(p, f) for p in sys.path for kind in kinds for f in glob.glob(p + "/" + kind)]
        heads = [(p, email.message_from_bytes(open(f, "rb").read())) for p, f in found if os.path.isfile(f)]
        rows = [[head["Name"], head["Version"], p] for p, head in heads]
print(json.dumps(rows))
"""
"""Lists the Python packages; for the container's own Python, which may be as old as a vendor's image."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--expected", required=True, help="the expectations that `invoke check` wrote")


@pytest.fixture(scope="session")
def expected(request: pytest.FixtureRequest) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(Path(request.config.getoption("--expected")).read_text(encoding="utf-8"))
    return value


def python(expected: dict[str, Any]) -> str:
    """The interpreter that the wheels are for."""
    return str(expected["interpreter"]["path"]) if expected.get("interpreter") else "python3"


def distributions(host: Any, program: str) -> dict[str, tuple[str, str]]:
    """The container's Python packages: normalised name -> version and place, of the one that Python imports.

    program: the interpreter, here and below.
    """
    found = host.run("%s -c %s", program, DISTRIBUTIONS)
    assert found.rc == 0, found.stderr
    # In the order of Python's path, where the first of a name counts: a wheel may stand before a .deb's package. What
    # has no name, as an egg-info without PKG-INFO has none, is nobody's package.
    first_last = reversed([row for row in json.loads(found.stdout) if row[0]])
    return {normalised(name): (version, place) for name, version, place in first_last}


def normalised(name: str) -> str:
    """PEP 503."""
    return re.sub("[-_.]+", "-", name).lower()


def has_pip(host: Any, program: str) -> bool:
    return not host.run(f"{program} -m pip --version").rc


def pip_problems(host: Any, program: str, of: Collection[str] | None = None) -> list[str]:
    """What `pip check` says is wrong. of: normalised names; only what is wrong between one of these packages and any
    other is told, because the rest was so before they came."""
    found = host.run(f"{program} -m pip check")
    lines: list[str] = found.stdout.splitlines() if found.rc else []
    assert lines or not found.rc, found.stderr
    return [line for line in lines if of is None or not involved(line).isdisjoint(of)]


def involved(problem: str) -> set[str]:
    """The normalised names of the packages that a line of `pip check` is about."""
    named = re.match(r"\S+", problem), lacking(problem), re.search(r"but you have (\S+) \S+$", problem)
    return {normalised(name if isinstance(name, str) else name[name.re.groups]) for name in named if name}


def lacking(problem: str) -> str | None:
    """The normalised name of the package that a line of `pip check` says is not installed."""
    found = re.search(r" requires (\S+), which is not installed\.$", problem)
    return normalised(found[1]) if found else None


def listing(host: Any, folder: str) -> dict[str, list[Any]]:
    """Everything below `folder` of a container: path -> [kind, mode, sha256 or link target]; owners must be root.

    Paths are the bytes' surrogate escapes, as in the expectations.
    """
    kinds = {"f": "file", "d": "dir", "l": "symlink", "p": "fifo"}
    found = host.run(f"cd '{folder}' && find . -mindepth 1 -printf '%P\\0%y\\0%m\\0%U:%G\\0%l\\0'")
    assert found.rc == 0, found.stderr
    fields = [part.decode("utf-8", "surrogateescape") for part in found.stdout_bytes.split(b"\0")[:-1]]
    rows: dict[str, list[Any]] = {}
    for path, kind, mode, owner, link in zip(*[iter(fields)] * 5, strict=True):
        assert owner == "0:0", f"{folder}/{path} belongs to {owner}"
        rows[path] = [kinds.get(kind, kind), int(mode, 8), link]
    hashed = host.run(f"cd '{folder}' && find . -type f -print0 | xargs -0r sha256sum -z")
    assert hashed.rc == 0, hashed.stderr
    for row in hashed.stdout_bytes.split(b"\0")[:-1]:
        digest, path = row.decode("utf-8", "surrogateescape").split("  ./", 1)
        rows[path][2] = digest
    return rows


def differing(found: dict[str, list[Any]], wanted: list[list[Any]]) -> list[str]:
    """One line per path that is not as wanted: [path, kind, mode, sha256 or link]."""
    lines = []
    for path, *row in wanted:
        if found.get(path) != row:
            lines.append(f"{path}: expected {row}, found {found.get(path)}")
    return lines
