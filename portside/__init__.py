"""Portside: reproducible container images for models that are ported to another accelerator.

docs/python.md shows how it is used from Python.
"""

from typing import TYPE_CHECKING, Any

from portside.common.version import __version__

if TYPE_CHECKING:
    from portside.project import Project

__all__ = ["Project", "__version__"]


def __getattr__(name: str) -> Any:
    """`Project` is loaded when it is asked for, so that what needs none of it starts at once."""
    if name != "Project":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from portside.project import Project

    return Project
