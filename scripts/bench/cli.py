"""The command line: what to measure, whether there is room for it, and where the figures go."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench import report
from bench.cases import cold, edits, growth, start, travel, weights
from bench.machine import facts, free, load
from bench.processes import BenchError
from bench.values import Table
from bench.work import CHECKOUT, Bench, Settings, bench_of

GIB = 1 << 30
CASES = {
    "a": "nothing to do",
    "b1": "an edit in a recipe's file, above weights, until a container printed it",
    "b2": "the same of a patch step",
    "b3": "the same of another commit of a source",
    "b4": "the same of one more .deb",
    "c": "weights the first time: into the store, mounted, in the image",
    "d": "minilm from fetched inputs, cold",
    "e": "time and memory as files and bytes grow",
    "f": "push and pull of an edit: bytes, requests",
    "g": "start",
}
SINGLE: dict[str, Callable[[Bench], Iterator[Table]]] = {
    "g": start.measure,
    "d": cold.measure,
    "c": weights.measure,
    "e": growth.measure,
    "f": travel.measure,
}
EXAMPLES = """
examples:
  .venv/bin/python scripts/bench                                  all cases on the engine that answers
  .venv/bin/python scripts/bench --quick                          whether all of them work, in about a minute
  .venv/bin/python scripts/bench --case a --case b1 --size 1      two cases, with 1 GiB of weights
  .venv/bin/python scripts/bench --dry-run                        what it would do, and what it needs
  .venv/bin/python scripts/bench --json docs/benchmarks.json      keep the figures with those of other engines
  DOCKER_HOST=unix:///other.sock .venv/bin/python scripts/bench   another Docker
  .venv/bin/python scripts/bench --engine podman
  .venv/bin/python scripts/bench --report docs/benchmarks.json    write tables and plots from figures

