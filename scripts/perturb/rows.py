"""The conditions that builds run under: what stands before a command, its environment, where its folders are."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOCKET = Path("/var/run/docker.sock")
AS_IT_IS = "as it is"
AT_ONCE = "all at once"
LONG = "a path with spaces, 中文 and é, " + "long " * 30
NOBODY = 65534


@dataclass(frozen=True)
class Row:
    """One set of conditions. prefix: words before the command. environment: variables; None takes one away.
    folder: the row's project and store lie below this folder of the work folder, or below an absolute one.
    python: another interpreter than this one, with Portside's dependencies. copied: the store has files of its own, for
    another file system or user. owner: whose they are. lacks: why it cannot be tried here, None if it can.
    """

    name: str
    prefix: tuple[str, ...] = ()
    environment: Mapping[str, str | None] = field(default_factory=dict)
    folder: str = ""
    python: str = sys.executable
    copied: bool = False
    owner: int | None = None
    lacks: str | None = None

    @property
    def before(self) -> tuple[str, ...]:
        """What stands before a command, with the environment."""
        gone = [word for name, value in self.environment.items() if value is None for word in ("-u", name)]
        given = [f"{name}={value}" for name, value in self.environment.items() if value is not None]
        return ("env", *gone, *given, *self.prefix)


def without(program: str) -> str | None:
    return None if shutil.which(program) else f"there is no {program}"


def conditions(work: Path) -> list[Row]:
    """All but engines. work: a folder for what they need."""
    zone = {"TZ": "Pacific/Kiritimati"}
    return [
        Row(AS_IT_IS),
        Row("time zone 14 hours ahead", environment=zone),
        Row("locale C", environment={"LC_ALL": "C", "LANG": None}),
        Row("locale tr_TR.UTF-8, if it is there", environment={"LC_ALL": "tr_TR.UTF-8"}),
        Row("umask 077", _umask("077")),
        Row("umask 000", _umask("000")),
        Row("no HOME", environment={"HOME": None, "USER": None, "LOGNAME": None}),
        Row("hash seed 1", environment={"PYTHONHASHSEED": "1"}),
        Row("one processor", ("taskset", "-c", "0"), lacks=without("taskset")),
        Row("Portside's clock a year ahead", ("faketime", "-f", "+1y"), lacks=without("faketime")),
        Row("another host name", _host_name(), lacks=_needs_root()),
        Row("store on tmpfs", folder="/dev/shm", copied=True),
        Row("a long path with spaces and Chinese", folder=LONG.strip()),
        _reversed(work),
        _other_user(),
        all_at_once(work),
    ]


def all_at_once(work: Path) -> Row:
    """The quick ones together: one build tells whether any of them matters. work: a folder for what they need."""
    environment = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "LANG": None, "HOME": None, "PYTHONHASHSEED": "1"}
    processor = ("taskset", "-c", "0") if shutil.which("taskset") else ()
    host = _host_name() if _needs_root() is None else ()
    in_reverse = dict(_reversed(work).environment)
    name = "zone, locale C, umask 077, no HOME, hash seed, processor, host name, order, long path: "
    return Row(name + AT_ONCE, (*host, *_umask("077"), *processor), environment | in_reverse, LONG.strip())


def _umask(mask: str) -> tuple[str, ...]:
    return ("sh", "-c", f'umask {mask}; exec "$@"', "sh")


def _host_name() -> tuple[str, ...]:
    return ("unshare", "--uts", "sh", "-c", 'hostname another; exec "$@"', "sh")


def _needs_root() -> str | None:
    return None if os.geteuid() == 0 else "only root can"


def _reversed(work: Path) -> Row:
    """Every folder's names come in the reverse order, by a library that stands before the C library."""
    name = "folders read in the reverse order"
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return Row(name, lacks="there is no C compiler")
    library = work / "reversed.so"
    source = HERE / "reversed.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    return Row(name, environment={"LD_PRELOAD": str(library)})


def _other_user() -> Row:
    """nobody, with the group that may talk to the daemon."""
    name = "another user (nobody), who reads layers out of `docker save`"
    lacks = _needs_root() or without("setpriv")
    if lacks is None and not (SOCKET.exists() and stat.S_ISSOCK(SOCKET.stat().st_mode)):
        lacks = "there is no daemon's socket"
    group = SOCKET.stat().st_gid if lacks is None else 0
    prefix = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", f"--groups={group}")
    return Row(name, prefix, {"HOME": None}, copied=True, owner=NOBODY, lacks=lacks)


def pythons(work: Path, found: Callable[[str], str | None] = shutil.which) -> list[Row]:
    """A row for each other Python 3.10 to 3.14 at hand, with Portside's dependencies in an environment of its own."""
    rows = []
    uv = Path(sys.executable).with_name("uv")
    for minor in range(10, 15):
        if sys.version_info[:2] == (3, minor):
            continue
        python = _python(f"3.{minor}", found)
        if python is None:
            rows.append(Row(f"Python 3.{minor}", lacks="it is not here"))
            continue
        venv = work / f"python-3.{minor}"
        subprocess.run([uv, "venv", "--quiet", "--python", python, venv], check=True)
        packages = ["--require-hashes", "--requirement", str(HERE.parents[1] / "requirements" / "run.txt")]
        subprocess.run([uv, "pip", "install", "--quiet", "--python", venv / "bin/python", *packages], check=True)
        rows.append(Row(f"Python {_version(venv)}", python=str(venv / "bin" / "python")))
    return rows


def _python(version: str, found: Callable[[str], str | None]) -> str | None:
    for path in (*sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python")), found(f"python{version}")):
        if path is not None and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return str(path)
    return None


def _version(venv: Path) -> str:
    words = [str(venv / "bin" / "python"), "-c", "import platform; print(platform.python_version())"]
    return str(subprocess.run(words, capture_output=True, text=True, check=True).stdout).strip()


def engines(told: list[str]) -> list[Row]:
    """told: `NAME: VARIABLE=VALUE …`, such as `Docker 28.5: DOCKER_HOST=unix:///run/other.sock`."""
    rows = []
    for text in told:
        name, _, rest = text.partition(": ")
        pairs = (word.partition("=") for word in rest.split())
        rows.append(Row(name, environment={variable: value for variable, _, value in pairs}))
    return rows
