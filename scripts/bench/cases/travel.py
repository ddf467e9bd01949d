"""f: what of an edit travels to a registry and back: seconds, bytes, requests; and what an engine's own pull takes."""

from collections.abc import Iterator

from bench.registry import Registry, registry
from bench.values import Table
from bench.work import Bench

EDIT = "an edit"
ALL = "everything, the first time"


class Tables:
    """One way that something travels: seconds, megabytes and requests."""

    def __init__(self, name: str, title: str) -> None:
        self.seconds = Table(f"f-{name}", title)
        self.bytes = Table(f"f-{name}-bytes", "… bytes", unit="MB")
        self.requests = Table(f"f-{name}-requests", "… requests", unit="requests")

    def add(self, series: str, seconds: float, size: int, requests: int) -> None:
        self.seconds.add(series, seconds)
        self.bytes.add(series, size / 1e6)
        self.requests.add(series, requests)

    def all(self) -> Iterator[Table]:
        for table in (self.seconds, self.bytes, self.requests):
            table.series = {name: table.series[name] for name in (EDIT, ALL)}
            yield table


def measure(bench: Bench) -> Iterator[Table]:
    project = bench.project("travel")
    bench.say(f"preparing {project.recipe}: {bench.settings.size / (1 << 20):.0f} MiB of weights")
    project.new_weights("first.bin", bench.settings.size)
    bench.portside(project, "lock")
    pushed, pulled = Tables("push", "Push"), Tables("pull", "Pull into a store and the engine")
    fetched = Tables("engine-pull", f"The engine's own pull: {bench.engine.name()}")
    elsewhere = bench.root / "elsewhere"
    with registry(bench.root / "registry") as server:
        for number in range(bench.settings.rounds + 1):
            series = EDIT if number else ALL
            project.told.said += 1
            project.write()
            bench.portside(project, "build")
            tag = f"{server.host}/bench:{number}"
            before = server.blobs()
            server.clear()
            seconds = bench.portside(project, "push", "--tag", tag).seconds
            new = {name: size for name, size in server.blobs().items() if name not in before}
            pushed.add(series, seconds, sum(new.values()), len(server.requests()))
            server.clear()
            seconds = bench.portside(project, "pull", "--tag", tag, home=elsewhere).seconds
            pulled.add(series, seconds, *_answered(server))
            if number:
                bench.forget_images(project)
                _engine_pulls(bench, server, number, fetched)
        bench.forget_images(project)
    bench.drop(project, elsewhere, bench.root / "registry")
    for tables in (pushed, pulled, fetched):
        yield from tables.all()


def _engine_pulls(bench: Bench, server: Registry, number: int, tables: Tables) -> None:
    """Let an engine without the images pull the one before the edit, then the edited one."""
    names = {ALL: f"{server.host}/bench:{number - 1}", EDIT: f"{server.host}/bench:{number}"}
    more = ["--tls-verify=false"] if bench.engine.kind == "podman" else []
    for series, name in names.items():
        server.clear()
        seconds = bench.plain([bench.engine.program, "pull", "--quiet", *more, name]).seconds
        tables.add(series, seconds, *_answered(server))
    for name in names.values():
        bench.engine.ask("image", "rm", "--force", name)


def _answered(server: Registry) -> tuple[int, int]:
    """Bytes that the registry has sent, and how many requests it has answered."""
    found = server.requests()
    return sum(size for _, size in found), len(found)
