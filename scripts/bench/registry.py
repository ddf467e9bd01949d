"""Debian's docker-registry on loopback for one run, with its access log."""

import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.processes import BenchError

REQUEST = re.compile(r'"(?P<method>[A-Z]+) (?P<path>\S+) HTTP/[\d.]+" (?P<status>\d+) (?P<size>\d+)')


@dataclass
class Registry:
    host: str
    folder: Path

    def blobs(self) -> dict[str, int]:
        """Digest -> bytes of every blob that it keeps."""
        found = (self.folder / "storage").glob("docker/registry/v2/blobs/sha256/*/*/data")
        return {path.parent.name: path.stat().st_size for path in found}

    def requests(self) -> list[tuple[str, int]]:
        """Method, and bytes answered, of every request since the log was last cleared."""
        text = (self.folder / "access.log").read_text(errors="replace")
        return [(found["method"], int(found["size"])) for found in REQUEST.finditer(text)]

    def clear(self) -> None:
        (self.folder / "access.log").write_bytes(b"")


@contextmanager
def registry(folder: Path) -> Iterator[Registry]:
    """A registry that keeps its blobs in `folder` and ends with the block. Raises BenchError if it does not start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    folder.mkdir()
    storage = {"filesystem": {"rootdirectory": str(folder / "storage")}}
    config = {"version": 0.1, "log": {"level": "error"}, "storage": storage, "http": {"addr": host, "secret": "bench"}}
    (folder / "config.yml").write_text(yaml.safe_dump(config))
    log = folder / "access.log"
    with log.open("ab") as out:
        try:
            command = ["docker-registry", "serve", str(folder / "config.yml")]
            process = subprocess.Popen(command, stdout=out, stderr=out)
        except FileNotFoundError as error:
            raise BenchError("docker-registry is not installed: apt-get install docker-registry") from error
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", int(host.rpartition(":")[2]))) == 0:
                    break
            if process.poll() is not None:
                raise BenchError(f"docker-registry ended: {log.read_text()[-1000:]}")
            time.sleep(0.05)
        yield Registry(host, folder)
    finally:
        process.terminate()
        process.wait()
