"""The benchmarks work from end to end with a real engine, and leave nothing; what they take is not judged.

A few cases stand for all: `python scripts/bench --quick` runs every one of them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from pipeline import ROOT, docker

CASES = ("a", "b1", "g")


def test_a_few_cases_quickly(tmp_path: Path) -> None:
    environment = {**os.environ, "PORTSIDE_VENV": sys.prefix, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "scripts/bench", "--quick", "--rounds", "1", "--json", str(tmp_path / "figures.json")]
    command += [word for case in CASES for word in ("--case", case)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (run,) = json.loads((tmp_path / "figures.json").read_text())["runs"]
    assert {table["name"].partition("-")[0] for table in run["tables"]} == set(CASES)
    assert all(values and min(values) > 0 for table in run["tables"] for values in table["series"].values())
    assert [path.name for path in tmp_path.iterdir()] == ["figures.json"]
    name = done.stderr.partition("preparing ")[2].partition(":")[0]
    assert name.endswith("-edits") and name not in docker("images", "--all", "--format", "{{.Repository}}")
