"""The benchmarks work from end to end with a real engine, and leave nothing; what they take is not judged."""

import json
import os
import subprocess
import sys
from pathlib import Path

from pipeline import ROOT, docker

CASES = {"a", "b1", "b2", "b3", "b4", "c", "d", "e", "f", "g"}


def test_all_cases_quickly(tmp_path: Path) -> None:
    had_base = bool(docker("images", "--quiet", "portside-bench/base"))
    environment = {**os.environ, "PORTSIDE_VENV": sys.prefix, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "scripts/bench", "--quick", "--rounds", "1", "--json", str(tmp_path / "figures.json")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (run,) = json.loads((tmp_path / "figures.json").read_text())["runs"]
    assert {table["name"].partition("-")[0] for table in run["tables"]} == CASES
    assert all(values and min(values) > 0 for table in run["tables"] for values in table["series"].values())
    assert [path.name for path in tmp_path.iterdir()] == ["figures.json"]
    assert "bench-" not in docker("images", "--format", "{{.Repository}}").replace("portside-bench/base", "")
    assert had_base == bool(docker("images", "--quiet", "portside-bench/base"))
