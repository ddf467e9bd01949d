"""What the cases of a run share: a folder, a store, an engine, a project; and the end of all of it."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from bench.engines import Engine, open_engine
from bench.files import remove_large, remove_tree
from bench.processes import Taken, run
from bench.project import BASE, Project

CHECKOUT = Path(__file__).resolve().parents[2]
OURS = "Portside"
PLAIN = "plain build"
LINK = "build with COPY --link"
CONTAINER = "the container alone"


@dataclass
class Settings:
    """rounds: how often each side is measured. size: bytes of weights. quick: tiny sizes. tiny: the tiny project.

    python: the one that has Portside's dependencies. parent: the folder for the run's folder.
    """

    rounds: int
    size: int
    growth_files: tuple[int, ...]
    growth_sizes: tuple[int, ...]
    quick: bool
    tiny: bool
    kind: str
    python: Path
    parent: Path | None


@dataclass
class Bench:
    settings: Settings
    root: Path
    engine: Engine
    had_base: bool
    """Whether the engine had the tiny project's base before."""
    projects: list[Project] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.root / "store"

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def project(self, name: str, *, tiny: bool | None = None) -> Project:
        """A new project; nobody else's recipe has its name."""
        root = self.root / name
        root.mkdir()
        recipe = f"{self.root.name}-{name}"
        made = Project(root, recipe, self.settings.tiny if tiny is None else tiny)
        self.projects.append(made)
        made.create(CHECKOUT)
        return made

    def environment(self, home: Path | None = None) -> dict[str, str]:
        """For Portside: the code of this checkout, and a store of the run's own."""
        mine = {"PORTSIDE_HOME": str(home or self.home), "PYTHONPATH": str(CHECKOUT)}
        return {**self.engine.environment, **mine}

    def portside(
        self,
        project: Project,
        task: str,
        *arguments: str,
        home: Path | None = None,
        expect: str | None = None,
        memory: bool = False,
        docker_host: str | None = None,
    ) -> Taken:
        """Run a task for a project's recipe, in a process of its own."""
        environment = self.environment(home) | ({} if docker_host is None else {"DOCKER_HOST": docker_host})
        command: list[str | Path] = [
            self.settings.python,
            "-m",
            "portside",
            task,
            "--recipe",
            project.recipe,
            *arguments,
        ]
        return run(command, environment=environment, cwd=project.root, expect=expect, memory=memory)

    def image_runs(self, project: Project, *arguments: str, docker_host: str | None = None) -> Taken:
        """Run the finished image by Portside, until it has printed what was edited."""
        return self.portside(
            project,
            "run-container",
            *arguments,
            "--command",
            project.line(),
            expect=project.told.output(),
            docker_host=docker_host,
        )

    def plain(
        self, command: list[str], *, expect: str | None = None, environment: Mapping[str, str] | None = None
    ) -> Taken:
        """Run a command that is none of Portside's."""
        mine = {**self.engine.environment, **(environment or {})}
        return run(command, environment=mine, cwd=self.root, expect=expect)

    def container(self, image: str, project: Project) -> Taken:
        """Run an image by the engine alone, until it has printed what was edited."""
        return self.plain(self.engine.container(image, project.line()), expect=project.told.output())

    def forget_images(self, project: Project) -> None:
        """Remove every image of a project from the engine."""
        layers = [f"{project.images}:{layer}" for layer in ("env", "sources", "migrated", "weights", "latest")]
        self.engine.forget(project.recipe, *layers, f"{project.recipe}:plain", f"{project.recipe}:link")

    def drop(self, project: Project, *stores: Path) -> None:
        """Remove a project that no case needs any more: images, weights, contexts, and these stores."""
        self.forget_images(project)
        self.engine.forget_cache()
        for folder in (project.incoming, *self.root.glob(f"{project.recipe}-*"), *stores):
            remove_tree(folder)
        remove_large(self.home, self.settings.size)

    def finished(self, project: Project) -> str:
        """The name of a project's finished image."""
        return f"{project.images}:weights"


def order(sides: list[str], number: int) -> list[str]:
    """The sides of a round: each is first in its turn, so that none always runs after the same other one."""
    start = number % len(sides)
    return sides[start:] + sides[:start]


@contextmanager
def bench_of(settings: Settings) -> Iterator[Bench]:
    """A run's folder and engine; whatever ends the run, both are as they were before.

    A second Ctrl-C does not stop what puts things away.
    """
    parent = settings.parent or Path(tempfile.gettempdir())
    # Short, and a name that images may have: Podman takes no long paths for its runroot.
    root = Path(tempfile.mkdtemp(prefix="bench-", dir=parent))
    named = root.with_name(f"bench-{os.getpid()}")
    root = root.rename(named) if not named.exists() else root
    before = signal.signal(signal.SIGTERM, _stop)
    bench: Bench | None = None
    try:
        left_out = ("PORTSIDE_", "PYTHON", "GIT_")
        base = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        engine = open_engine(settings.kind, root, base)
        bench = Bench(settings, root, engine, bool(engine.ask("images", "--quiet", BASE)))
        yield bench
    finally:
        kept = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
        if bench is not None:
            put_away(bench)
        remove_tree(root)
        signal.signal(signal.SIGINT, kept[signal.SIGINT])
        signal.signal(signal.SIGTERM, before)


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def put_away(bench: Bench) -> None:
    """Remove the run's containers, images and what the builder kept."""
    engine = bench.engine
    names = engine.ask("ps", "--all", "--format", "{{.Names}}", check=False).split()
    if mine := [name for name in names if f"portside-{bench.root.name}-" in name]:
        engine.ask("rm", "--force", *mine, check=False)
    for project in bench.projects:
        bench.forget_images(project)
    if bench.had_base is False:
        engine.ask("image", "rm", "--force", BASE, check=False)
    engine.forget_cache()
