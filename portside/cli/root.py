"""Which project a call is about."""

import os
import sys
from pathlib import Path

import portside
from portside.common import root
from portside.errors import RecipeError

CHECKOUT = Path(portside.__file__).resolve().parent.parent
"""Where this Portside comes from; a checkout of its own repository, unless it was installed."""

search_root: Path | None = None
"""The folder to begin at, if the command line names one."""


def project_root() -> Path | None:
    """The root of the project that this call is about, None where there is none.

    That is the nearest project, upwards from the current folder or from what --search-root says; where invoke runs
    the tasks, no further up than the tasks.py that it has loaded.
    """
    if search_root is not None:
        return root.find_root(search_root)
    here, loaded = _current_folder(), tasks_folder()
    if loaded is None:
        return root.find_root(here) if here else None
    found = root.find_root(here) if here else None
    return found if found is not None and found.is_relative_to(loaded) else loaded


def require_root() -> Path:
    """The root of the project that this call is about. Raises RecipeError where there is none."""
    if (found := project_root()) is not None:
        return found
    if (start := search_root or _current_folder()) is None:
        raise RecipeError("the current folder does not exist any more", "Change to one that does.")
    return root.require_root(start)


def tasks_folder() -> Path | None:
    """The folder of the tasks.py that invoke has loaded or is just loading; None where the tasks run without invoke."""
    file = getattr(sys.modules.get("tasks"), "__file__", None)
    if file is None:
        return None
    folder = Path(file).resolve().parent
    return folder.parent if Path(file).name == "__init__.py" else folder


def is_own_checkout(folder: Path | None) -> bool:
    """Whether a project's root is the very checkout that this Portside comes from, with its tests."""
    return folder == CHECKOUT and (CHECKOUT / "tests").is_dir()


def _current_folder() -> Path | None:
    try:
        return Path(os.getcwd())
    except FileNotFoundError:
        return None
