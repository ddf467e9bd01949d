"""Many builds of one recipe at once, in several stores and one engine."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import Machine
from tiny_project import TinyProject

FILES = {f"d{number}/a.py": b"import torch\n" * number for number in range(30)}


@dataclass(frozen=True)
class Outcome:
    """What became of some builds. failed: what those said last that failed. image_ids: of the others, each once."""

    failed: tuple[str, ...]
    image_ids: frozenset[str]
    waited: int


def add_recipe(project: TinyProject) -> str:
    """A recipe with a part of every kind, and steps that take a moment; gives its full name."""
    return project.add(
        "at-once",
        install=("echo one > one.txt && sleep 0.3", {"run": "cat one.txt code.py > two.txt", "files": ["code.py"]}),
        files={"code.py": b"x\n"},
        sdists={"src": {"setup.py": b"x=1\n", "m.py": b"import torch\ntorch.cuda.synchronize()\n" * 3000}},
        repositories={"g": FILES},
        migration={"ruleset": "mlu", "sources": ["src", "g"]},
        weights={"big": bytes(1 << 20), "w": b"s" * 300_000},
    )


def stores(project: TinyProject, folder: Path, count: int) -> list[Path]:
    """New stores below `folder` that have what the project's has."""
    homes = [folder / f"home{number}" for number in range(count)]
    for home in homes:
        shutil.copytree(project.machine.home, home)
    return homes


def build_at_once(
    machine: Machine, name: str, homes: Sequence[Path], builds: int, environment: Mapping[str, str]
) -> Outcome:
    """Start so many builds in each of the stores, all at once, and wait for them."""
    running = [
        subprocess.Popen(
            machine.command("build", "--recipe", name, "--json"),
            cwd=machine.checkout,
            env={**machine.environ(), **environment, "PORTSIDE_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for home in homes
        for _ in range(builds)
    ]
    said = [build.communicate() for build in running]
    failed = [stderr[-2000:] for build, (_, stderr) in zip(running, said, strict=True) if build.returncode]
    made = [out for build, (out, _) in zip(running, said, strict=True) if not build.returncode]
    waited = sum("waiting for another build of " in stderr for _, stderr in said)
    return Outcome(tuple(failed), frozenset(json.loads(out)["image_id"] for out in made), waited)


def left_over(homes: Sequence[Path], program: str, environment: Mapping[str, str]) -> list[str]:
    """Temporary images in the engine that one of these stores has noted, and the notes."""
    return [str(note) for home in homes for note in sorted((home / "builds").glob("*"))] + [
        line
        for line in subprocess.run(
            [program, "images", "--format", "{{.Repository}}:{{.Tag}}"],
            env=dict(environment),
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        if "portside.invalid" in line
    ]
