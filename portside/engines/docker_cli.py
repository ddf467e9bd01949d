"""The docker command: which one can build, and a build with it. The SDK has no BuildKit, so this is the only way."""

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portside.common.canonical import canonical_json
from portside.engines.base import ImageToBuild
from portside.engines.buildkit_log import BuildLog
from portside.engines.command import indented, lines
from portside.engines.endpoint import Endpoint, config_folder
from portside.errors import EngineError

BUILT_IN = "BuildKit"
"""How a docker command builds that needs no plugin for it."""

_VERSION = re.compile(r"^Docker version (\d+)\.(\d+)")
_UNREACHABLE = re.compile(r"cannot connect to the docker daemon|error during connect", re.IGNORECASE)
_KEPT = ("PATH", "HOME", "TMPDIR")
"""What the command may know of the person's environment."""


@dataclass(frozen=True, slots=True)
class Cli:
    """A docker command that can build with BuildKit. how: BUILT_IN or `buildx 0.13.1`."""

    path: Path
    how: str


def find_cli(endpoint: Endpoint, environment: Mapping[str, str]) -> Cli:
    """The first docker command on PATH (then in /usr/bin) that has BuildKit and that the daemon talks to.

    Raises EngineError if there is none.
    """
    seen: list[str] = []
    with _command_environment(endpoint, environment) as env:
        for path in docker_commands(environment.get("PATH", os.defpath)):
            version = _VERSION.match(_output([str(path), "--version"], env))
            if version is None:
                continue
            number = (int(version[1]), int(version[2]))
            how = BUILT_IN if (18, 9) <= number < (23, 0) else _buildx(path, env)
            if how is None:
                seen.append(f"{path} ({version[1]}.{version[2]}) has no buildx plugin")
            elif _output([str(path), "version", "--format", "{{.Server.Version}}"], env):
                return Cli(path, how)
            else:
                seen.append(f"{path} ({version[1]}.{version[2]}) is too old or too new for the daemon")
    problem = "no docker command can build: " + ("; ".join(seen) if seen else "there is none on PATH")
    raise EngineError(
        problem,
        "Install one: `apt-get install docker.io` on Debian 12, with docker-buildx on newer ones; elsewhere Docker's "
        "own packages with the buildx plugin.",
    )


def _buildx(path: Path, environment: Mapping[str, str]) -> str | None:
    found = re.search(r"\bv?(\d+\.\d+\S*)", _output([str(path), "buildx", "version"], environment))
    return None if found is None else f"buildx {found[1]}"


def build(cli: Cli, endpoint: Endpoint, image: ImageToBuild, log: Callable[[str], None]) -> str:
    """Run `docker build`; gives the image's ID (`sha256:…`). Raises BuildError or EngineError.

    An interruption stops the command, and with it the build, and goes on to the caller.
    """
    with _command_environment(endpoint, os.environ) as env, tempfile.TemporaryDirectory() as scratch:
        id_file = Path(scratch, "id")
        said = BuildLog(log)
        if cli.how != BUILT_IN:
            policy = Path(scratch, "policy.json")
            policy.write_bytes(canonical_json(source_policy(image)))
            env["EXPERIMENTAL_BUILDKIT_SOURCE_POLICY"] = str(policy)
        command = [str(cli.path), *_arguments(image, id_file)]
        with closing(lines(command, env, held=image.held)) as output:
            for line in output:
                said.take(line)
        if not id_file.exists():
            if any(_UNREACHABLE.search(line) for line in said.last):
                last = indented(map(image.in_words, said.last))
                raise EngineError(
                    f"Docker stopped answering while {image.title} was built:\n{last}", "Look at its log."
                )
            raise said.error(image)
        return id_file.read_text().strip()


def _arguments(image: ImageToBuild, id_file: Path) -> list[str]:
    out = ["build", "--network", "none", "--progress", "plain", "--iidfile", str(id_file), "--tag", image.tag]
    out += ["--file", str(image.dockerfile)]
    if image.no_cache:
        out.append("--no-cache")
    if image.architecture:
        out += ["--platform", f"linux/{image.architecture}"]
    return [*out, str(image.context)]


def source_policy(image: ImageToBuild, *more: str) -> dict[str, Any]:
    """What a build may read: its context, the images that its Dockerfile names, and `more`; the last rule that fits
    counts.

    The form is BuildKit's (sourcepolicy/pb/policy.proto), which buildx 0.10 and newer hand to BuildKit 0.11 and newer;
    older ones do not look at it.
    """
    allowed = ["local://context", "local://dockerfile", *more]
    for name in image.parents():
        host = name.partition("/")[0]
        whole = name if "/" in name and ("." in host or ":" in host or host == "localhost") else f"docker.io/{name}"
        allowed += [f"docker-image://{whole}", f"docker-image://{whole}@*"]
    rules = [("DENY", "*"), *(("ALLOW", source) for source in allowed)]
    return {"rules": [{"action": action, "selector": {"identifier": source}} for action, source in rules]}


def platforms(cli: Cli, endpoint: Endpoint) -> frozenset[str]:
    """The architectures that the daemon's builder says it can execute; none where the command cannot ask for them."""
    if cli.how == BUILT_IN:
        return frozenset()
    with _command_environment(endpoint, os.environ) as env:
        said = _output([str(cli.path), "buildx", "inspect"], env)
    listed = re.search(r"^Platforms:\s*(.+)$", said, re.MULTILINE)
    return frozenset(re.findall(r"linux/(\w+)", listed[1])) if listed else frozenset()


@contextmanager
def _command_environment(endpoint: Endpoint, environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The variables for a docker command: nothing of the person's locale, proxies, builders or credential helpers.

    The command's own folder is an empty one, in which only the person's plugins can be found.
    """
    with tempfile.TemporaryDirectory(prefix="portside-docker-") as folder:
        plugins = config_folder(environment) / "cli-plugins"
        if plugins.is_dir():
            Path(folder, "cli-plugins").symlink_to(plugins.resolve(), target_is_directory=True)
        kept = {name: environment[name] for name in _KEPT if name in environment}
        yield {
            **kept,
            **endpoint.environment(),
            "DOCKER_CONFIG": folder,
            "DOCKER_BUILDKIT": "1",
            "DOCKER_CLI_HINTS": "false",
            "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
            "BUILDX_GIT_INFO": "false",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }


def docker_commands(search: str) -> Iterator[Path]:
    """The docker commands on a search path, then that of /usr/bin, each once."""
    known: set[Path] = set()
    for folder in [*search.split(os.pathsep), "/usr/bin"]:
        path = Path(folder, "docker")
        real = path.resolve()
        if folder and real not in known and os.access(real, os.X_OK) and real.is_file():
            known.add(real)
            yield path


def _output(command: list[str], environment: Mapping[str, str]) -> str:
    """What a short local command prints; empty if it fails."""
    try:
        done = subprocess.run(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""
