"""One process at a time, with what it took: seconds, and memory of all that it started."""

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")


class BenchError(Exception):
    """What a person is told instead of a figure."""


@dataclass(frozen=True)
class Taken:
    """seconds: by the clock. peak: bytes resident at once in the process and all below it, 0 where nobody looked."""

    seconds: float
    stdout: str
    peak: int = 0


def run(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    cwd: Path,
    expect: str | None = None,
    memory: bool = False,
) -> Taken:
    """Run a command to its end. expect: what its stdout must contain. memory: look at /proc meanwhile.

    Raises BenchError with the end of its output if it fails, or says something else.
    """
    start = time.monotonic()
    try:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if expect is None else subprocess.PIPE,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise BenchError(f"{command[0]} is not there") from error
    watch = Watch(process.pid) if memory else None
    try:
        out, err = process.communicate()
    except BaseException:  # Ctrl-C reaches the child as well, which then puts its own things away
        process.terminate()
        process.wait()
        raise
    finally:
        peak = watch.stop() if watch else 0
    seconds = time.monotonic() - start
    line = " ".join(map(str, command))
    if process.returncode:
        raise BenchError(f"{line}\nended with exit code {process.returncode}:\n{(out + (err or ''))[-3000:]}")
    if expect is not None and expect not in out:
        raise BenchError(f"{line}\nsaid {out!r}, and {expect!r} was expected")
    return Taken(seconds, out, peak)


class Watch:
    """The most that a process and its descendants have resident at once, looked at 50 times a second.

    Pages that several of them share count for each: what is said is no less than what is used.
    """

    def __init__(self, pid: int) -> None:
        self._pid, self._peak = pid, 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._end.set()
        self._thread.join()
        return self._peak

    def _look(self) -> None:
        while True:
            self._peak = max(self._peak, sum(map(resident, family(self._pid))))
            if self._end.wait(0.02):
                return


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        try:
            for task in Path(f"/proc/{found[-1]}/task").iterdir():
                todo += map(int, (task / "children").read_text().split())
        except OSError:
            continue  # it has ended
    return found


def resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0
