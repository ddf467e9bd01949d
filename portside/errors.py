"""Every mistake a person can make or meet, each kind with its own exit code.

An error says what is wrong (`problem`) and what to do about it (`solution`). Nothing else in Portside
prints a traceback for a person; `invoke --debug` or PORTSIDE_DEBUG=1 shows it.
"""

from collections.abc import Iterable
from difflib import get_close_matches

RECIPE = "RECIPE"
"""Stands after `--recipe` in a solution where the code that raises serves many recipes; see `name_recipe`."""


class PortsideError(Exception):
    """The base of all expected failures.

    problem: what is wrong, one or more lines, no trailing full stop needed.
    solution: what the person can do, or None where there is nothing to add.
    """

    exit_code = 1

    def __init__(self, problem: str, solution: str | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.solution = solution

    def name_recipe(self, name: str) -> None:
        """Put a recipe's name into the commands of the solution that were waiting for one."""
        if self.solution is not None:
            self.solution = self.solution.replace(f"--recipe {RECIPE}", f"--recipe {name}")

    def __str__(self) -> str:
        return self.problem if self.solution is None else f"{self.problem}\n  {self.solution}"


class RecipeError(PortsideError):
    """A recipe, a configuration file or an argument that cannot be used."""

    exit_code = 2


class LockError(PortsideError):
    """A lock that is missing, malformed, or belongs to another version of its recipe."""

    exit_code = 3


class InputError(PortsideError):
    """An input that is missing, cannot be brought, or whose bytes differ from the lock."""

    exit_code = 4


class MissingInputError(InputError):
    """An input that no place has: nobody has brought it yet, or no place answers. What has wrong bytes is no such."""


class StoreError(PortsideError):
    """The store cannot be read or written: no space, no rights, damaged."""

    exit_code = 5


class DamagedError(StoreError):
    """A layer's blob whose bytes are no longer what they were; it is put aside, so that a build makes it again."""


class EngineError(PortsideError):
    """No engine answers, it cannot do what is needed, or it failed."""

    exit_code = 6


class BuildError(PortsideError):
    """A layer could not be built."""

    exit_code = 7


class MigrationError(PortsideError):
    """A migration or a patch step found something other than what the recipe says."""

    exit_code = 8


class CheckError(PortsideError):
    """A layer was built and is not what its lock says."""

    exit_code = 9


class RegistryError(PortsideError):
    """A registry that does not answer, refuses, or has something other than what was asked for."""

    exit_code = 10


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The beginning of a solution: the known word that is most like this one, or nothing where none is like it."""
    close = get_close_matches(word, sorted(known), 1)
    return f"Did you mean '{close[0]}'? " if close else ""
