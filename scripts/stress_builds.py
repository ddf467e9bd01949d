#!/usr/bin/env python3
"""Many builds of a tiny recipe at once, in several stores and one engine, over and over: all succeed, with one ID.

    scripts/stress_builds.py [--engine docker|podman] [--rounds N] [--stores N] [--builds N]

The engine is one of its own, without images: a Docker daemon with --debug, whose log must name no registry, or a
storage for Podman. Needs root. Every round begins with new stores and without a build cache.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "engine")]

LOOKS = re.compile(r"msg=resolving|\bhost=|/v2/|/images/create|Trying to pull")
"""What a daemon's log says when it looks into a registry, or when somebody asks it to pull."""


@contextmanager
def docker_engine(folder: Path) -> Iterator[dict[str, str]]:
    """A Docker daemon of our own; gives the environment for it."""
    environment = {**os.environ, "PORTSIDE_ENGINE_ROOT": str(folder), "PORTSIDE_ENGINE": "docker"}
    subprocess.run([ROOT / "scripts" / "start-engine", "--", "--debug"], env=environment, check=True)
    daemon = int((folder / "docker.pid").read_text())
    try:
        yield {**environment, "DOCKER_HOST": f"unix://{folder}/docker.sock"}
    finally:
        os.kill(daemon, signal.SIGTERM)
        while Path(f"/proc/{daemon}").exists():
            time.sleep(0.1)


@contextmanager
def podman_engine(folder: Path) -> Iterator[dict[str, str]]:
    """A storage of our own for Podman; gives the environment for it."""
    file = folder / "storage.conf"
    folder.mkdir()
    file.write_text(f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/root"\nrunroot = "{folder}/run"\n')
    yield {**os.environ, "CONTAINERS_STORAGE_CONF": str(file), "PORTSIDE_ENGINE": "podman"}


def lookups(log: Path, start: int) -> list[str]:
    """The lines of a daemon's log, from its byte `start` on, that tell of a registry."""
    text = log.read_bytes()[start:].decode("utf-8", "replace")
    return [line for line in text.splitlines() if LOOKS.search(line)]


def check_the_check(folder: Path, environment: dict[str, str], log: Path) -> int:
    """Let the daemon look for an image that nobody has, so that it is known to say so; gives the log's size then.

    Exits if the log does not say so: nothing could be concluded from it.
    """
    from portside.engines.docker_cli import find_cli
    from portside.engines.endpoint import Endpoint

    start = log.stat().st_size
    (folder / "Dockerfile").write_text("FROM portside.invalid/none:none\n")
    docker = find_cli(Endpoint(environment["DOCKER_HOST"]), environment).path
    build = [str(docker), "build", "--network", "none", str(folder)]
    done = subprocess.run(build, env={**environment, "DOCKER_BUILDKIT": "1"}, capture_output=True, check=False)
    if done.returncode == 0 or not lookups(log, start):
        sys.exit(f"the daemon's log does not tell of a registry when one is looked into: {done.stderr.decode()}")
    return log.stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("docker", "podman"), default="docker")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--stores", type=int, default=2)
    parser.add_argument("--builds", type=int, default=4)
    arguments = parser.parse_args()
    # What the engine tests are made of; their folder is none that mypy reads.
    at_once, tiny = import_module("at_once"), import_module("tiny_project")
    engine = docker_engine if arguments.engine == "docker" else podman_engine
    wrong = 0
    image_ids: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="stress-") as name, engine(Path(name, "engine")) as environment:
        folder = Path(name)
        log, log_start = folder / "engine" / "engine.log", 0
        if arguments.engine == "docker":
            log_start = check_the_check(folder, environment, log)
        project = tiny.tiny_project(folder / "project")
        recipe = at_once.add_recipe(project)
        for number in range(1, arguments.rounds + 1):
            homes = at_once.stores(project, folder / "stores", arguments.stores)
            start = time.monotonic()
            found = at_once.build_at_once(project.machine, recipe, homes, arguments.builds, environment)
            seconds = time.monotonic() - start
            image_ids |= found.image_ids
            left = at_once.left_over(homes, arguments.engine, environment)
            wrong += len(found.failed) + len(left)
            count = arguments.stores * arguments.builds
            print(
                f"round {number}: {count - len(found.failed)} of {count} succeeded in {seconds:.0f} s, {found.waited} "
                f"waited for another, {len(found.image_ids)} image ID, {len(left)} left over",
                flush=True,
            )
            print(*found.failed, *left, sep="\n", end="\n" if found.failed or left else "", flush=True)
            shutil.rmtree(folder / "stores")
            for command in (["image", "rm", "--force", *project.images()], ["builder", "prune", "--all", "--force"]):
                subprocess.run([arguments.engine, *command], env=environment, capture_output=True, check=False)
        if arguments.engine == "docker":
            seen = lookups(log, log_start)
            print(f"{len(seen)} lines of the daemon's debug log tell of a registry")
            print(*seen, sep="\n", end="\n" if seen else "")
            wrong += len(seen)
    print(f"{len(image_ids)} image ID in all: {', '.join(sorted(image_ids))}")
    sys.exit(bool(wrong) or len(image_ids) != 1)


if __name__ == "__main__":
    main()
