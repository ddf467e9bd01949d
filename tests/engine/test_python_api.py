"""docs/python.md: its example does what it says."""

import re
import subprocess
import sys
from pathlib import Path

from pipeline import ROOT
from tiny_project import MORE_PROGRAMS, remove, tiny_project

from portside.lock.bases import DebianBase
from portside.lock.file import read_lock, write_lock
from portside.lock.packages import Deb
from portside.plan import plan
from portside.recipe import load_recipe


def example(name: str) -> str:
    (code,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "python.md").read_text(), re.MULTILINE | re.DOTALL)
    assert '"hello"' in code
    return str(code).replace('"hello"', f'"{name}"')


def test_the_example_locks_plans_builds_and_checks(tmp_path: Path) -> None:
    project = tiny_project(tmp_path)
    project.programs = (*MORE_PROGRAMS, "dpkg", "dpkg-query", "find", "sha256sum", "xargs")
    project.base_files = {f"var/lib/dpkg/info/tiny-tools.{what}": b"" for what in ("list", "md5sums")}
    checkout = project.machine.checkout
    name = project.add("api", install=("echo done > done",), files={"a.sh": b"echo a\n"})
    recipe = load_recipe(checkout, name)
    lock = read_lock(recipe.lock_path)
    assert lock is not None and isinstance(lock.base, DebianBase)
    # The package that the tiny base says it has: the checks ask dpkg.
    deb = Deb(name="tiny-tools", version="1.0-1", architecture="amd64", path="pool/x.deb", size=1, sha256="ab" * 32)
    lock = lock.model_copy(update={"base": lock.base.model_copy(update={"debs": (deb,)})})
    write_lock(recipe, lock)
    keys = [f"{layer.name} {layer.key}" for layer in plan(recipe, lock).layers]
    command = [sys.executable, "-c", example(name)]
    environment = project.machine.environ() | {"PYTHONPATH": str(checkout)}
    try:
        done = subprocess.run(
            command, cwd=checkout / "recipes", env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert lines[1:5] == keys
        assert "migrated built" in lines[5:-1]
        assert lines[-1] == project.machine.json("inspect", "--recipe", name)["image_id"]
        assert done.stderr.count(" passed") == 4, "the checks ran"
    finally:
        remove(project)
