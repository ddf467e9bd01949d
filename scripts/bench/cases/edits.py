"""a and b: a build with nothing to do, and four edits above weights, until a container has printed them."""

from collections.abc import Callable, Iterator

from bench.cases.start import PASS
from bench.counter import counted
from bench.engines import docker_socket
from bench.peer import Peer, peers_of
from bench.project import PACKAGES, Project, Told
from bench.values import Goal, Table
from bench.work import CONTAINER, LINK, OURS, PLAIN, Bench, order

LOCK = "`lock` before it"
STEP = "the install step alone"


class Edited:
    """The project that is edited, built with weights by Portside and by each peer."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.project: Project = bench.project("edits")
        bench.say(f"preparing {self.project.recipe}: {bench.settings.size / (1 << 20):.0f} MiB of weights")
        self.project.new_weights("first.bin", bench.settings.size)
        bench.portside(self.project, "lock")
        bench.portside(self.project, "build")
        self.peers: dict[str, Peer] = {peer.side: peer for peer in peers_of(bench, self.project, packages=True)}
        for peer in self.peers.values():
            peer.build_and_run()
        self.cache = bench.engine.cache()

    def free(self) -> None:
        """Remove what edits before the last have left, many times the weights."""
        self.bench.engine.forget_older(self.project.recipe)
        self.bench.engine.forget_cache(self.cache)


def nothing(edited: Edited) -> Iterator[Table]:
    bench, project = edited.bench, edited.project
    table = Table("a", "Nothing to do", goals=[Goal(OURS, 0.45)])
    python = [str(bench.settings.python), "-c", "pass"]
    for number in range(-1, bench.settings.rounds):
        for side in order([OURS, *edited.peers, PASS], number):
            if side == OURS:
                seconds = bench.portside(project, "build").seconds
            elif side == PASS:
                seconds = bench.plain(python).seconds
            else:
                seconds = edited.peers[side].build()
            if number >= 0:
                table.add(side, seconds)
    yield table


def _said(told: Told) -> None:
    told.said += 1


def _patched(told: Told) -> None:
    told.patched += 1


def _committed(told: Told) -> None:
    told.committed += 1


def _packaged(told: Told) -> None:
    told.env = told.env % ((1 << len(PACKAGES)) - 1) + 1


EDITS: dict[str, tuple[str, Callable[[Told], None], bool]] = {
    "b1": ("An edit in a recipe's file", _said, False),
    "b2": ("An edit in a patch step", _patched, False),
    "b3": ("Another commit of a source", _committed, True),
    "b4": ("One more .deb in env", _packaged, True),
}
"""Case -> what it is called, the edit, and whether the lock has to follow it."""


def edit(edited: Edited, case: str) -> Iterator[Table]:
    bench, project = edited.bench, edited.project
    title, change, locks = EDITS[case]
    if case == "b4" and project.tiny:
        title, locks = "A file in env", False
    table = Table(case, f"{title}, until a container printed it")
    if case == "b1":
        table.goals = [Goal(OURS, 0.15, PLAIN), Goal(OURS, 0.3, LINK), Goal(OURS, 1.5, beyond=CONTAINER)]
    if case in ("b2", "b3"):
        table.goals = [Goal(OURS, 2.0, beyond=STEP)]
    for number in range(bench.settings.rounds):
        change(project.told)
        project.write()
        sides = [OURS, *edited.peers, CONTAINER] + ([STEP] if case in ("b2", "b3") else [])
        for side in order(sides[: 1 + len(edited.peers)], number):
            if side == OURS:
                if locks:
                    table.add(LOCK, bench.portside(project, "lock").seconds)
                built = bench.portside(project, "build").seconds
                table.add(OURS, built + bench.image_runs(project).seconds)
            else:
                edited.peers[side].edit()
                table.add(side, edited.peers[side].build_and_run())
        table.add(CONTAINER, bench.container(bench.finished(project), project).seconds)
        if STEP in sides:
            command = bench.engine.container(bench.finished(project), project.install())
            table.add(STEP, bench.plain(command).seconds)
        edited.free()
    table.series = {
        name: table.series[name] for name in (OURS, *edited.peers, CONTAINER, STEP, LOCK) if name in table.series
    }
    yield table
    yield from _bytes(edited, case, title, change, locks)


def _bytes(edited: Edited, case: str, title: str, change: Callable[[Told], None], locks: bool) -> Iterator[Table]:
    """What such an edit sends to a Docker daemon; once, because it is the same every time."""
    bench, project = edited.bench, edited.project
    daemon = docker_socket(bench.engine.environment) if bench.engine.kind == "docker" else None
    if daemon is None or (bench.settings.quick and case != "b1"):
        return
    table = Table(f"{case}-sent", f"{title}: what enters the engine", unit="MB")
    if case == "b1":
        table.goals = [Goal(OURS, 1.0)]
    change(project.told)
    project.write()
    if locks:
        bench.portside(project, "lock")
    path = bench.root / "counted.sock"
    with counted(daemon, path) as counter:
        bench.portside(project, "build", docker_host=f"unix://{path}")
        bench.image_runs(project, docker_host=f"unix://{path}")
        table.add(OURS, counter.sent / 1e6)
    for side, peer in edited.peers.items():
        peer.edit()
        with counted(daemon, path) as counter:
            bench.plain(peer.command(), environment={"DOCKER_HOST": f"unix://{path}"})
            table.add(side, counter.sent / 1e6)
    edited.free()
    yield table
