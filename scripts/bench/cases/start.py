"""g: how long Portside takes to say its version; what every task begins with."""

from collections.abc import Iterator
from pathlib import Path

from bench.processes import run
from bench.values import Goal, Table
from bench.work import CHECKOUT, OURS, Bench, order

PASS = "python -c pass"


def measure(bench: Bench) -> Iterator[Table]:
    table = Table("g", "Start: `--version`", goals=[Goal(OURS, 0.2)])
    python = bench.settings.python
    commands: dict[str, list[str | Path]] = {
        OURS: [python, "-m", "portside", "--version"],
        PASS: [python, "-c", "pass"],
    }
    environment = bench.environment()
    for number in range(-1, bench.settings.rounds * 3):
        for side in order(list(commands), number):
            taken = run(commands[side], environment=environment, cwd=CHECKOUT)
            if number >= 0:  # the first is for byte code and the disk's cache
                table.add(side, taken.seconds)
    yield table
