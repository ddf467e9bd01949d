"""A project whose recipe has sources alone: its base is a file that nobody has brought, and `lock` does not wait."""

import os
import subprocess
from pathlib import Path

from repositories import head, new_repository

from portside.inputs.spool import Spool
from portside.lock.file import read_lock
from portside.lock.models import Lock
from portside.lock.sources import LockedGitSource
from portside.project import Project
from portside.resolve.chain import lock_recipe
from portside.trees.parts import source_tree

DATE = 1_600_000_000
RECIPE = """\
description: sources
base: {{archive: {{file: base.tar, origin: x}}}}
accelerator: {{name: cpu}}
sources:
  s: {{{source}}}
"""


def git(folder: Path, *arguments: str, stdin: bytes | None = None) -> str:
    """git in a folder, with nothing of the machine's configuration; every commit has the same time."""
    who = {f"GIT_{who}_{key}": value for who in ("AUTHOR", "COMMITTER") for key, value in _WHO.items()}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment = kept | who | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-c", "protocol.file.allow=always", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, input=stdin, capture_output=True, check=True)
    return done.stdout.decode().strip()


_WHO = {"NAME": "A", "EMAIL": "a@example.org", "DATE": f"{DATE} +0000"}


def repository(folder: Path, **files: str) -> Path:
    """A repository with one commit of these files on `main`."""
    new_repository(folder)
    commit(folder, **files)
    return folder


def commit(folder: Path, **files: str) -> str:
    """One more commit; gives its name."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "--allow-empty", "-m", "x")
    return head(folder)


class SourceProject:
    """The project at a folder, and its one recipe `r` with the source `s`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "recipes").mkdir(parents=True, exist_ok=True)

    @property
    def project(self) -> Project:
        return Project(self.root)

    def asks(self, source: str) -> None:
        """Write the recipe. source: what stands in the braces of its source, as YAML."""
        (self.root / "recipes/r.yaml").write_text(RECIPE.format(source=source))

    def lock(self, *update: str) -> Lock:
        return lock_recipe(self.project, self.project.recipe("r"), update)[1]

    @property
    def text(self) -> str:
        return (self.root / "recipes/r.lock").read_text()

    def files(self) -> dict[str, str]:
        """What the source's layer has: text of files, `-> TARGET` of links, `/` of folders."""
        lock = read_lock(self.root / "recipes/r.lock")
        assert lock is not None
        found = {}
        with self.project.store.workspace() as folder, Spool(folder) as spool:
            for entry in source_tree(lock.sources["s"], self.project.store, spool):
                kinds = {"file": lambda e: e.read().decode(), "symlink": lambda e: f"-> {e.link}"}
                found[entry.path] = kinds.get(entry.kind, lambda e: "/")(entry)
        return found


def locked(made: SourceProject) -> LockedGitSource:
    """The git source `s` of the project's lock."""
    lock = read_lock(made.root / "recipes/r.lock")
    assert lock is not None
    source = lock.sources["s"]
    assert isinstance(source, LockedGitSource)
    return source
