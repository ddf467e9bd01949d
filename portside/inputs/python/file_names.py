"""File names of wheels and sdists."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.version import Version

SDIST_SUFFIXES = (".tar.gz", ".tar.xz", ".tar.bz2", ".zip")
"""Best first."""


def name_of(file: str) -> str | None:
    """The normalised package name (PEP 503), None if the file is neither wheel nor sdist."""
    found = wheel_version(file) or sdist_version(file)
    return found[0] if found else None


def wheel_version(file: str) -> "tuple[str, Version] | None":
    """Normalised name and version of a wheel's file name."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        return parse_wheel_filename(file)[:2]
    except InvalidWheelFilename:
        return None


def sdist_version(file: str) -> "tuple[str, Version] | None":
    """Normalised name and version of an sdist's file name."""
    from packaging.utils import InvalidSdistFilename, parse_sdist_filename

    suffix = next((suffix for suffix in SDIST_SUFFIXES if file.endswith(suffix)), None)
    if suffix is None:
        return None
    try:
        return parse_sdist_filename(file.removesuffix(suffix) + ".tar.gz")
    except InvalidSdistFilename:
        return None
