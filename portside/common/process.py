"""Which process made a thing that outlives it, and whether that process has ended."""

import os
from pathlib import Path

PROC = Path("/proc")


def this_process() -> str:
    """A word that no other process ever has: boot, process namespace, number and start of this one."""
    return f"{_here()}.{os.getpid()}.{_start(os.getpid())}"


def has_ended(process: str) -> bool | None:
    """Whether the process of that word has ended; None where that cannot be seen from here."""
    place, _, rest = process.partition(".")
    number, _, start = rest.partition(".")
    if place != _here() or not number.isdigit() or not start.isdigit():
        return None
    return _start(int(number)) != start


def _here() -> str:
    boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
    space = os.readlink(PROC / "self/ns/pid")
    return f"{boot}-{''.join(filter(str.isdigit, space))}"


def _start(number: int) -> str | None:
    """Clock ticks from boot to the start of a process (proc(5), field 22 of stat); None if there is none."""
    try:
        # The second field is the program's name in parentheses, with anything in it.
        return (PROC / str(number) / "stat").read_text(errors="replace").rpartition(")")[2].split()[19]
    except OSError:
        return None
