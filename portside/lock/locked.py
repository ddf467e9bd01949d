"""What the models of locks share: what each kind has for the request of a recipe."""

from collections.abc import Iterator
from typing import Any, Protocol

from portside.lock.comparison import Found
from portside.lock.record import LockedInput


class Locked(Protocol):
    """What a lock has for one request of a recipe."""

    @property
    def kind(self) -> str: ...

    def inputs(self, at: str) -> Iterator[LockedInput]:
        """Everything in it. at: the request."""

    def otherwise(self, request: str, asked: Any) -> Found:
        """What it has otherwise than the recipe says it. asked: of its kind."""
