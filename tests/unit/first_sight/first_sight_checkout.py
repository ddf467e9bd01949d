"""A checkout with one recipe on a vendor's image, a folder of downloads, and a server."""

import hashlib
import io
import json
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import tasks
from portside.lock.models import Lock
from portside.project import Project
from portside.resolve.chain import lock_recipe


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def vendor_image(file: str = "etc/os-release") -> bytes:
    """An archive as `docker save` writes it, with one layer that has one file."""
    layer = _tar({file: b"ID=debian\n"})
    config = json.dumps(
        {
            "created": "2024-05-01T00:00:00Z",
            "architecture": "amd64",
            "os": "linux",
            "config": {"Env": ["PATH=/usr/bin:/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha(layer)}"]},
            "history": [{"created_by": "vendor"}],
        }
    ).encode()
    name = f"{sha(config)}.json"
    manifest = json.dumps([{"Config": name, "RepoTags": ["vendor:1"], "Layers": ["l/layer.tar"]}]).encode()
    return _tar({name: config, "l/layer.tar": layer, "manifest.json": manifest})


class Here:
    """The checkout. folder: where downloads lie; `put` puts files there."""

    def __init__(self, root: Path) -> None:
        self.root = root / "checkout"
        self.folder = root / "downloads"
        self.other = root / "usb"
        for path in (self.root / "recipes", self.folder, self.other):
            path.mkdir(parents=True)
        self.home = root / "home"
        folders = json.dumps([str(self.folder), str(self.other)])
        (self.root / "portside.toml").write_text(f'home = "{self.home}"\nfolders = {folders}\n')
        self.put("base.tar", vendor_image())

    def put(self, place: str, data: bytes, folder: Path | None = None) -> Path:
        path = (folder or self.folder) / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def recipe(self, name: str = "m", **sections: Any) -> None:
        base = {"archive": {"file": "base.tar", "origin": "a test"}}
        value = {"description": "a test", "base": base, "accelerator": {"name": "cpu"}, **sections}
        (self.root / "recipes" / f"{name}.yaml").write_text(json.dumps(value))

    def weights(self, *files: dict[str, Any], **sets: list[dict[str, Any]]) -> None:
        """A recipe with one set of weights `glm`, or with several."""
        named = sets or {"glm": list(files)}
        self.recipe(
            weights={name: {"files": [{"origin": "a test", **f} for f in rows]} for name, rows in named.items()}
        )

    @property
    def project(self) -> Project:
        return Project(self.root)

    def lock(self, name: str = "m") -> Lock:
        project = self.project
        return lock_recipe(project, project.recipe(name))[1]

    def read(self, name: str = "m") -> Lock:
        project = self.project
        return project.lock(project.recipe(name))

    def locked(self, place: str) -> tuple[str | None, int | None]:
        """sha256 and size of a weight file, SET/PATH, in the lock."""
        name, _, path = place.partition("/")
        file = next(file for file in self.read().weights[name].files if file.path == path)
        return file.sha256, file.size

    def task(self, name: str, **arguments: Any) -> None:
        """A task's body: its errors are raised instead of printed."""
        getattr(tasks, name).body.__wrapped__(None, recipe="m", **arguments)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    made = Here(tmp_path)
    monkeypatch.chdir(made.root)
    monkeypatch.setattr("portside.cli.root.search_root", made.root)
    monkeypatch.delenv("PORTSIDE_HOME", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    return made


class Server:
    """files: path -> (headers, body); everything else is 404. asked: the paths, in order."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[dict[str, str], bytes]] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                outer.asked.append(path)
                headers, body = outer.files.get(path, ({}, b""))
                self.send_response(200 if path in outer.files else 404)
                for key, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(body)

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def put(self, path: str, body: bytes, **headers: str) -> str:
        """Serve a file; gives its URL. Headers have `_` for `-`."""
        self.files[path] = ({key.replace("_", "-"): value for key, value in headers.items()}, body)
        return self.url(path)

    def url(self, path: str, user: str = "") -> str:
        return f"http://{user}127.0.0.1:{self.http.server_address[1]}{path}"


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    thread = threading.Thread(target=running.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.http.shutdown()
    running.http.server_close()
    thread.join()


def pointer(data: bytes) -> bytes:
    """The pointer of Git LFS for these bytes."""
    return b"version https://git-lfs.github.com/spec/v1\noid sha256:%b\nsize %d\n" % (sha(data).encode(), len(data))


def repository(path: Path, files: dict[str, bytes]) -> dict[str, str]:
    """A git repository with one commit; gives the source of a recipe."""
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)

    def git(*arguments: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        command = ["git", "-C", str(path), *who, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    git("config", "uploadpack.allowAnySHA1InWant", "true")
    git("add", "--all")
    git("commit", "--quiet", "-m", "a")
    return {"git": f"file://{path}", "commit": git("rev-parse", "HEAD")}
