"""The task of Portside's own checkout: it is there where the checkout is the project."""

import sys
from pathlib import Path

from invoke.context import Context
from invoke.exceptions import Exit

from portside.cli.root import CHECKOUT
from portside.cli.task import portside_task


@portside_task(
    help={
        "unit": "only the tests that need no engine",
        "coverage": "say how many lines of portside/ the tests run, and which modules are below 85 %",
        "keyword": "only tests whose names match this expression (pytest -k)",
    }
)
def test(c: Context, unit: bool = False, coverage: bool = False, keyword: str | None = None) -> None:
    """The project's own tests.

    Example: invoke test --unit
    """
    import subprocess

    command = [sys.executable, "-m", "pytest", "tests/unit" if unit else "tests"]
    # tests/conftest.py says what must not run at once; more processes than that would wait for its longest group.
    command += ["--numprocesses=auto", "--maxprocesses=4", "--no-loadscope-reorder"]
    command += ["-k", keyword] if keyword else []
    # The table is ours: pytest-cov's own names every module.
    command += ["--cov=portside", "--cov-report="] if coverage else []
    result = subprocess.run(command, cwd=CHECKOUT, check=False)
    if result.returncode:
        raise Exit(code=result.returncode)
    if coverage:
        _say_coverage(CHECKOUT / ".coverage")


ENOUGH = 85
"""Percent of a module's lines."""


def _say_coverage(data: Path) -> None:
    """Print the figure of the whole, and the modules below ENOUGH, the lowest first."""
    import json
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        command = [sys.executable, "-m", "coverage", "json", "--quiet", "--data-file", str(data), "-o", str(report)]
        subprocess.run(command, cwd=CHECKOUT, check=True)
        found = json.loads(report.read_text(encoding="utf-8"))
    print(f"{found['totals']['percent_covered']:.1f} % of the lines of portside/")
    lines = {name: file["summary"]["percent_covered"] for name, file in found["files"].items()}
    for name, percent in sorted(lines.items(), key=lambda item: (item[1], item[0])):
        if percent < ENOUGH:
            print(f"  {percent:5.1f} %  {name}")
