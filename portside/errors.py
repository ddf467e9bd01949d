"""Every mistake a person can make or meet, each kind with its own exit code.

An error says what is wrong (`problem`) and what to do about it (`solution`). Both are for a person: code that needs to
know more of an error than its kind gets it as an attribute, and never looks into the texts. Nothing else in Portside
prints a traceback for a person; `invoke --debug` or PORTSIDE_DEBUG=1 shows it.
"""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

Remedy = str | Callable[[str], str]
"""What a person can do; or a function that says it of a recipe, where the code that raises serves many of them."""

E = TypeVar("E", bound="PortsideError")


class PortsideError(Exception):
    """The base of all expected failures.

    problem: what is wrong, one or more lines, no trailing full stop needed.
    remedy: what the person can do, or None where there is nothing to add. subject: the file or image that the problem
    names, for code that would name it otherwise. reason: the problem without a subject in front.
    """

    exit_code = 1

    def __init__(self, problem: str, remedy: Remedy | None = None, *, subject: str | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.subject = subject
        self.reason = problem

    @classmethod
    def about(cls: type[E], subject: object, reason: str, remedy: Remedy | None = None) -> E:
        """An error whose problem is `SUBJECT: REASON`."""
        error = cls(f"{subject}: {reason}", remedy, subject=str(subject))
        error.reason = reason
        return error

    def told_of(self: E, subject: str, remedy: Remedy) -> E:
        """This error with the subject in front, unless it names it already, and with a remedy if it has none."""
        if self.subject == subject:
            return type(self)(self.problem, self.remedy or remedy, subject=subject)
        return type(self).about(subject, self.problem, self.remedy or remedy)

    def name_recipe(self, name: str) -> None:
        """Say which recipe the remedy is for; what was said first counts."""
        if callable(self.remedy):
            self.remedy = self.remedy(name)

    @property
    def solution(self) -> str | None:
        """The remedy in words; while nobody has said which recipe it is for, with NAME in its place."""
        return self.remedy("NAME") if callable(self.remedy) else self.remedy

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
    """A layer's blob whose bytes are no longer what they were; it is put aside, so that a build makes it again.

    digest: the blob's name, the sha256 (hex) that its bytes had.
    """

    def __init__(self, digest: str, problem: str, remedy: Remedy | None = None) -> None:
        super().__init__(problem, remedy)
        self.digest = digest


class EngineError(PortsideError):
    """No engine answers, it cannot do what is needed, or it failed."""

    exit_code = 6


class BuildError(PortsideError):
    """A layer could not be built."""

    exit_code = 7


class StepError(BuildError):
    """A step that an engine executes failed. instruction: the step as the engine shows it, where that is known.
    output: the last lines that it wrote."""

    def __init__(self, problem: str, remedy: Remedy | None, instruction: str | None, output: Iterable[str]) -> None:
        super().__init__(problem, remedy)
        self.instruction = instruction
        self.output = tuple(output)


class MigrationError(PortsideError):
    """A migration or a patch step found something other than what the recipe says."""

    exit_code = 8


class CheckError(PortsideError):
    """A layer was built and is not what its lock says."""

    exit_code = 9


class RegistryError(PortsideError):
    """A registry that does not answer, refuses, or has something other than what was asked for."""

    exit_code = 10


KINDS: dict[int, type[PortsideError]] = {kind.exit_code: kind for kind in PortsideError.__subclasses__()}
"""The kinds of errors by exit code: what one process tells another of an error."""


def together(errors: Mapping[str, PortsideError], problem: str) -> PortsideError:
    """One error that tells of several, by recipe; of their kind, where all of them are of one. problem: in front."""
    codes = {error.exit_code for error in errors.values()}
    lines = [problem]
    for name, error in errors.items():
        error.name_recipe(name)
        first, *rest = str(error).splitlines()
        lines += [f"  {name}: {first}", *(f"    {line}" for line in rest)]
    return KINDS.get(codes.pop() if len(codes) == 1 else 0, PortsideError)("\n".join(lines))


def fetch_it(recipe: str) -> str:
    """The remedy for an input that the store does not have."""
    return f"Fetch it with a network: invoke fetch --recipe {recipe}"


def fetch_once(recipe: str) -> str:
    """The remedy for a file of which nobody knows the hash before it has been seen."""
    return f"Fetch it once: invoke fetch --recipe {recipe}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The beginning of a solution: the known word that is most like this one, or nothing where none is like it."""
    close = get_close_matches(word, sorted(known), 1)
    return f"Did you mean '{close[0]}'? " if close else ""
