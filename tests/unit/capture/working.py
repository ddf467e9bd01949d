"""Working folders of a project whose recipe has sources alone, without an engine: its code is worked out, not built."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from portside.capture import Captured, capture
from portside.common.tree import Entry
from portside.develop.code import Installed, WorkspaceCode, code_key, code_of
from portside.develop.work_folder import WorkFolder, lay_out
from portside.lock.models import Lock
from portside.plan.model import Plan
from portside.plan.parts import plan
from portside.project import Project
from portside.resolve.chain import lock_recipe

HEAD = """\
description: sources
base: {archive: {file: base.tar, origin: x}}
accelerator: {name: cpu}
sources:
  m: {folder: m}
  other: {folder: other}
migration: {ruleset: mlu, sources: [m]}
"""


class Working:
    """A project at a folder with the recipe `r`, and its working folder once `lay_out` has made it."""

    def __init__(self, root: Path, more: str = "", *, installed: Iterable[Entry] = ()) -> None:
        self.root = root
        (root / "recipes").mkdir(parents=True)
        self.recipe = root / "recipes/r.yaml"
        self.recipe.write_text(HEAD + more)
        self.installed = Installed(tuple(installed))

    @property
    def project(self) -> Project:
        return Project(self.root)

    def source(self, name: str, **files: str | bytes) -> None:
        self.write(self.root / name, files)

    @staticmethod
    def write(folder: Path, files: dict[str, str | bytes]) -> None:
        for path, data in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data if isinstance(data, bytes) else data.encode())

    def plan(self, name: str = "r") -> Plan:
        recipe = self.project.recipe(name)
        lock: Lock = lock_recipe(self.project, recipe)[1]
        return plan(recipe, lock)

    def lay_out(self, name: str = "r", *, sources: bool = False) -> WorkFolder:
        made = self.plan(name)
        work = WorkFolder(self.root / "work" / name)
        with code_of(made, self.project.store, self.installed) as code:
            lay_out(work, made.recipe, code, self.installed, code_key(made), sources)
        return work

    def code(self, name: str = "r") -> dict[str, bytes]:
        """What the recipe gives now, without the reports."""
        with code_of(self.plan(name), self.project.store, self.installed) as code:
            return shown(code)

    def capture(self, **options: bool) -> Captured:
        return capture(self.project, "r", **options)


def shown(code: WorkspaceCode) -> dict[str, bytes]:
    found = {}
    for entry in code.tree:
        if entry.kind == "file" and code.origins[entry.path] not in ("report", "install") and entry.path[:2] != "m/":
            found[entry.path + ("*" if entry.mode & 0o100 else "")] = entry.read()
    return found


def lying(work: WorkFolder) -> dict[str, bytes]:
    """What lies in a working folder, without git's own and the reports."""
    found = {}
    for above, folders, names in os.walk(work.path):
        folders[:] = [name for name in folders if name not in (".git", "migration")]
        for name in names:
            path = Path(above, name)
            star = "*" if path.stat().st_mode & 0o100 else ""
            found[f"{path.relative_to(work.path)}{star}"] = path.read_bytes()
    return found


def git(work: WorkFolder, *arguments: str) -> str:
    """git as a person uses it there."""
    command = ["git", "-c", "user.name=P", "-c", "user.email=p@example.org", *arguments]
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(command, cwd=work.path, env=environment, capture_output=True, check=True, text=True)
    return done.stdout
