"""c: weights that nobody has seen before: into the store, to a container that has them mounted, or in its image."""

from collections.abc import Iterator
from pathlib import Path

from bench.files import allocated, remove_large
from bench.peer import peers_of
from bench.processes import BenchError
from bench.project import Project
from bench.values import Goal, Table
from bench.work import OURS, PLAIN, Bench, order

SHA256 = "one sha256 pass"
AFTER = "after `lock`"
HASH = """
import hashlib, sys
digest, piece = hashlib.sha256(), bytearray(1 << 20)
with open(sys.argv[1], "rb") as file:
    while count := file.readinto(piece):
        digest.update(memoryview(piece)[:count])
"""


def measure(bench: Bench) -> Iterator[Table]:
    project, size = bench.project("weights"), bench.settings.size
    bench.say(f"preparing {project.recipe}: {size / (1 << 20):.0f} MiB of weights")
    project.new_weights("small.bin", 1 << 10)
    bench.portside(project, "lock")
    bench.portside(project, "build")
    can_mount = _works(bench, project)
    peers = {peer.side: peer for peer in peers_of(bench, project)}
    for peer in peers.values():
        peer.build_and_run()
    cache = bench.engine.cache()
    store = Table("c-store", "Weights the first time: locked and in the store")
    mounted = Table("c-mounted", "… until a container that has them mounted printed", goals=[Goal(AFTER, 1.0)])
    place = Table("c-in-place", '… and left in their folder (`keep = "in place"`)', goals=[Goal(OURS, 1.3, SHA256)])
    baked = Table("c-baked", "… until a container of the image with them printed", goals=[Goal(OURS, 1.0, PLAIN)])
    disk = Table("c-disk", "… what they take in the store beside the folder's file", unit="x")
    can_keep, brings = can_mount and _can_keep(bench, project), can_mount and _brings(bench, project)
    if not can_mount:
        mounted.note("the engine cannot mount folders of this run: it does not see them")
    elif not can_keep:
        place.note('this Portside knows no `keep = "in place"`')
    for number in range(bench.settings.rounds):
        for kept in (False, True)[: can_mount + can_keep]:
            project.keep = kept
            before = allocated(bench.home)
            file = project.new_weights(f"{number}{'kept' if kept else ''}.bin", size)
            hashed = bench.plain([str(bench.settings.python), "-c", HASH, str(file)]).seconds
            locked = bench.portside(project, "lock").seconds
            ran = 0.0 if brings else bench.portside(project, "fetch").seconds
            ran += bench.image_runs(project, "--weights", "mount").seconds
            table = place if kept else mounted
            table.add(OURS, locked + ran)
            table.add(AFTER, ran)
            table.add(SHA256, hashed)
            if not kept:
                store.add(OURS, locked)
                store.add(SHA256, hashed)
            disk.add("mounted, left in the folder" if kept else "mounted", (allocated(bench.home) - before) / size)
            _free(bench, file, cache, project)
        project.keep = False
        before = allocated(bench.home)
        file = project.new_weights(f"{number}baked.bin", size)
        for side in order([OURS, *peers], number):
            if side == OURS:
                seconds = sum(bench.portside(project, task).seconds for task in ("lock", "build"))
                baked.add(OURS, seconds + bench.image_runs(project).seconds)
            else:
                bulk = peers[side].context / "weights/bulk"
                for old in bulk.iterdir():
                    old.unlink()
                (bulk / file.name).hardlink_to(file)
                baked.add(side, peers[side].build_and_run())
        disk.add("in the image", (allocated(bench.home) - before) / size)
        _free(bench, file, cache, project)
    bench.drop(project)
    for table in (mounted, place):
        # What a ratio is wanted of comes first, what it is made of last.
        table.series = {name: table.series[name] for name in (OURS, SHA256, AFTER) if name in table.series}
    if can_mount and not brings:
        mounted.note("`run-container` brings no weights into the store: `fetch` is part of what comes after `lock`")
    yield from (store, mounted, place, baked, disk)


def _can_keep(bench: Bench, project: Project) -> bool:
    project.keep = True
    project.write()
    try:
        bench.portside(project, "plan")
        return True
    except BenchError:
        return False
    finally:
        project.keep = False
        project.write()


def _brings(bench: Bench, project: Project) -> bool:
    """Whether `run-container` brings weights that are only locked."""
    project.new_weights("other.bin", 1 << 10)
    bench.portside(project, "lock")
    return _works(bench, project)


def _works(bench: Bench, project: Project) -> bool:
    """Whether a container with mounted weights starts. A daemon may see other folders than this process."""
    try:
        bench.image_runs(project, "--weights", "mount")
        return True
    except BenchError:
        return False


def _free(bench: Bench, file: Path, cache: set[str], project: Project) -> None:
    """Remove the round's weights wherever they are; the other layers stay."""
    file.unlink()
    for name in ("weights", "latest"):
        bench.engine.ask("image", "rm", "--force", f"{project.images}:{name}", check=False)
    bench.engine.forget_older(project.recipe)
    bench.engine.forget_cache(cache)
    remove_large(bench.home, bench.settings.size)
