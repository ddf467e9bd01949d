"""`invoke setup`: makes a machine ready to build images. What that takes, scripts/machine.sh knows."""

import os
import shutil
import subprocess
import sys

from portside.begin.places import place
from portside.errors import EngineError


def set_up_machine(engine: str | None, dry_run: bool = False) -> int:
    """Install and start what is missing, as root, or tell a person what to have run; gives the exit code.

    engine: what the configuration names. dry_run: only print these commands, on stdout. Raises EngineError where there
    is no bash.
    """
    bash = shutil.which("bash")
    if bash is None:
        raise EngineError("bash is not in PATH", "Install it with this system's package manager.")
    environment = os.environ | {"PORTSIDE_PYTHON": sys.executable} | ({"PORTSIDE_ENGINE": engine} if engine else {})
    command = [bash, str(place("scripts", "scripts") / "setup"), *(["--dry-run"] if dry_run else [])]
    return subprocess.run(command, env=environment, check=False).returncode
