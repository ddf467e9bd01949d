"""e: time and memory as files and bytes grow, from a recipe to its image in the engine; on the tiny base."""

from collections.abc import Iterator

from bench.files import remove_large, remove_tree
from bench.project import UPSTREAM, Project
from bench.values import Goal, Table
from bench.work import Bench

MB = 1e6


def measure(bench: Bench) -> Iterator[Table]:
    project = bench.project("growth", tiny=True)
    project.new_weights("small.bin", 1 << 10)
    yield from _files(bench, project)
    yield from _bytes(bench, project)
    bench.drop(project)


def _files(bench: Bench, project: Project) -> Iterator[Table]:
    time = Table("e-files", "A source of many files, until its image is in the engine", growing="files")
    memory = Table("e-files-memory", "… memory", unit="MB", growing="files")
    for number in range(bench.settings.rounds):
        for count in bench.settings.growth_files:
            many = project.root / UPSTREAM / "many"
            for index in range(count):
                path = many / f"{index // 1000:03}" / f"{index:06}.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"{number} {index}\n" * 20)
            project.write()
            _point(bench, project, str(count), time, memory)
            remove_tree(many)
    memory.goals = [Goal(str(max(bench.settings.growth_files)), 200)]
    yield from (time, memory)


def _bytes(bench: Bench, project: Project) -> Iterator[Table]:
    time = Table("e-bytes", "Weights of many bytes, until their image is in the engine", growing="MiB")
    memory = Table("e-bytes-memory", "… memory", unit="MB", growing="MiB")
    for number in range(bench.settings.rounds):
        for size in bench.settings.growth_sizes:
            file = project.new_weights(f"{number}-{size}.bin", size)
            _point(bench, project, str(size >> 20), time, memory)
            file.unlink()
            remove_large(bench.home, size)
    memory.goals = [Goal(str(max(bench.settings.growth_sizes) >> 20), 200)]
    yield from (time, memory)


def _point(bench: Bench, project: Project, name: str, time: Table, memory: Table) -> None:
    taken = [bench.portside(project, task, memory=True) for task in ("lock", "build")]
    time.add(name, sum(one.seconds for one in taken))
    memory.add(name, max(one.peak for one in taken) / MB)
    bench.forget_images(project)
    bench.engine.forget_cache()
