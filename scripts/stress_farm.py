#!/usr/bin/env python3
"""Recipes split between two engines that share a registry, with builds that are killed: the same image IDs.

    .venv/bin/python scripts/stress_farm.py [--recipes N] [--kills N] [--rounds N] [--seed N]

Both engines are Docker daemons of their own, the registry is docker-registry on loopback. A tiny project has N recipes
that extend one: with other files, steps, patches, weights. First each is built alone. Then two machines, each with half
of them and an empty store, build and push at the same time, and `--kills` times one of the builds is killed with all
that it started, at a random moment, and begun again. All image IDs have to be those of the single builds; the parts
that both have executed are counted. Needs root.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from stress_builds import ROOT, docker_engine

sys.path[:0] = [str(ROOT / "tests" / "unit" / "registry")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", type=int, default=10)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    arguments = parser.parse_args()
    # What tests are made of; their folders are none that mypy reads.
    farm, tiny, pipeline = (import_module(name) for name in ("farm", "tiny_project", "pipeline"))
    server = import_module("registry_server")
    print(f"seed {arguments.seed}", flush=True)
    wrong = 0
    with (
        tempfile.TemporaryDirectory(prefix="farm-") as name,
        docker_engine(Path(name, "one")) as one,
        docker_engine(Path(name, "two")) as two,
    ):
        folder = Path(name)
        project = tiny.tiny_project(folder / "project")
        names = farm.add_recipes(project, arguments.recipes)
        start = time.monotonic()
        expected = farm.alone(project, names, folder / "alone", one)
        print(f"{len(names)} single builds: {time.monotonic() - start:.0f} s", flush=True)
        settings = project.machine.checkout / "portside.toml"
        for number in range(arguments.rounds):
            registry = server.RegistryServer(folder / f"registry{number}").start()
            settings.write_text(f'registries = ["{registry.host}/team/models"]\n')
            machines = []
            for place, (environment, own) in enumerate(((one, names[::2]), (two, names[1::2]))):
                home = folder / f"round{number}-{place}"
                shutil.copytree(project.machine.home, home)
                machines.append(farm.FarmMachine(pipeline.Machine(project.machine.checkout, home, environment), own))
            start = time.monotonic()
            hits = farm.build_split(machines, arguments.kills, arguments.seed + number, (0.3, 4.0))
            found = {name: image_id for machine in machines for name, image_id in machine.image_ids.items()}
            other = sorted(name for name in names if found.get(name) != expected[name])
            wrong += len(other)
            executed = set.union(*(machine.executed() for machine in machines))
            print(
                f"round {number + 1}: {len(found)} images in {time.monotonic() - start:.0f} s, {hits} of "
                f"{arguments.kills} kills hit a build, {len(other)} other image IDs {' '.join(other)}; of "
                f"{len(executed)} steps {farm.executed_twice(machines)} were executed by both",
                flush=True,
            )
            registry.kill()
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
