"""The person's own folder, which a user without a name, as in a container of a CI, may not have."""

from collections.abc import Callable
from pathlib import Path

NOWHERE = Path("/nonexistent")
"""The home of users that have none (Debian Policy, 9.2.3): nothing is there."""


def home_folder() -> Path:
    """HOME, else what the machine knows of this user, else NOWHERE."""
    try:
        found = Path.home()
    except RuntimeError:
        return NOWHERE
    return found if found.is_absolute() else NOWHERE


def own_folder(tell: Callable[[], str]) -> Path:
    """A folder that platformdirs tells of, or NOWHERE: it says a path with a ~ in it, or RuntimeError."""
    try:
        path = Path(tell())
    except RuntimeError:
        return NOWHERE
    return path if path.is_absolute() else NOWHERE
