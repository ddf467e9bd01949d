"""Tiny wheels that the tests make."""

import hashlib
import zipfile
from pathlib import Path

from portside.common.tree import Tree
from portside.inputs.python import Asking, asking
from portside.lock.packages import Artefact
from portside.recipe.python_packages import Python

PLATFORM = "x86_64-manylinux_2_28"


def wheel(folder: Path, name: str, version: str, *needs: str, tag: str = "py3-none-any", build: str = "") -> Path:
    """A wheel without content. needs: its Requires-Dist."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-{build}{tag}.whl"
    stem = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        lines = [
            "Metadata-Version: 2.1",
            f"Name: {name}",
            f"Version: {version}",
            *(f"Requires-Dist: {n}" for n in needs),
        ]
        archive.writestr(f"{stem}/METADATA", "\n".join(lines) + "\n")
        archive.writestr(f"{stem}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        archive.writestr(f"{stem}/RECORD", "")
    return path


def asks(*requirements: str, version: str = "3.11") -> Asking:
    """What a recipe that says these requirements asks for."""
    wanted = Python.model_construct(version=version, platform=PLATFORM, requirements=requirements)
    return asking(wanted, lambda name: Tree())


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def artefact(path: Path) -> Artefact:
    name, version = path.name.split("-")[:2]
    return Artefact(name=name, version=version, file=path.name, size=path.stat().st_size, sha256=digest(path))
