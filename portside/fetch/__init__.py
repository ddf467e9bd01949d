"""In: a plan.
Out: every locked input in the store, verified.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from portside.fetch.fetcher import Fetcher, fetch

__all__ = ["Fetcher", "fetch"]


def __getattr__(name: str) -> Any:
    """What fetches is loaded when it is asked for: most tasks only look into this room for what a person brings."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from portside.fetch import fetcher

    return getattr(fetcher, name)
