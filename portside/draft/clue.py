"""What was found in a repository, and where."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Clue(Generic[T]):
    """A value, and what it was read from.

    place: `PATH:LINE` in the repository, or several of them; in words where there is none. sure: the place says it;
    else it is a guess, which the recipe marks with `# ?`. note: more for the person who reads it.
    """

    value: T
    place: str
    sure: bool = True
    note: str = ""

    @property
    def comment(self) -> str:
        """What stands behind its line in the recipe."""
        said = f"{self.place}{': ' if self.place and self.note else ''}{self.note}"
        return said if self.sure else f"? {said}".rstrip()
