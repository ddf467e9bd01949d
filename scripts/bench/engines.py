"""The engine of a run, as its command line has it, and how everything of the run leaves it again."""

import json
import os
import re
import resource
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.processes import BenchError

MARK = "portside-bench"
"""The label of every peer's image; its value is the run's recipe."""


@dataclass
class Engine:
    """kind: `docker` or `podman`. program: its command, one that can build.

    environment: what every process of the run is given, so that it uses this engine.
    """

    kind: str
    program: str
    environment: dict[str, str]
    _cache_before: set[str] = field(default_factory=set)

    def ask(self, *arguments: str, check: bool = True) -> str:
        """What the engine's command prints. Raises BenchError with what it says if it fails."""
        command = [self.program, *arguments]
        try:
            done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise BenchError(f"{self.program} is not in PATH") from error
        if done.returncode and check:
            raise BenchError(f"{' '.join(command)}\nended with exit code {done.returncode}: {done.stderr.strip()}")
        return done.stdout.strip()

    def name(self) -> str:
        """Such as `Docker 20.10.24+dfsg1, overlay2`: what it is, and how it keeps images."""
        if self.kind == "podman":
            about: dict[str, Any] = json.loads(self.ask("info", "--format", "json"))
            return f"Podman {about['version']['Version']}, {about['store']['graphDriverName']}"
        about = json.loads(self.ask("info", "--format", "{{json .}}"))
        status = dict(pair for pair in about.get("DriverStatus") or [] if len(pair) == 2)
        store = "containerd, " if "containerd" in status.get("driver-type", "") else ""
        return f"Docker {about['ServerVersion']}, {store}{about['Driver']}"

    def links(self) -> bool:
        """Whether builds take `COPY --link`: its layers stand on nothing, and are used again on top of anything."""
        number = re.search(r"\d+", self.name())
        return self.kind == "docker" and number is not None and int(number[0]) >= 23

    def build(self, context: Path, tag: str, mark: str, base: str | None, *, cache: bool = True) -> list[str]:
        """The command that builds a context's Dockerfile. base: the image for its argument BASE."""
        command = [self.program, "build", "--quiet", "--network", "none", "--label", f"{MARK}={mark}", "--tag", tag]
        if self.kind == "podman":
            command += ["--layers", *podman_runtime(), *podman_limits()]  # keeps what every step gave, as Docker does
        command += [] if base is None else ["--build-arg", f"BASE={base}"]
        return [*command, *([] if cache else ["--no-cache"]), str(context)]

    def container(self, image: str, line: str) -> list[str]:
        """The command that runs a line of shell in a new container, as Portside does without a network."""
        more = [*podman_runtime(), *podman_limits()] if self.kind == "podman" else []
        return [self.program, "run", "--rm", "--network", "none", *more, image, "sh", "-c", line]

    def images_of(self, recipe: str) -> set[str]:
        """IDs of the images that were built for a recipe of the run, by Portside or as a peer; names or none."""
        labels = (f"label=portside.recipe={recipe}", f"label={MARK}={recipe}")
        lines = [
            self.ask("images", "--all", "--quiet", "--no-trunc", "--filter", label, check=False) for label in labels
        ]
        return {word for line in lines for word in line.split()}

    def forget(self, recipe: str, *names: str) -> None:
        """Remove a recipe's images, and those with these names."""
        for _ in range(3):  # an image that another one stands on goes after it
            if not (found := sorted(self.images_of(recipe))):
                break
            self.ask("image", "rm", "--force", *found, check=False)
        for name in names:
            self.ask("image", "rm", "--force", name, check=False)

    def forget_older(self, recipe: str) -> None:
        """Remove those of a recipe's images that have lost their name to a newer one."""
        labels = (f"label=portside.recipe={recipe}", f"label={MARK}={recipe}")
        for label in labels:
            found = self.ask("images", "--quiet", "--filter", "dangling=true", "--filter", label, check=False)
            if found:
                self.ask("image", "rm", "--force", *found.split(), check=False)

    def cache(self) -> set[str]:
        """IDs of what the builder keeps for later builds; Podman keeps images instead."""
        if self.kind == "podman":
            return set()
        records = json.loads(self.ask("system", "df", "--verbose", "--format", "{{json .BuildCache}}") or "[]")
        return {record["ID"] for record in records or []}

    def remember_cache(self) -> None:
        self._cache_before = self.cache()

    def forget_cache(self, kept: set[str] | None = None) -> None:
        """Remove what the builder has kept since `remember_cache`, or all but `kept`; what is in use stays."""
        before = -1
        while (new := self.cache() - (self._cache_before if kept is None else kept)) and len(new) != before:
            before = len(new)
            for name in sorted(new):
                self.ask("builder", "prune", "--all", "--force", "--filter", f"id={name}", check=False)


def podman_limits() -> list[str]:
    """Podman's wish for limits, no higher than this process has: without CAP_SYS_RESOURCE it may not raise them."""
    files, processes = (resource.getrlimit(number)[1] for number in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC))
    most = {"nofile": files, "nproc": min(processes, int(Path("/proc/sys/kernel/pid_max").read_text()))}
    return [word for name, value in most.items() for word in ("--ulimit", f"{name}={value}:{value}")]


def podman_runtime() -> list[str]:
    """crun refuses a machine with both kinds of control groups at once; runc does not."""
    hybrid = Path("/sys/fs/cgroup/unified").is_dir() and Path("/usr/sbin/runc").exists()
    return ["--runtime", "runc"] if hybrid else []


def open_engine(kind: str, folder: Path, environment: Mapping[str, str]) -> Engine:
    """The engine of a run. Podman gets a storage of its own in `folder`, which has a short name.

    Raises BenchError if it does not answer.
    """
    mine = {**environment, "PORTSIDE_ENGINE": kind, "DOCKER_BUILDKIT": "1"}
    if kind == "podman":
        file = folder / "storage.conf"
        root = f'graphroot = "{folder}/containers"\nrunroot = "{folder}/run"\n'
        file.write_text(f'[storage]\ndriver = "overlay"\n{root}')
        mine["CONTAINERS_STORAGE_CONF"] = str(file)
    engine = Engine(kind, docker_program(mine) if kind == "docker" else kind, mine)
    engine.ask("info", "--format", "json" if kind == "podman" else "{{json .ServerVersion}}")
    engine.remember_cache()
    return engine


def docker_program(environment: Mapping[str, str]) -> str:
    """The first docker command in PATH, then in /usr/bin, that has BuildKit or the plugin buildx."""
    folders = [*environment.get("PATH", os.defpath).split(os.pathsep), "/usr/bin"]
    for path in (Path(folder) / "docker" for folder in folders):
        if not os.access(path, os.X_OK):
            continue
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
        version = re.search(r"version (\d+)\.", said)
        plugin = [str(path), "buildx", "version"]
        if version and int(version[1]) < 23:
            return str(path)
        if version and subprocess.run(plugin, env=dict(environment), capture_output=True, check=False).returncode == 0:
            return str(path)
    raise BenchError("no docker command builds with BuildKit: install docker.io, or docker-buildx beside it")


def docker_socket(environment: Mapping[str, str]) -> Path | None:
    """The socket of the Docker daemon in use, None where it is reached otherwise."""
    host = environment.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    path = Path(host.removeprefix("unix://"))
    return path if host.startswith("unix://") and path.is_socket() and os.access(path, os.W_OK) else None
