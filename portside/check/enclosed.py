"""Programs of somebody else that see and reach little of this machine (`enter.py`), where it allows that."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ENTER = Path(__file__).with_name("enter.py")

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/nix/store", "/gnu/store")
"""Where programs, and what they load, are installed."""

_LONGEST = 60.0
"""Seconds that a machine may take to start Python."""


@dataclass(frozen=True)
class Enclosure:
    """shown: what the program sees beside Python and the system, by the path that it sees. root: an empty folder.
    workdir: one of what it sees."""

    shown: Mapping[str, Path]
    root: Path
    workdir: str

    def refused(self) -> str | None:
        """Why this machine does not allow it, None where it does."""
        try:
            done = subprocess.run(
                self.command([sys.executable, "-c", "import pytest"], {}),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_LONGEST,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        said = done.stderr.strip().splitlines()
        return None if done.returncode == 0 else (said[-1] if said else f"exit code {done.returncode}")

    def command(self, argv: Sequence[str], environment: Mapping[str, str]) -> list[str]:
        """The command line that starts a program inside. argv: its first word is an absolute path."""
        binds = [[str(source), seen] for seen, source in self.shown.items()]
        binds += [[path, path] for path in _pythons()]
        plan = {
            "binds": binds,
            "root": str(self.root),
            "argv": list(argv),
            "env": {**_PLAIN, **environment},
            "workdir": self.workdir,
        }
        return [sys.executable, "-I", str(ENTER), json.dumps(plan)]


_PLAIN = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",
    "TMPDIR": "/tmp",
    "LC_ALL": "C.UTF-8",
}


def _pythons() -> list[str]:
    """The system's folders and those of this Python, each under every name by which it is found."""
    packages = (path for path in sys.path if os.path.basename(path).endswith("-packages"))
    own = os.path.dirname(os.path.dirname(sys.executable))
    wanted = (*_SYSTEM, own, sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, *packages)
    found = {name for path in wanted if os.path.exists(path) for name in (path, os.path.realpath(path))}
    absolute = {os.path.abspath(name) for name in found}
    return sorted(path for path in absolute if not any(path.startswith(f"{other}/") for other in absolute))
