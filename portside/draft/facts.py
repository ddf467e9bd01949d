"""What is known of names, libraries, ports and bases: the YAML files beside this module, each with its sources."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from portside.common.yaml_file import read_yaml

_FOLDER = Path(__file__).with_name("facts")


@cache
def facts(name: str) -> dict[str, Any]:
    """One of the files, by its name without `.yaml`."""
    return read_yaml(_FOLDER / f"{name}.yaml")[0]


def normal(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def _imports() -> dict[str, str]:
    return {name: normal(package) for name, package in facts("names")["imports"].items()}


def package_of(module: str) -> tuple[str, bool]:
    """The package that a module comes with, and whether that is known; else it is called like the module. No package
    ("") where no index has it."""
    parts = module.split(".")
    for end in range(min(3, len(parts)), 0, -1):
        found = _imports().get(".".join(parts[:end]))
        if found is not None:
            return found, True
    if parts[0] in facts("names")["elsewhere"]:
        return "", True
    return normal(parts[0]), False


@cache
def modules_of(package: str) -> frozenset[str]:
    """The top-level modules that a package is imported by, as far as that is known; its own name is one."""
    package = normal(package)
    own = {module.partition(".")[0] for module, of in _imports().items() if of == package}
    return frozenset(own | {package, package.replace("-", "_"), package.replace("-", ".")})


@cache
def is_tool(package: str) -> bool:
    """Whether a package serves those who work on the code, and not the program."""
    return normal(package) in {normal(name) for name in facts("names")["tools"]}


@cache
def cuda_only(package: str) -> str | None:
    """What takes the place of a package that is for NVIDIA's cards alone ("": nothing); None for all others."""
    found: str | None = facts("names")["cuda"].get(normal(package))
    return found


@cache
def conda_name(name: str) -> str:
    """What PyPI calls a package of conda; "" for what it does not have."""
    found: str = facts("names")["conda"].get(name.lower(), name)
    return normal(found) if found else ""


def accelerator_fact(name: str) -> dict[str, Any]:
    """What is known of an accelerator; empty for one of which nothing is."""
    found: dict[str, Any] = facts("bases")["accelerators"].get(name) or {}
    return found