Everything that a run makes is removed when it ends, also by Ctrl-C: its folder with store and projects, its images, and
what the builder has kept since it began. On an engine that others build with meanwhile that may be theirs too; give
the run one of its own then: PORTSIDE_ENGINE_ROOT=DIR scripts/start-engine, and DOCKER_HOST=unix://DIR/docker.sock.
"""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Whole processes in turns, beside plain builds of the same content; see docs/benchmarks.md.",
        epilog="cases:\n" + "\n".join(f"  {name:3} {text}" for name, text in CASES.items()) + "\n" + EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--case", action="append", choices=list(CASES), help="only this one; may be given several times")
    made.add_argument("--rounds", type=_number, help="how often each side is measured; default: 5")
    made.add_argument("--size", type=float, help="GiB of weights; default: 2, or less where the disk is small")
    made.add_argument("--quick", action="store_true", help="tiny sizes, two rounds: for CI, the times say nothing")
    made.add_argument("--tiny", action="store_true", help="a tiny project instead of minilm: no network, no packages")
    made.add_argument("--engine", choices=("docker", "podman"), default="docker")
    made.add_argument(
        "--folder", type=Path, help="where the run has its folder; default: the folder for temporary files"
    )
    made.add_argument("--label", default="now", help="what the figures are of, such as `before`; default: now")
    made.add_argument("--json", type=Path, help="put the figures into this file, beside those of other engines")
    made.add_argument("--plot", type=Path, metavar="DIR", help="draw this run's figures into a folder, as SVG")
    made.add_argument(
        "--report", type=Path, metavar="JSON", help="measure nothing: write benchmarks.md and plots beside"
    )
    made.add_argument("--dry-run", action="store_true", help="say what a run would do and what it needs")
    return made


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rounds")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = parser().parse_args(arguments)
    try:
        if chosen.report is not None:
            for path in report.write(chosen.report):
                print(path)
            return 0
        cases = [name for name in CASES if chosen.case is None or name in chosen.case]
        settings = settings_of(chosen)
        needed = need(cases, settings)
        print("\n".join(outline(cases, settings, needed)), file=sys.stderr)
        look(cases, settings, needed)
        if chosen.dry_run:
            return 0
        measure(cases, settings, chosen)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("ended before it was done; what it had made is removed", file=sys.stderr)
        return 130
    return 0


def settings_of(chosen: argparse.Namespace) -> Settings:
    """Sizes are what the disk has room for; what is asked for is not made smaller."""
    python = Path(os.environ.get("PORTSIDE_VENV") or CHECKOUT / ".venv") / "bin/python"
    room = free(chosen.folder or Path(tempfile.gettempdir()))
    files: tuple[int, ...]
    sizes: tuple[int, ...]
    if chosen.quick:
        files, sizes, size = (10, 1000), (1 << 20, 2 << 20), 1 << 20
    else:
        files, sizes, size = (1000, 10_000, 100_000), (GIB, 2 * GIB, 4 * GIB), 2 * GIB
        sizes = (*sizes, 8 * GIB) if room > 60 * GIB else tuple(one for one in sizes if 4 * one < room)
        while 10 * size > room and size > GIB // 4:
            size //= 2
    if chosen.size is not None:
        size = int(chosen.size * GIB)
    return Settings(
        rounds=chosen.rounds or (2 if chosen.quick else 5),
        size=size,
        growth_files=files,
        growth_sizes=sizes,
        quick=chosen.quick,
        tiny=chosen.tiny or chosen.quick,
        kind=chosen.engine,
        python=python if python.exists() else Path(sys.executable),
        parent=chosen.folder,
    )


def need(cases: Sequence[str], settings: Settings) -> int:
    """Bytes of disk that a run takes at most. A case's things go before the next one's come, weights before others.

    In the folder's file, the store, the engine, a peer's context in the builder and a peer's image, an edit's of each
    as well.
    """
    other = 1 << 28 if settings.tiny else 5 * GIB
    edited = 9 * settings.size if any(name in ("a", "b1", "b2", "b3", "b4") for name in cases) else 0
    first = 8 * settings.size if "c" in cases or "f" in cases else 0
    grown = 4 * max(settings.growth_sizes) if "e" in cases else 0
    return 0 if list(cases) == ["g"] else max(edited, first, grown) + other


def outline(cases: Sequence[str], settings: Settings, needed: int) -> Iterator[str]:
    yield f"{settings.rounds} rounds with {settings.kind}, {settings.size / GIB:.3g} GiB of weights:"
    yield from (f"  {name:3} {CASES[name]}" for name in cases)
    room = free(settings.parent or Path(tempfile.gettempdir()))
    yield f"needs {needed / GIB:.1f} GiB of disk at most; {room / GIB:.1f} GiB are free"
    if not settings.tiny and cases != ["g"]:
        yield "needs the network for minilm's packages, about 200 MB; measures without it"


def look(cases: Sequence[str], settings: Settings, needed: int) -> None:
    """Raise BenchError for what a run would lack, before anything is made."""
    room = free(settings.parent or Path(tempfile.gettempdir()))
    if room < needed:
        raise BenchError(
            f"{needed / GIB:.1f} GiB of disk are needed and {room / GIB:.1f} GiB are free; "
            "free some, name another disk by --folder, or take a smaller --size or fewer --case"
        )
    tools = {"git", settings.kind} | ({"docker-registry"} if "f" in cases else set())
    tools |= set() if settings.tiny else {"mmdebstrap"}
    if cases != ["g"] and (missing := sorted(name for name in tools if shutil.which(name) is None)):
        raise BenchError(f"not installed: {', '.join(missing)}")
    if subprocess.run([settings.python, "-c", "import pydantic, yaml"], check=False, capture_output=True).returncode:
        raise BenchError(
            f"{settings.python} lacks Portside's packages: PORTSIDE_DEV=1 scripts/invoke --list makes .venv"
        )


def measure(cases: Sequence[str], settings: Settings, chosen: argparse.Namespace) -> None:
    """Measure the cases. What is there when a run ends early, for an error or by Ctrl-C, is kept and shown as well."""
    run: dict[str, Any] = {
        "label": chosen.label,
        "commit": commit(),
        "load": {"before": load()},
        "rounds": settings.rounds,
        "weights": settings.size,
        "quick": settings.quick,
        "project": "tiny" if settings.tiny else "minilm",
        "tables": [],
    }
    try:
        with bench_of(settings) as bench:
            run |= {"engine": bench.engine.name(), "machine": facts(bench.root)}
            for table in found(bench, cases):
                bench.say(f"{table.name}: {report.summary(table)}")
                run["load"]["after"] = load()
                table.load = run["load"]["after"][0]
                run["tables"].append(table.as_json())
    finally:
        if run["tables"]:
            keep(run, chosen)


def keep(run: dict[str, Any], chosen: argparse.Namespace) -> None:
    """Show a run, and put it where the command line says."""
    print("\n".join(report.lines(run)))
    if chosen.json is not None:
        report.add(chosen.json, run)
    if chosen.plot is not None:
        chosen.plot.mkdir(parents=True, exist_ok=True)
        report.plots(run, chosen.plot)


def found(bench: Bench, cases: Sequence[str]) -> Iterator[Table]:
    """What the cases find out. The cold one is before those whose layers an engine would keep."""
    for name in ("g", "d"):
        if name in cases:
            yield from SINGLE[name](bench)
    if edited := [name for name in cases if name == "a" or name in edits.EDITS]:
        project = edits.Edited(bench)
        for name in edited:
            yield from edits.nothing(project) if name == "a" else edits.edit(project, name)
        bench.drop(project.project)
    for name in ("c", "f", "e"):
        if name in cases:
            yield from SINGLE[name](bench)


def commit() -> str:
    """The commit that was measured; with + where files differ from it."""
    command = ["git", "-C", str(CHECKOUT), "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude", "*"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
