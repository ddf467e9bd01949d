"""The task of Portside's own checkout: it is there where the checkout is the project."""

import sys

from invoke.context import Context
from invoke.exceptions import Exit

from portside.cli.root import CHECKOUT
from portside.cli.task import portside_task


@portside_task(
    help={
        "unit": "only the tests that need no engine",
        "keyword": "only tests whose names match this expression (pytest -k)",
    }
)
def test(c: Context, unit: bool = False, keyword: str | None = None) -> None:
    """The project's own tests.

    Example: invoke test --unit
    """
    import subprocess

    command = [sys.executable, "-m", "pytest", "tests/unit" if unit else "tests"]
    # tests/conftest.py says what must not run at once; more processes than that would wait for its longest group.
    command += ["--numprocesses=auto", "--maxprocesses=4", "--no-loadscope-reorder"]
    command += ["-k", keyword] if keyword else []
    result = subprocess.run(command, cwd=CHECKOUT, check=False)
    if result.returncode:
        raise Exit(code=result.returncode)
