"""d: minilm from fetched inputs to its image, in a new store and without a build cache."""

import os
import shutil
from collections.abc import Iterator

from bench.files import remove_tree
from bench.peer import peers_of
from bench.values import Goal, Table
from bench.work import OURS, PLAIN, Bench, order


def measure(bench: Bench) -> Iterator[Table]:
    project = bench.project("cold")
    bench.say(f"preparing {project.recipe}: its inputs, {'tiny' if project.tiny else 'about 200 MB'}")
    project.new_weights("small.bin", 1 << 10)
    fetched = bench.root / "fetched"
    bench.portside(project, "lock", home=fetched)
    bench.portside(project, "fetch", home=fetched)
    # What the peers need is not made in the store that every round begins with.
    prepared = bench.root / "prepared"
    shutil.copytree(fetched, prepared, copy_function=os.link, symlinks=True)
    peers = {peer.side: peer for peer in peers_of(bench, project, home=prepared)}
    table = Table("d", "Cold: from fetched inputs to the image", goals=[Goal(OURS, 1.15, PLAIN)])
    for number in range(bench.settings.rounds):
        for side in order([OURS, *peers], number):
            if side == OURS:
                store = bench.root / "cold-store"
                shutil.copytree(fetched, store, copy_function=os.link, symlinks=True)
                built = bench.portside(project, "build", "--offline", "--no-cache", home=store)
                table.add(side, built.seconds)
                bench.container(bench.finished(project), project)
                remove_tree(store)
            else:
                table.add(side, peers[side].build(cache=False))
                bench.container(peers[side].tag, project)
            bench.forget_images(project)
            bench.engine.forget_cache()
    bench.drop(project, prepared)
    # The inputs are the same for every other case.
    if not bench.home.exists():
        fetched.rename(bench.home)
    yield table
