"""The podman command: which one, what it may know of the person, and what this machine makes it need."""

import os
import re
import resource
import selectors
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from portside.common.canonical import CHUNK
from portside.engines import docker_run
from portside.engines.base import Output, RunSpec
from portside.engines.stdin import pump
from portside.errors import EngineError

MINIMUM = (4, 3)
"""The oldest version that this was tried with."""
DEFAULT_LIMIT = 1_048_576
"""The open files and processes that Podman gives a container that asks for none (libpod, RLimitDefaultValue)."""
HYBRID = Path("/sys/fs/cgroup/unified/cgroup.controllers")
"""Not empty where some control groups are of version 2 and others of version 1, which crun refuses."""
PID_MAX = Path("/proc/sys/kernel/pid_max")
STATUS = Path("/proc/self/status")

INIT = Path("/usr/libexec/podman/catatonit")
"""What `--init` runs (containers/common, DefaultInitPath); distributions have it in a package of its own."""

_CAP_SYS_RESOURCE = 24  # capabilities(7)
_VERSION = re.compile(r"^podman version (\d+)\.(\d+)(\S*)")
_KEPT = (
    *("PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "DBUS_SESSION_BUS_ADDRESS"),
    *("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "STORAGE_DRIVER", "STORAGE_OPTS", "BUILDAH_ISOLATION"),
)
"""What the command may know of the person's environment: programs, and where Podman's data and settings are."""


@dataclass(frozen=True, slots=True)
class Podman:
    """A podman command that works on this machine's own storage. version: `4.3.1`. environment: all that it sees."""

    version: str
    environment: Mapping[str, str]

    def result(self, *arguments: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[bytes]":
        """Run `podman ARGUMENTS` to its end, whatever comes of it."""
        command = ["podman", *arguments]
        return subprocess.run(
            command, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, check=False, cwd=cwd
        )

    def call(self, doing: str, *arguments: str) -> str:
        """What `podman ARGUMENTS` prints. doing: `tagging x`, for the EngineError if it fails."""
        done = self.result(*arguments)
        if done.returncode:
            raise failed(doing, done.stderr)
        return done.stdout.decode("utf-8", "replace").strip()

    def there(self, kind: str, name: str) -> bool:
        """Whether there is an image or a container of that name. kind: `image` or `container`."""
        done = self.result(kind, "exists", name)
        if done.returncode > 1:
            raise failed(f"looking for the {kind} {name}", done.stderr)
        return done.returncode == 0

    def stream(self, *arguments: str, output: Output, stdin: bool = False) -> tuple[int, bytes]:
        """Run `podman ARGUMENTS`, giving away its output as it comes; gives exit code and the end of stderr.

        stdin: it gets what comes on this process's; through a pipe, for a terminal belongs to one session alone.
        """
        end = b""
        with (
            subprocess.Popen(
                ["podman", *arguments],
                env=self.environment,
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                bufsize=0,
            ) as child,
            selectors.DefaultSelector() as ready,
        ):
            try:
                if child.stdin is not None:
                    # The thread closes it: `with` would wait for a terminal's next line to do so.
                    to_child, child.stdin = child.stdin, None
                    pump(_whole(to_child), to_child.close)
                for pipe in (child.stdout, child.stderr):
                    assert pipe is not None
                    ready.register(pipe, selectors.EVENT_READ)
                while ready.get_map():
                    for key, _ in ready.select():
                        piece = os.read(key.fd, CHUNK)
                        if not piece:
                            ready.unregister(key.fileobj)
                        elif key.fileobj is child.stdout:
                            output(piece, b"")
                        else:
                            end = (end + piece)[-CHUNK:]
                            output(b"", piece)
            except BaseException:
                child.kill()
                raise
        return child.returncode, end


def _whole(stream: IO[bytes]) -> Callable[[bytes], None]:
    """Writes all of a piece to an unbuffered stream, which takes as much as fits into a pipe."""

    def write(piece: bytes) -> None:
        rest = memoryview(piece)
        while rest:
            rest = rest[stream.write(rest) :]

    return write


def find_podman(environment: Mapping[str, str]) -> Podman:
    """The podman command on PATH. Raises EngineError if there is none, it is too old, or it is told to go elsewhere."""
    for name in ("CONTAINER_HOST", "CONTAINER_CONNECTION"):
        if environment.get(name):
            raise EngineError(
                f"{name} sends podman to another machine, and Portside uses Podman only on its own",
                f"Unset {name}, or run Portside on that machine.",
            )
    kept = {name: environment[name] for name in _KEPT if name in environment}
    kept |= {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
    remedy = "Install Podman 4.3 or newer: `apt-get install --no-install-recommends podman` on Debian 12."
    if shutil.which("podman", path=kept.get("PATH", os.defpath)) is None:
        raise EngineError("there is no podman command on PATH", remedy)
    said = Podman("", kept).call("telling its version", "--version")
    version = _VERSION.match(said)
    if version is None or (int(version[1]), int(version[2])) < MINIMUM:
        raise EngineError(f"podman says {said!r}, which is no Podman that Portside works with", remedy)
    return Podman(said.removeprefix("podman version "), kept)


def failed(doing: str, stderr: bytes, remedy: str | None = None) -> EngineError:
    """The error for a podman command that failed, with what it said and without its warnings."""
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    errors = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    return EngineError(f"Podman failed while {doing}: {'; '.join(errors or lines) or 'it does not say why'}", remedy)


def runtime_options() -> list[str]:
    """`--runtime runc` where Podman's default, crun, refuses to work and runc is there."""
    try:
        hybrid = bool(HYBRID.read_text().strip())
    except OSError:
        hybrid = False
    places = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    return ["--runtime", "runc"] if hybrid and shutil.which("runc", path=places) else []


def as_program(command: str) -> list[str]:
    """The first words of `podman run` or `podman create`: only local images, nothing of the person's proxies."""
    return ["podman", *runtime_options(), command, "--pull=never", "--http-proxy=false"]


def as_command(spec: RunSpec) -> list[str]:
    """The `podman run` command line of a container."""
    return docker_run.as_command(with_limits(spec), as_program("run"))


def with_limits(spec: RunSpec) -> RunSpec:
    """The spec with the limits that Podman has to be told on this machine, and no init process that is not there."""
    return replace(spec, ulimits=limits(spec), init=spec.init and INIT.exists())


def limits(spec: RunSpec) -> dict[str, tuple[int, int]]:
    """The limits of a container: those of its spec, and the most that Podman can give where it may not raise any."""
    if _may_raise_limits():
        return dict(spec.ulimits)
    # Podman lowers its own limit of processes to the kernel's (containers/common, getDefaultProcessLimits).
    most = {
        "nofile": _hard_limit(resource.RLIMIT_NOFILE),
        "nproc": min(_hard_limit(resource.RLIMIT_NPROC), int(PID_MAX.read_text())),
    }
    return {name: (limit, limit) for name, limit in most.items() if limit < DEFAULT_LIMIT} | dict(spec.ulimits)


def _hard_limit(number: int) -> int:
    hard = resource.getrlimit(number)[1]
    return DEFAULT_LIMIT if hard == resource.RLIM_INFINITY else hard


def _may_raise_limits() -> bool:
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", STATUS.read_text(), re.MULTILINE)
    return found is None or bool(int(found[1], 16) >> _CAP_SYS_RESOURCE & 1)
