"""What this host lacks for a container: a start refuses, a dry run says so and goes on as if the host had it."""

from collections.abc import Callable

from portside.errors import PortsideError

Lacking = Callable[[PortsideError], None]
"""Called with the error that a start on this host ends with. If it returns, what is missing is taken as there."""


def refuse(error: PortsideError) -> None:
    raise error


def noted(warn: Callable[[str], None]) -> Lacking:
    """For a dry run: say what a start would end with."""

    def note(error: PortsideError) -> None:
        warn(f"on this host a start would be refused: {error.problem}")

    return note
