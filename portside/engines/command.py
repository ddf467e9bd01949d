"""Long commands of an engine, line by line, stopped with everything they started."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from portside.engines.base import ImageToBuild
from portside.errors import EngineError, StepError

STOP_SECONDS = 5
LAST_LINES = 30
"""How much of a failed build's output its error repeats."""

_running: "dict[int, tuple[subprocess.Popen[bytes], signal.Signals]]" = {}
"""By the thread that reads its output: the command, and the signal on which it ends what it has begun."""


def lines(
    command: list[str],
    environment: Mapping[str, str],
    *,
    umask: int = -1,
    polite: signal.Signals = signal.SIGINT,
    held: Sequence[int] = (),
    cwd: Path | None = None,
) -> Generator[str, None, None]:
    """A command's output, line by line; stops the command if the reader leaves early. Raises EngineError.

    umask: the command's own; -1 keeps this process's. polite: the signal on which it ends what it has begun.
    held: file descriptors that it inherits, and so keeps open until it ends. cwd: the folder that it works in.
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
            pass_fds=held,
            cwd=cwd,
        )
    except OSError as error:
        raise EngineError(f"cannot run {command[0]}: {error}") from error
    assert child.stdout is not None
    thread = threading.get_ident()
    _running[thread] = child, polite
    with child.stdout:
        try:
            for raw in child.stdout:
                yield raw.decode("utf-8", "replace").rstrip()
            child.wait()
        finally:
            _running.pop(thread, None)
            stop(child, polite)


def stop_in(thread: int) -> None:
    """Stop the command whose output a thread (by its `threading.get_ident`) reads, if there is one: it may say nothing
    for hours, and only the main thread hears of Ctrl-C."""
    if (found := _running.get(thread)) is not None:
        stop(*found)


def stop(child: "subprocess.Popen[bytes]", polite: signal.Signals) -> None:
    """End a command that leads a session: first by a signal on which it can clean up, then by force.

    Processes that it started in its session may outlive it for a moment, and clean up too: they are waited for. Those
    that it started in sessions of their own, as a container's are, end by force.
    """
    if child.poll() is not None:
        return
    with ExitStack() as stack:
        family = [stack.enter_context(_process(pid)) for pid in _descendants(child.pid)]
        for sign in (polite, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(child.pid, sign)
            deadline = time.monotonic() + STOP_SECONDS
            while (child.poll() is None or _group_exists(child.pid)) and time.monotonic() < deadline:
                time.sleep(0.02)
        for handle in family:
            with suppress(OSError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)


@contextmanager
def _process(pid: int) -> Iterator[int]:
    """A handle of a process, which no later process of the same number can take over; -1 if it has gone."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        yield -1
        return
    try:
        yield handle
    finally:
        os.close(handle)


def _descendants(root: int) -> list[int]:
    """All processes below a process, by what /proc says now."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The second field is the program's name in parentheses, with anything in it; the fourth is the parent.
            parent = path.read_text(errors="replace").rpartition(")")[2].split()[1]
            children.setdefault(int(parent), []).append(int(path.parent.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found[1:]


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def indented(last: Iterable[str]) -> str:
    """The last lines of a command's output as part of an error."""
    return "\n".join(f"    {line}" for line in last)


def build_failed(image: ImageToBuild, instruction: str | None, last: Sequence[str]) -> StepError:
    """The error for a Dockerfile of which a step failed. instruction: that step, if it is known."""
    where = f" at {image.in_words(instruction)}" if instruction else ""
    output = indented(map(image.in_words, last))
    return StepError(
        f"{image.title} could not be built{where}; the last lines of its output:\n{output}",
        "The build has no network: everything a step needs must be an input of the recipe.",
        instruction,
        last,
    )
