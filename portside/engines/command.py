"""Long commands of an engine, line by line, stopped with everything they started."""

import os
import signal
import subprocess
from collections.abc import Generator, Mapping, Sequence

from portside.errors import BuildError, EngineError

STOP_SECONDS = 5
LAST_LINES = 30
"""How much of a failed build's output its error repeats."""


def lines(command: list[str], environment: Mapping[str, str], *, umask: int = -1) -> Generator[str, None, None]:
    """A command's output, line by line; stops the command if the reader leaves early. Raises EngineError.

    umask: the command's own; -1 keeps this process's.
    """
    try:
        child = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=umask,
        )
    except OSError as error:
        raise EngineError(f"cannot run {command[0]}: {error}") from error
    assert child.stdout is not None
    with child.stdout:
        try:
            for raw in child.stdout:
                yield raw.decode("utf-8", "replace").rstrip()
            child.wait()
        finally:
            stop(child)


def stop(child: "subprocess.Popen[bytes]") -> None:
    """End a command that leads a session: first the way Ctrl-C does, so that it can clean up, then by force."""
    for sign in (signal.SIGINT, signal.SIGKILL):
        if child.poll() is not None:
            return
        os.killpg(child.pid, sign)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def indented(last: Sequence[str]) -> str:
    """The last lines of a command's output as part of an error."""
    return "\n".join(f"    {line}" for line in last)


def build_failed(tag: str, instruction: str | None, last: Sequence[str]) -> BuildError:
    """The error for a Dockerfile of which a step failed. instruction: that step, if it is known."""
    where = f" at {instruction}" if instruction else ""
    return BuildError(
        f"{tag} could not be built{where}; the last lines of its output:\n{indented(last)}",
        "The build has no network: everything a step needs must be an input of the recipe.",
    )
