"""Driving a project from outside, as a person does: `invoke` in a process of its own, with a store of its own."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from own_left import remove_unnamed, unnamed_images

ROOT = Path(__file__).parents[2]
PARTS = ("tasks.py", "portside", "images", "recipes")


@dataclass
class Machine:
    """A checkout and a store. prefix: put before every command, such as `unshare -n`."""

    checkout: Path
    home: Path
    environment: dict[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    cwd: Path | None = None

    def command(self, *arguments: str) -> list[str]:
        return [*self.prefix, sys.executable, "-m", "invoke", "-r", str(self.checkout), *arguments]

    def environ(self) -> dict[str, str]:
        return {**os.environ, **self.environment, "PORTSIDE_HOME": str(self.home)}

    def run(self, *arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        """Run `invoke ARGUMENTS`; fails the test, with the output, for another exit code than expected."""
        done = subprocess.run(
            self.command(*arguments),
            env=self.environ(),
            cwd=self.cwd or self.checkout,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == expect, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)

    def blobs(self) -> dict[str, int]:
        """Every blob's name and the nanosecond of its last change."""
        return {path.name: path.stat().st_mtime_ns for path in (self.home / "oci" / "blobs" / "sha256").iterdir()}


def checkout(target: Path) -> Path:
    """A copy of what a build needs of this repository."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / part)
    return target


def with_inputs_of(home: Path, other: Path) -> Path:
    """A new store at `other` that has the verified inputs of `home`, as hard links, and nothing else."""
    shutil.copytree(home / "inputs", other / "inputs", copy_function=os.link)
    return other


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout


def remove_images(refs: Sequence[str]) -> None:
    subprocess.run(["docker", "image", "rm", "--force", *refs], capture_output=True, check=False)


@contextmanager
def own_names(refs: Sequence[str]) -> Iterator[None]:
    """Have these names of images for oneself: one run at a time on this machine, and what they named before comes back.

    For a recipe that is tested under its own name. What a run that was killed had put aside is what comes back.
    """
    aside = {ref: f"portside-test-aside/{ref}" for ref in refs}
    recipes = {ref.partition("/")[2].partition(":")[0] for ref in refs}
    with (Path(tempfile.gettempdir()) / f"{refs[0].replace('/', '-').replace(':', '-')}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not any(has_image(kept) for kept in aside.values()):
            for ref in filter(has_image, refs):
                docker("tag", ref, aside[ref])
        before = unnamed_images(recipes)
        try:
            yield
        finally:
            remove_images(refs)
            remove_unnamed(recipes, but=before)
            for ref, kept in aside.items():
                if has_image(kept):
                    docker("tag", kept, ref)
            remove_images([kept for kept in aside.values() if has_image(kept)])


def has_image(ref: str) -> bool:
    return bool(docker("images", "--quiet", ref).strip())


def differing(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[str]:
    return sorted(key for key in left.keys() | right.keys() if left.get(key) != right.get(key))
