"""What a project is, and where the nearest one is."""

import os
from pathlib import Path

from portside.errors import RecipeError

BESIDE = ("portside.toml", "tasks.py")
"""Either of them, beside `recipes/`, makes a folder a project's root."""


def is_root(folder: Path) -> bool:
    return os.path.isdir(folder / "recipes") and any(os.path.isfile(folder / name) for name in BESIDE)


def find_root(start: Path) -> Path | None:
    """The root of the nearest project, upwards from the folder `start`; None where there is none."""
    start = Path(os.path.abspath(start))
    return next((folder for folder in (start, *start.parents) if is_root(folder)), None)


def require_root(start: Path) -> Path:
    """The root of the nearest project, upwards from the folder `start`. Raises RecipeError where there is none."""
    if (root := find_root(start)) is not None:
        return root
    raise RecipeError(
        f"no project here: neither {start} nor a folder above it has recipes/ and, beside it, {' or '.join(BESIDE)}",
        "Change to a project, or make one: invoke init FOLDER",
    )
