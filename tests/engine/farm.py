"""Machines, each with a store and an engine of its own, that build recipes of one project and share one registry."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import Machine
from tiny_project import TinyProject


@dataclass
class FarmMachine:
    """One machine, whose environment says which engine it has. recipes: that it builds. builds: how often it began."""

    machine: Machine
    recipes: Sequence[str]
    builds: int = 0
    made: set[str] = field(default_factory=set)
    image_ids: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[str] | None" = None

    def start(self) -> None:
        """Build all its recipes, and push what comes of it."""
        self.builds += 1
        chosen = [word for name in self.recipes for word in ("--recipe", name)]
        self.process = subprocess.Popen(
            self.machine.command("build", *chosen, "--push", "--json"),
            cwd=self.machine.checkout,
            env=self.machine.environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=(self.machine.home.parent / f"{self.machine.home.name}-{self.builds}.log").open("w"),
            text=True,
            start_new_session=True,
        )

    def kill(self) -> bool:
        """Kill the build, and all that it started, where it runs still."""
        assert self.process is not None
        runs = self.process.poll() is None
        if runs:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()
        return runs

    def end(self) -> None:
        """Wait for the end, and take what came of it."""
        assert self.process is not None
        said, _ = self.process.communicate()
        log = self.machine.home.parent / f"{self.machine.home.name}-{self.builds}.log"
        assert self.process.returncode == 0, log.read_text()[-3000:]
        report: dict[str, Any] = json.loads(said)
        self.image_ids |= {row["recipe"]: row["image_id"] for row in report["recipes"]}

    def executed(self) -> set[str]:
        """The keys of the run parts that were executed here: a registry's are noted as its word, ours are not."""
        found = set()
        for path in (self.machine.home / "keys").glob("*.json"):
            if "taken_from" not in json.loads(path.read_bytes()):
                found.add(path.stem)
        return found & run_keys(self.machine, self.recipes)


def run_keys(machine: Machine, recipes: Sequence[str]) -> set[str]:
    """The keys of all run parts of recipes."""
    from portside.prepare import locked_plan
    from portside.project import Project

    project = Project(machine.checkout)
    found = set()
    for name in recipes:
        plan = locked_plan(project, project.recipe(name))
        found |= {part.key for part in plan.build_order() if part.kind == "run"}
    return found


def add_recipes(project: TinyProject, count: int) -> list[str]:
    """A recipe, and others that extend it: with other files, steps, patches of the migrated code and weights, in turn;
    gives their full names."""
    sdists = {"src": {"setup.py": b"x=1\n", "m.py": b"size = 1\n" + b"import torch\ntorch.cuda.synchronize()\n" * 300}}
    project.add(
        "low",
        install=("echo one > one.txt && sleep 0.5",),
        files={"code.py": b"x\n"},
        sdists=sdists,
        migration={"ruleset": "mlu", "sources": ["src"]},
    )
    names = []
    for number in range(count):
        name, kind = f"r{number}", number % 4
        more: dict[str, Any] = {}
        if kind == 0:
            more["files"] = {f"more{number}.py": b"y\n"}
        elif kind == 1:
            more["install"] = (f"sleep 0.5 && echo {number} > own.txt",)
        elif kind == 2:
            step = {"replace": "size = 1", "with": f"size = {number}", "files": "src_mlu/m.py", "count": 1}
            more["patches"] = [step]
        else:
            more["weights"] = {f"w{number}": str(number).encode() * 100_000}
        names.append(project.add(name, extends="low", sdists=sdists, **more))
    return names


def alone(project: TinyProject, names: Sequence[str], home: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The image IDs that single builds give, one after the other in a store that has the project's inputs."""
    shutil.copytree(project.machine.home, home)
    machine = Machine(project.machine.checkout, home, dict(environment))
    return {name: machine.json("build", "--no-pull", "--recipe", name)["image_id"] for name in names}


def build_split(machines: Sequence[FarmMachine], kills: int, seed: int, between: tuple[float, float]) -> int:
    """Let all machines build at the same time, kill one of them so many times at random moments, and begin it again;
    gives how many kills hit a build. between: seconds that pass before each, at least and at most."""
    chance = random.Random(seed)
    for one in machines:
        one.start()
    hits = 0
    for _ in range(kills):
        time.sleep(chance.uniform(*between))
        victim = chance.choice(machines)
        hits += victim.kill()
        victim.start()
    for one in machines:
        one.end()
    return hits


def executed_twice(machines: Sequence[FarmMachine]) -> int:
    """How many run parts more than one machine has executed."""
    counts = Counter(key for one in machines for key in one.executed())
    return sum(count > 1 for count in counts.values())
