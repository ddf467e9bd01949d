"""A project whose base is made of this machine's own programs: pipeline tests with an engine, but without a network.

The base blob is put into the store, and the lock names it as its base, so nothing has to be resolved or fetched.
"""

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from own_left import remove_unnamed
from pipeline import Machine, checkout, remove_images
from tiny_images import PROGRAMS, programs

from portside.common.tree import Entry, Tree, file_entry
from portside.config import Config
from portside.inputs import git
from portside.layers.canonical import data_layer
from portside.layers.writer import write_layer
from portside.lock.bases import DebianBase
from portside.lock.file import dump_lock
from portside.lock.models import Lock, LockedWeightFile, LockedWeights
from portside.lock.packages import Artefact, LockedEnv
from portside.lock.sources import LockedSdist, LockedSource
from portside.lock.written import writer
from portside.recipe import load_recipe
from portside.store import Store
from portside.store.layout import Blob

EPOCH = 1_600_000_000
"""2020-09-13: the newest date of everything in a tiny project."""
MORE_PROGRAMS = (*PROGRAMS, "bash", "date", "ls", "perl", "touch")
STATUS = b"""Package: tiny-tools
Status: install ok installed
Architecture: amd64
Version: 1.0-1
"""


def tiny_base(
    store: Store, names: Sequence[str] = MORE_PROGRAMS, more: Mapping[str, bytes | str] | None = None
) -> Blob:
    """Put the base layer into the store: a shell, a few programs, the usual folders, dpkg's status with one package.

    more: further files; a value that is text is where a symbolic link leads, a name that ends with / is a folder.
    """
    entries = [file_entry(path, data, 0o755) for path, data in programs(names).items()]
    for path, data in (more or {}).items():
        if path.endswith("/"):
            entries.append(Entry(path.rstrip("/"), "dir", 0o755))
        elif isinstance(data, str):
            entries.append(Entry(path, "symlink", 0o777, link=data))
        else:
            entries.append(file_entry(path, data, 0o755))
    entries += [Entry("tmp", "dir", 0o1777), Entry("etc", "dir", 0o755), Entry("usr/bin", "dir", 0o755)]
    entries += [file_entry("var/lib/dpkg/status", STATUS), file_entry("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")]
    with store.layout.new_blob() as blob:
        written = write_layer(data_layer(Tree(entries), EPOCH), blob.stream)
        blob.commit(written.diff_id)
    return Blob(written.diff_id, written.size)


def sdist(name: str, version: str, files: Mapping[str, bytes]) -> bytes:
    """An sdist with these files below NAME-VERSION/, the same bytes every time."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, data in sorted(files.items()):
            info = tarfile.TarInfo(f"{name}-{version}/{path}")
            info.size, info.mtime = len(data), EPOCH
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(out.getvalue(), mtime=0)


def repository(folder: Path, files: Mapping[str, bytes]) -> str:
    """A git repository at `folder` with one commit that holds these files; gives the commit's name."""
    environment = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_DATE": f"{EPOCH} +0000",
        "GIT_COMMITTER_DATE": f"{EPOCH} +0000",
    }

    def run(*arguments: str) -> str:
        command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments]
        return subprocess.run(
            command, cwd=folder, env=environment, check=True, capture_output=True, text=True
        ).stdout.strip()

    folder.mkdir(parents=True)
    run("init", "--quiet")
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    run("add", "--all")
    run("commit", "--quiet", "--message", "first")
    return run("rev-parse", "HEAD")


