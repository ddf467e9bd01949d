#!/usr/bin/env python3
"""Kills at random moments, over and over: what is there afterwards is right, and the next call finishes the work.

    .venv/bin/python scripts/stress_kills.py [--engine docker|podman] [--kills N] [--seed N]

A tiny project with large weights, copied or left in place, is edited; then one task is killed at a random moment, with
everything that it started. After each kill every blob of the store is read, the recipe is built to its end, a container
prints what was edited, and a store that nobody has touched gives the same image ID. In between a weight file is changed
where it lies, with its size and date as before: no task may use it.
"""

import argparse
import hashlib
import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench.cli import parser as bench_parser
from bench.cli import settings_of
from bench.files import remove_tree
from bench.processes import BenchError
from bench.project import Project
from bench.work import Bench, bench_of

WEIGHTS = 80 << 20
"""Bytes; from 64 MiB on a weight file has a blob of its own."""
LATEST = 1.5
"""Seconds after which most tasks have ended here; a kill that came too late does not count."""
TASKS = ("lock", "fetch", "build", "mount", "save")


def arguments_of(bench: Bench, project: Project, task: str) -> list[str]:
    saved = str(bench.root / "saved.tar")
    words = {
        "mount": ["run-container", "--weights", "mount", "--command", project.line()],
        "save": ["save", "--output", saved, "--force"],
    }
    name, *more = words.get(task, [task])
    return [str(bench.settings.python), "-m", "portside", name, "--recipe", project.recipe, *more]


def kill_one(bench: Bench, project: Project, task: str, seconds: float) -> bool:
    """Start a task and kill it and its children after so many seconds; whether it was still running."""
    process = subprocess.Popen(
        arguments_of(bench, project, task),
        cwd=project.root,
        env=bench.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(seconds)
        return False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True


def wrong_blobs(home: Path) -> list[str]:
    """Blobs that are not what their names say."""
    found = []
    for path in sorted((home / "oci/blobs/sha256").glob("*")):
        if re.fullmatch("[0-9a-f]{64}", path.name):
            digest = hashlib.sha256()
            with path.open("rb") as stream:
                for piece in iter(lambda: stream.read(1 << 20), b""):
                    digest.update(piece)
            if digest.hexdigest() != path.name:
                found.append(str(path))
    return found


def image_id(bench: Bench, project: Project, home: Path | None = None) -> str:
    found: list[str] = re.findall(r"sha256:[0-9a-f]{64}", bench.portside(project, "build", "--json", home=home).stdout)
    return found[0]


def has_a_copy(bench: Bench, project: Project) -> bool:
    """Whether the store has bytes of its own for the weights, so that the file in the folder is not used."""
    path = project.incoming / "bulk" / project.weights[0]
    name = hashlib.sha256(path.read_bytes()).hexdigest()
    return any(found.stat().st_size == WEIGHTS for found in bench.home.rglob(f"*{name}*") if found.is_file())


def refuses_a_changed_file(bench: Bench, project: Project) -> list[str]:
    """Change the weights where they lie, as unseen as can be; gives the tasks that went on all the same."""
    path = project.incoming / "bulk" / project.weights[0]
    before = path.stat()
    with path.open("r+b") as stream:
        stream.seek(WEIGHTS // 2)
        kept = stream.read(8)
        stream.seek(WEIGHTS // 2)
        stream.write(bytes(255 - byte for byte in kept))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    went_on = []
    for task in ("mount", "save"):
        command = arguments_of(bench, project, task)
        done = subprocess.run(command, cwd=project.root, env=bench.environment(), capture_output=True, text=True)
        if done.returncode == 0 or str(path) not in done.stderr:
            went_on.append(f"{task} with a changed file: exit {done.returncode}: {done.stderr[-300:]}")
    with path.open("r+b") as stream:
        stream.seek(WEIGHTS // 2)
        stream.write(kept)
    return went_on


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("docker", "podman"), default="docker")
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    settings = settings_of(bench_parser().parse_args(["--tiny", "--size", "1", "--engine", arguments.engine]))
    faults: list[str] = []
    killed = number = changed = 0
    with bench_of(settings) as bench:
        project = bench.project("kills")
        project.new_weights("0.bin", WEIGHTS)
        bench.portside(project, "lock")
        image_id(bench, project)
        while killed < arguments.kills:
            number += 1
            project.keep = chance.random() < 0.5
            if chance.random() < 0.4:
                (project.incoming / "bulk" / project.weights[0]).unlink()
                project.new_weights(f"{number}.bin", WEIGHTS)
            project.told.said = number
            project.told.patched += chance.random() < 0.5
            project.told.committed += chance.random() < 0.3
            project.write()
            task = chance.choice(TASKS)
            hit = kill_one(bench, project, task, chance.uniform(0.1, LATEST))
            killed += hit
            found = wrong_blobs(bench.home)
            try:
                bench.portside(project, "lock")
                mine = image_id(bench, project)
                bench.image_runs(project)
                bench.image_runs(project, "--weights", "mount")
                if number % 5 == 0:
                    fresh = bench.root / "fresh"
                    if (theirs := image_id(bench, project, fresh)) != mine:
                        found.append(f"{mine} after the kills, {theirs} in a new store")
                    remove_tree(fresh)
                    if not has_a_copy(bench, project):
                        changed += 1
                        found += refuses_a_changed_file(bench, project)
            except BenchError as error:
                found.append(str(error))
            print(f"{number}: {task} {'killed' if hit else 'had ended'}, {len(found)} faults", flush=True)
            print(*found, sep="\n", end="\n" if found else "", flush=True)
            faults += found
    print(f"{killed} kills, {changed} files changed in place, {len(faults)} faults")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
