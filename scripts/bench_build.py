#!/usr/bin/env python3
"""How long a cold build takes beyond a plain `docker build` of the same rendered Dockerfile, in the same run.

    scripts/bench_build.py [RECIPE] [--rounds N]

Both start from fetched inputs and from an engine without their images, and neither may use a build cache; every round
renders anew, because BuildKit sends a context that it has seen only once. Portside's side makes canonical layers,
writes them to its store and loads four images; Docker's side makes one image. The ratio is Portside's best time over
Docker's best time.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def invoke(home: Path, *arguments: str) -> float:
    start = time.monotonic()
    environment = {**os.environ, "PORTSIDE_HOME": str(home)}
    subprocess.run([sys.executable, "-m", "invoke", "-r", ROOT, *arguments], env=environment, check=True, cwd=ROOT)
    return time.monotonic() - start


def plain_build(docker: str, context: Path, tag: str) -> float:
    start = time.monotonic()
    environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
    command = [docker, "build", "--no-cache", "--network", "none", "--quiet", "--tag", tag, str(context)]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def forget(recipe: str, home: Path, base: str) -> None:
    """Remove what a build made: images from the engine, and all but inputs and the base from the store."""
    names = [f"portside/{recipe}:{name}" for name in ("env", "sources", "migrated", "weights", "latest")]
    subprocess.run(["docker", "image", "rm", "--force", *names], capture_output=True, check=False)
    for folder in ("keys", "built", "index"):
        shutil.rmtree(home / folder, ignore_errors=True)
    for blob in (home / "oci" / "blobs" / "sha256").iterdir():
        if blob.name != base:
            blob.unlink()
    (home / "oci" / "index.json").unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", nargs="?", default="minilm")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from portside.engines.docker_cli import find_cli
    from portside.engines.endpoint import find_endpoint
    from portside.project import Project

    # A `docker` earlier in PATH may lack BuildKit.
    docker = str(find_cli(find_endpoint(os.environ), os.environ).path)
    project = Project(ROOT)
    base = project.lock(project.recipe(arguments.recipe)).base
    if not base.made_here:
        sys.exit(f"{arguments.recipe} has a vendor's image for a base; a recipe on Debian is wanted, such as minilm")
    tag = f"portside-bench/{arguments.recipe}:plain"
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        invoke(home, "fetch", "--recipe", arguments.recipe)
        ours, theirs = [], []
        for number in range(arguments.rounds):
            forget(arguments.recipe, home, base.layers[0].diff_id)
            ours.append(invoke(home, "build", "--recipe", arguments.recipe, "--offline", "--no-cache"))
            context = Path(folder) / f"context{number}"
            invoke(home, "render", "--recipe", arguments.recipe, "--output", str(context))
            theirs.append(plain_build(docker, context, tag))
            subprocess.run([docker, "image", "rm", "--force", tag], capture_output=True, check=False)
            shutil.rmtree(context)
    print(f"portside {[f'{t:.1f}' for t in ours]} s, docker build {[f'{t:.1f}' for t in theirs]} s")
    print(f"ratio of the best: {min(ours) / min(theirs):.2f}")


if __name__ == "__main__":
    main()
