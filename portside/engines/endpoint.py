"""Where the Docker daemon is, by the docker command's rules: DOCKER_HOST, else the context, else the usual socket."""

import hashlib
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from portside.common.home import home_folder
from portside.errors import EngineError

DEFAULT_HOST = "unix:///var/run/docker.sock"
CONNECT_SECONDS = 0.8
PING_SECONDS = 10.0


class NoDaemonError(EngineError):
    """No Docker daemon can be reached at all, as opposed to one that refuses."""


@dataclass(frozen=True, slots=True)
class DaemonAnswer:
    """An HTTP status, the body, and the API version that the daemon speaks."""

    status: int
    body: bytes
    version: str | None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A daemon. host: `unix:///PATH` or `tcp://NAME:PORT`.

    certificates: for TLS, the folder of ca.pem, cert.pem and key.pem. verify: check the daemon's certificate.
    """

    host: str
    certificates: Path | None = None
    verify: bool = True

    @property
    def socket_path(self) -> str | None:
        """The path of a socket on this machine, None for a remote daemon."""
        return self.host.removeprefix("unix://") if self.host.startswith("unix://") else None

    def environment(self) -> dict[str, str]:
        """The variables that make the docker command talk to this daemon."""
        out = {"DOCKER_HOST": self.host}
        if self.certificates is not None:
            out["DOCKER_CERT_PATH"] = str(self.certificates)
            if self.verify:
                out["DOCKER_TLS_VERIFY"] = "1"
            else:
                out["DOCKER_TLS"] = "1"
        return out

    @property
    def is_plain(self) -> bool:
        """Whether `get` can talk to the daemon; TLS is left to the SDK."""
        return self.certificates is None

    def api_version(self) -> str | None:
        """Ask the daemon for its API version in one short round trip; None where only the SDK can ask.

        This also tells, before anything heavy is imported, why a daemon does not answer: raises EngineError.
        """
        if self.is_plain:
            return self._request("/_ping", PING_SECONDS).version
        with self._explained(), self._connect():
            pass
        return None

    def get(self, path: str) -> DaemonAnswer:
        """GET a path of the API (`/v1.41/info`). Raises EngineError if the daemon does not answer."""
        return self._request(path, None)

    def _request(self, path: str, timeout: float | None) -> DaemonAnswer:
        import http.client

        connection = http.client.HTTPConnection("docker")
        with self._explained(), self._connect() as connection.sock:
            connection.sock.settimeout(timeout)
            connection.request("GET", path, headers={"Connection": "close"})
            response = connection.getresponse()
            return DaemonAnswer(response.status, response.read(), response.getheader("Api-Version"))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        import http.client

        try:
            yield
        except PermissionError as error:
            raise EngineError(
                f"no rights to talk to Docker at {self.host}",
                "Run as root, or join the socket's group (as root: `usermod -aG docker USER`) and log in again.",
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise no_daemon(self.host, str(error)) from error

    def _connect(self) -> socket.socket:
        if self.socket_path is not None:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.settimeout(CONNECT_SECONDS)
            try:
                sock.connect(self.socket_path)
            except OSError:
                sock.close()
                raise
        else:
            sock = socket.create_connection(self._address(), timeout=CONNECT_SECONDS)
        return sock

    def _address(self) -> tuple[str, int]:
        if self.host.startswith("ssh://"):
            raise _by_ssh(self.host)
        try:
            url = urlsplit(self.host)
            if url.scheme in ("tcp", "http", "https") and url.hostname:
                return url.hostname, url.port or (2375 if self.certificates is None else 2376)
        except ValueError:
            pass
        raise EngineError(
            f"DOCKER_HOST is {self.host!r}, which is no address of a daemon",
            "Use unix:///PATH or tcp://HOST:PORT, or unset it.",
        )


def _by_ssh(host: str) -> EngineError:
    """A daemon behind SSH is reached through a forwarded socket: ssh does it better than an SSH library of our own."""
    rest, _, port = host.removeprefix("ssh://").split("/")[0].rpartition(":")
    target = f"-p {port} {rest}" if rest and port.isdecimal() else host.removeprefix("ssh://").split("/")[0]
    return EngineError(
        f"the engine's address is {host}, and Portside does not speak SSH",
        f"Let ssh forward the daemon's socket: ssh -fnNT -L /tmp/docker-remote.sock:/var/run/docker.sock {target}; "
        "then: export DOCKER_HOST=unix:///tmp/docker-remote.sock",
    )


def no_daemon(host: str, reason: str) -> NoDaemonError:
    """The error for a daemon that cannot be reached at all."""
    if host == DEFAULT_HOST:
        solution = (
            "Start it with `invoke setup` (as root; Debian and Ubuntu), with `systemctl start docker` where "
            "it is installed as a service, or install Docker 20.10 or newer, or Podman 4.3 or newer."
        )
    else:
        solution = (
            "Start that daemon, or correct DOCKER_HOST or the Docker context; without them a local one is used, which "
            "`invoke setup` starts."
        )
    return NoDaemonError(f"no Docker daemon answers at {host} ({reason})", solution)


def find_endpoint(environment: Mapping[str, str]) -> Endpoint:
    """Apply the docker command's rules to the given environment variables. Raises EngineError for a broken context."""
    folder = config_folder(environment)
    if host := environment.get("DOCKER_HOST"):
        verify = bool(environment.get("DOCKER_TLS_VERIFY"))
        if not verify and not environment.get("DOCKER_TLS"):
            return Endpoint(host)
        return Endpoint(host, Path(environment.get("DOCKER_CERT_PATH") or folder), verify)
    name = environment.get("DOCKER_CONTEXT") or _read_json(folder / "config.json").get("currentContext")
    if not name or name == "default":
        return Endpoint(DEFAULT_HOST)
    return _context(folder / "contexts", str(name))


def is_chosen(environment: Mapping[str, str]) -> bool:
    """Whether a person said which daemon to use, by a variable or a context."""
    return find_endpoint(environment) != Endpoint(DEFAULT_HOST)


def config_folder(environment: Mapping[str, str]) -> Path:
    """The docker command's own folder, usually ~/.docker."""
    if configured := environment.get("DOCKER_CONFIG"):
        return Path(configured)
    home = environment.get("HOME")
    return (Path(home) if home else home_folder()) / ".docker"


def _context(contexts: Path, name: str) -> Endpoint:
    """A stored context: meta/HASH/meta.json and tls/HASH/docker/*.pem, HASH being the sha256 of its name."""
    key = hashlib.sha256(name.encode()).hexdigest()
    docker = _read_json(contexts / "meta" / key / "meta.json").get("Endpoints", {}).get("docker", {})
    host = docker.get("Host")
    if not host:
        raise EngineError(
            f"the Docker context {name!r} does not exist or names no host",
            "List contexts with `docker context ls`, choose one with `docker context use`, or set DOCKER_HOST.",
        )
    certificates = contexts / "tls" / key / "docker"
    return Endpoint(host, certificates if certificates.is_dir() else None, not docker.get("SkipTLSVerify", False))


def _read_json(path: Path) -> dict[str, Any]:
    """A JSON object in a file of the docker command; empty if it is missing or broken, as the command takes it."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
