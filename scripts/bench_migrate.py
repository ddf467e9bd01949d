#!/usr/bin/env python3
"""How long `invoke migrate` (precise mode) takes beside the vendor's converter, on the same tree, in the same run.

    scripts/bench_migrate.py SOURCE VENDOR_TOOL [--rounds N] [--limit 1.0]

SOURCE: a folder, for instance an unpacked transformers 4.27.4. VENDOR_TOOL: torch_gpu2mlu.py, as its repository has
it. Both run as a person runs them, as whole processes, in turns: ours is `python -m invoke migrate`, with its three
reports. The first round is not counted. The vendor's tool imports torch and torch_mlu; where they are not
installed, empty modules stand in for them, which makes it faster than it is. What they write is deleted at the end
only: where many files were just deleted, ext4 makes new ones several times slower, for both. Prints JSON; ends with 1
above the limit.
"""

import argparse
import importlib.util
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent


def seconds(command: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    taken = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{shlex.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return taken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("vendor_tool", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--limit", type=float, default=1.0)
    options = parser.parse_args()
    ours: list[float] = []
    vendor: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        source = work / "source"
        shutil.copytree(options.source, source, symlinks=True)
        stubs = work / "stubs"
        stubs.mkdir()
        missing = [module for module in ("torch", "torch_mlu") if importlib.util.find_spec(module) is None]
        for module in missing:
            (stubs / f"{module}.py").touch()
        environment = {**os.environ, "PYTHONPATH": str(stubs)}
        vendor_command = [sys.executable, str(options.vendor_tool), "-i", str(source)]
        our_command = [sys.executable, "-m", "invoke", "--search-root", str(HERE), "migrate"]
        our_command += ["--source", str(source), "--ruleset", "mlu", "--output", str(work / "ours")]
        for number in range(options.rounds + 1):
            for times, command, output in (
                (vendor, vendor_command, work / "source_mlu"),
                (ours, our_command, work / "ours"),
            ):
                taken = seconds(command, environment)
                if number:
                    times.append(taken)
                output.rename(work / f"{output.name}-{number}")
    ratio = statistics.median(ours) / statistics.median(vendor)
    result = {
        "python_files": sum(1 for _ in options.source.rglob("*.py")),
        "processors": len(os.sched_getaffinity(0)),
        "stand_ins": missing,
        "vendor_seconds": [round(value, 3) for value in vendor],
        "invoke_migrate_seconds": [round(value, 3) for value in ours],
        "ratio_of_medians": round(ratio, 3),
    }
    print(json.dumps(result, indent=2))
    return 0 if ratio <= options.limit else 1


if __name__ == "__main__":
    sys.exit(main())
