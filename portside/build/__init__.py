"""In: a plan.
Out: layer blobs and images, or the Dockerfile that a plain engine builds.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from portside.build.many import build

__all__ = ["build"]


def __getattr__(name: str) -> Any:
    """What builds is loaded when it is asked for: a plan only looks at what an engine would need."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from portside.build import many

    return getattr(many, name)
