"""The builders of docker's buildx: which there are, what they execute, and whether they answer.

A builder is BuildKit in a container, in Kubernetes, or anywhere that a `remote` one points to. buildx keeps a person's
builders in BUILDX_CONFIG, or below the docker command's own folder; of that folder only the builders, the contexts and
the plugins are seen here, none of its proxies and logins.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from portside.engines.docker_cli import docker_commands
from portside.engines.endpoint import config_folder
from portside.errors import EngineError, did_you_mean

INSPECT_SECONDS = 60
"""How long a builder may take to say what it is."""
START_SECONDS = 600
"""How long one may take to start: it pulls its image first, in Kubernetes it waits for a node."""
SNAPSHOTTER = "org.mobyproject.buildkit.worker.snapshotter"
"""The label of a BuildKit worker (worker/label/label.go) that says how it keeps file systems."""
OVERLAYS = ("fuse-overlayfs", "overlay", "overlay2", "overlayfs", "nydus", "stargz")
"""The storage, in Docker's, Podman's and BuildKit's words, where a step that changes a file gets a copy of it. With any
other (native, vfs, btrfs, zfs) it changes all names that earlier steps linked to it, and the layer is another."""

_KEPT = (
    *("PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "SSH_AUTH_SOCK", "KUBECONFIG"),
    *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "DOCKER_TLS", "DOCKER_API_VERSION"),
    *(name for word in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY") for name in (word, word.lower())),
)
"""What the command may know of the person's environment: programs, and ways to where builders are. It hands none of it
to steps."""
_VERSION = re.compile(r"\bv?(\d+\.\d+\S*)")
_PLATFORM = re.compile(r"linux/(\w+)")
_ERROR = re.compile(r"^ERROR: (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Node:
    """One BuildKit of a builder. status: buildx's word; `running` answers. error: why it does not, where that is known.
    architectures: that it executes, in Go's words. snapshotter: None where it does not say.
    """

    name: str
    endpoint: str
    status: str
    error: str | None
    architectures: tuple[str, ...]
    snapshotter: str | None

    @property
    def runs(self) -> bool:
        return self.status == "running"


@dataclass(frozen=True, slots=True)
class FoundBuilder:
    """A builder as buildx describes it. driver: `docker`, `docker-container`, `kubernetes` or `remote`."""

    name: str
    driver: str
    nodes: tuple[Node, ...]

    @property
    def starts(self) -> bool:
        """Whether buildx starts it when it is needed; a daemon and a remote one are there or not."""
        return self.driver not in ("docker", "remote")

    @property
    def is_running(self) -> bool:
        return any(node.runs for node in self.nodes)

    @property
    def architectures(self) -> frozenset[str]:
        """Of the nodes that run."""
        return frozenset(name for node in self.nodes if node.runs for name in node.architectures)

    @property
    def other_snapshotters(self) -> tuple[str, ...]:
        """How nodes keep file systems that do not copy a file before they change it."""
        found = {node.snapshotter for node in self.nodes if node.runs and node.snapshotter}
        return tuple(sorted(found - set(OVERLAYS)))


@dataclass(frozen=True, slots=True)
class Buildx:
    """command: its first words, `docker buildx`. version: `0.29.1`."""

    command: tuple[str, ...]
    version: str

    def _run(self, *words: str, seconds: float) -> tuple[int, str]:
        """The exit code and all output; a command that takes longer is ended."""
        with buildx_environment(os.environ) as env:
            try:
                done = subprocess.run(
                    [*self.command, *words],
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    timeout=seconds,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return -1, f"ERROR: no answer within {seconds:.0f} s"
            except OSError as error:
                raise EngineError(f"cannot run {self.command[0]}: {error}") from error
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def names(self) -> list[str]:
        """The builders that there are, without asking any of them; sorted."""
        with buildx_environment(os.environ) as env:
            folder = Path(env["BUILDX_CONFIG"], "instances")
            return sorted(path.name for path in folder.glob("*") if path.is_file()) if folder.is_dir() else []

    def inspect(self, name: str, *, start: bool = False) -> FoundBuilder:
        """Ask a builder what it is. start: let buildx start it first, if it is one that buildx starts.

        Raises EngineError where there is none of that name, or starting it fails.
        """
        code, said = self._run("inspect", name, seconds=INSPECT_SECONDS)
        if code:
            raise self._unknown(name, said)
        found = read_inspect(said)
        if start and found.starts and not found.is_running:
            code, said = self._run("inspect", "--bootstrap", name, seconds=START_SECONDS)
            if code:
                raise EngineError(
                    f"the builder {name} does not start: {_complaint(said)}",
                    f"See what buildx says: docker buildx inspect --bootstrap {name}",
                )
            found = read_inspect(said)
        return found

    def _unknown(self, name: str, said: str) -> EngineError:
        if not re.search(r"no builder .* found|invalid builder name", said):
            return EngineError(f"buildx says of the builder {name}: {_complaint(said)}")
        known = self.names()
        there = f"There are: {', '.join(known)}. " if known else ""
        return EngineError(
            f"there is no builder called {name!r}",
            f"{did_you_mean(name, known)}{there}Make one: docker buildx create --name {name} --driver remote "
            "tcp://HOST:PORT, or with the driver docker-container or kubernetes (docs/builders.md).",
        )


def find_buildx(environment: Mapping[str, str]) -> Buildx:
    """The first docker command on PATH that has buildx, else buildx alone. Raises EngineError if there is none."""
    path = environment.get("PATH", os.defpath)
    commands: list[tuple[str, ...]] = [(str(docker), "buildx") for docker in docker_commands(path)]
    commands += [(found,) for name in ("buildx", "docker-buildx") if (found := shutil.which(name, path=path))]
    with buildx_environment(environment) as env:
        for command in commands:
            try:
                done = subprocess.run(
                    [*command, "version"],
                    env=env,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=10,
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired):
                continue
            if not done.returncode and (version := _VERSION.search(done.stdout.decode("utf-8", "replace"))):
                return Buildx(command, version[1])
    raise EngineError(
        "a builder was named, and no docker command here has buildx",
        "Install it: docker-buildx on Debian 13 and newer, docker-buildx-plugin from Docker's own packages; or put the "
        "file docker-buildx of its releases into ~/.docker/cli-plugins.",
    )


@contextmanager
def buildx_environment(environment: Mapping[str, str], logins: bytes | None = None) -> Iterator[dict[str, str]]:
    """The variables for a buildx command. logins: the config.json that it finds, for registries."""
    own = config_folder(environment)
    builders = Path(environment.get("BUILDX_CONFIG") or own / "buildx")
    with tempfile.TemporaryDirectory(prefix="portside-buildx-") as folder:
        for name in ("cli-plugins", "contexts"):
            if (own / name).is_dir():
                Path(folder, name).symlink_to((own / name).resolve(), target_is_directory=True)
        if logins is not None:
            Path(folder, "config.json").write_bytes(logins)  # the folder is this user's alone
        yield {
            **{name: environment[name] for name in _KEPT if name in environment},
            "DOCKER_CONFIG": folder,
            "BUILDX_CONFIG": str(builders.absolute()),
            "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
            "BUILDX_GIT_INFO": "false",
            "DOCKER_CLI_HINTS": "false",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }


def read_inspect(text: str) -> FoundBuilder:
    """What `buildx inspect NAME` prints. Raises EngineError for something else."""
    head, _, rest = text.partition("\nNodes:")
    top = _fields(head)
    if "Name" not in top or "Driver" not in top:
        raise EngineError(f"buildx describes a builder in words that Portside does not know: {text[:200]!r}")
    nodes = []
    for piece in re.split(r"^(?=Name:)", rest, flags=re.MULTILINE)[1:]:
        fields = _fields(piece)
        nodes.append(
            Node(
                fields["Name"],
                fields.get("Endpoint", ""),
                fields.get("Status", "unknown"),
                fields.get("Error"),
                tuple(dict.fromkeys(_PLATFORM.findall(fields.get("Platforms", "")))),
                fields.get(SNAPSHOTTER),
            )
        )
    return FoundBuilder(top["Name"], top["Driver"], tuple(nodes))


def _fields(text: str) -> dict[str, str]:
    """Lines `Key: value`, the first of each key."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.strip().partition(":")
        if colon and value.strip():
            found.setdefault(key, value.strip())
    return found


def _complaint(said: str) -> str:
    found = _ERROR.findall(said)
    lines = said.strip().splitlines()
    return found[-1] if found else (lines[-1] if lines else "it does not say why")
