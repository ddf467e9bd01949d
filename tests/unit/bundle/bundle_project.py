"""A tiny project for tests that build nothing: it needs no copy of Portside, and its base no programs."""

from pathlib import Path
from random import Random

from pipeline import Machine
from tiny_project import TinyProject

BASE_SIZE = 1 << 20


def unbuilt_project(root: Path) -> TinyProject:
    """The project in `root`/checkout, and its store in `root`/home; both may be there already."""
    (root / "checkout").mkdir(parents=True, exist_ok=True)
    machine = Machine(root / "checkout", root / "home")
    return TinyProject(machine, programs=(), base_files={"srv/data": Random(1).randbytes(BASE_SIZE)})