@dataclass
class TinyProject:
    """A checkout without recipes, and a store with the base. Recipes get a suffix, so that no two test runs share
    names in the engine; `full` gives the name with it."""

    machine: Machine
    suffix: str = field(default_factory=lambda: f"{os.getpid()}x{os.urandom(3).hex()}")
    names: list[str] = field(default_factory=list)
    programs: tuple[str, ...] = MORE_PROGRAMS
    base_files: Mapping[str, bytes | str] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        return Store(self.machine.home)

    def full(self, name: str) -> str:
        return f"{name}-{self.suffix}"

    def add(
        self,
        name: str,
        *,
        install: tuple[str | dict[str, Any], ...] = (),
        files: Mapping[str, bytes] | None = None,
        sdists: Mapping[str, Mapping[str, bytes]] | None = None,
        repositories: Mapping[str, Mapping[str, bytes]] | None = None,
        weights: Mapping[str, bytes] | None = None,
        extends: str | None = None,
        **more: Any,
    ) -> str:
        """Write a recipe, its files and its lock, and put all its inputs into the store; gives its full name.

        files: of the recipe's folder, each goes to the same path below the workspace. sdists, repositories: source ->
        its files. weights: path -> bytes of the set `w`. more: further keys of the recipe, as they are.
        """
        full = self.full(name)
        recipe: dict[str, Any] = {"description": f"Tiny {name}", "install": list(install), **more}
        if extends is not None:
            recipe["extends"] = self.full(extends)
        else:
            recipe = {"base": {"debian": {"suite": "tiny"}}, "accelerator": {"name": "cpu"}} | recipe
        recipe["files"] = [{"from": path, "to": path} for path in files or {}]
        sources: dict[str, LockedSource] = {}
        recipe["sources"] = {}
        for source, content in (sdists or {}).items():
            recipe["sources"][source] = {"sdist": f"{source}==1.0"}
            sources[source] = self._sdist(source, content)
        for source, content in (repositories or {}).items():
            folder = self.machine.checkout.parent / "upstream" / full / source
            commit, url = repository(folder, content), f"file://{folder}"
            recipe["sources"][source] = {"git": url, "commit": commit}
            sources[source] = git.resolve(url, commit, Config(home=self.machine.home), self.store)
        locked: dict[str, LockedWeights] = {}
        if weights:
            recipe["weights"] = {"w": {"files": [{"path": path, "origin": "a test"} for path in weights]}}
            kept = [LockedWeightFile(path=p, size=len(d), sha256=self.put(p, d)) for p, d in sorted(weights.items())]
            locked["w"] = LockedWeights(epoch=EPOCH, files=tuple(kept))
        folder = self.machine.checkout / "recipes"
        for path, data in (files or {}).items():
            (folder / full / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / full / path).write_bytes(data)
        folder.mkdir(exist_ok=True)
        (folder / f"{full}.yaml").write_text(json.dumps(recipe, indent=2) + "\n")  # JSON is YAML
        self._lock(full, sources, locked)
        self.names.append(full)
        return full

    def put(self, name: str, data: bytes) -> str:
        """Keep bytes as an input; gives their sha256."""
        digest = hashlib.sha256(data).hexdigest()
        with self.store.inputs.receive(name, digest, len(data)) as receiver:
            if not receiver.done:
                receiver.write(data)
        return digest

    def images(self) -> list[str]:
        layers = ("env", "sources", "migrated", "weights", "latest")
        return [f"portside/{name}:{layer}" for name in self.names for layer in layers]

    def _sdist(self, name: str, files: Mapping[str, bytes]) -> LockedSdist:
        data, file = sdist(name, "1.0", files), f"{name}-1.0.tar.gz"
        artefact = Artefact(name=name, version="1.0", file=file, size=len(data), sha256=self.put(file, data))
        return LockedSdist(epoch=EPOCH, sdist=artefact)

    def _lock(self, name: str, sources: Mapping[str, LockedSource], weights: Mapping[str, LockedWeights]) -> None:
        recipe = load_recipe(self.machine.checkout, name)
        blob = tiny_base(self.store, self.programs, self.base_files)
        base = DebianBase(
            suite="tiny",
            architecture="amd64",
            snapshot="20200913T122640Z",
            epoch=EPOCH,
            debs=(),
            diff_id=blob.digest,
            size=blob.size,
        )
        lock = Lock(
            written_by=writer(),
            recipe=name,
            epoch=EPOCH,
            requests=recipe.requests(),
            base=base,
            env=LockedEnv(),
            sources=dict(sources),
            weights=dict(weights),
        )
        recipe.lock_path.write_text(dump_lock(lock))


def tiny_project(root: Path) -> TinyProject:
    """A new project below `root`. Remove its images with `remove` when it is done."""
    machine = Machine(checkout(root / "checkout"), root / "home")
    shutil.rmtree(machine.checkout / "recipes")
    return TinyProject(machine)


def remove(project: TinyProject) -> None:
    remove_images(project.images())
    remove_unnamed(project.names)
