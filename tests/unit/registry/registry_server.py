"""Debian's docker-registry on loopback, with what tests want to know and do to it."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import yaml

USER, PASSWORD = "porter", "correct horse"
HTPASSWD = f"{USER}:$2b$05$6yvKlx0Iw0WCYUsQTJsX6OSU2hxuzVeR6Du3hvl4uNobjvW3RR4OO\n"
"""bcrypt of PASSWORD: the only kind that the registry takes."""
_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RegistryServer:
    """A registry that keeps its storage in `folder` between starts. certificate: (certificate, key) for TLS."""

    def __init__(self, folder: Path, *, password: bool = False, certificate: tuple[Path, Path] | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self.tls = certificate is not None
        self._process: subprocess.Popen[bytes] | None = None
        self.log = folder / "access.log"
        http: dict[str, object] = {"addr": f"127.0.0.1:{self.port}", "secret": "the same after a restart"}
        if certificate is not None:
            http["tls"] = {"certificate": str(certificate[0]), "key": str(certificate[1])}
        config: dict[str, object] = {
            "version": 0.1,
            "log": {"level": "error"},
            "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}, "delete": {"enabled": True}},
            "http": http,
        }
        folder.mkdir(parents=True, exist_ok=True)
        if password:
            (folder / "htpasswd").write_text(HTPASSWD)
            config["auth"] = {"htpasswd": {"realm": "a test", "path": str(folder / "htpasswd")}}
        (folder / "config.yml").write_text(yaml.safe_dump(config))
        self._settings = self._read_settings()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> "RegistryServer":
        with self.log.open("ab") as log:
            command = ["docker-registry", "serve", str(self.folder / "config.yml")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            assert self._process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def kill(self) -> None:
        """End it at once, in the middle of whatever it does."""
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def emptied(self) -> bool:
        """Forget all that was pushed and asked; False where a test has ended the registry or changed its settings."""
        if self._process is None or self._process.poll() is not None or self._read_settings() != self._settings:
            return False
        # An answer comes before its line in the log: once the line of a last request is there, no other is missing.
        with contextlib.suppress(urllib.error.HTTPError), _DIRECTLY.open(f"http://{self.host}/v2/the-last"):
            pass
        while ("GET", "/v2/the-last") not in self.requests():
            time.sleep(0.005)
        shutil.rmtree(self.folder / "storage", ignore_errors=True)
        self.forget_requests()
        return True

    def _read_settings(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file() and path != self.log}

    def requests(self) -> list[tuple[str, str]]:
        """(method, path) of every request so far."""
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            if '"' in line and " HTTP/1." in line:
                method, path, _ = line.split('"')[1].split(" ", 2)
                found.append((method, path))
        return found

    def forget_requests(self) -> None:
        self.log.write_bytes(b"")

    def blob(self, digest: str) -> Path:
        """The file that holds a blob. digest: sha256 hex."""
        return self.folder / f"storage/docker/registry/v2/blobs/sha256/{digest[:2]}/{digest}/data"

    def tags(self, repository: str) -> list[str]:
        """The tags that are there, complete or not."""
        folder = self.folder / f"storage/docker/registry/v2/repositories/{repository}/_manifests/tags"
        return sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []

    def manifest(self, repository: str, tag: str) -> dict[str, object]:
        """A tag's manifest, read from the storage."""
        link = self.folder / f"storage/docker/registry/v2/repositories/{repository}/_manifests/tags/{tag}/current/link"
        value: dict[str, object] = json.loads(self.blob(link.read_text().removeprefix("sha256:")).read_bytes())
        return value
