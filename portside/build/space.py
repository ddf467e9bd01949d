"""What a build will need on the disk of the engine, beside what is free there."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from portside.common.progress import human_bytes
from portside.common.values import DiffID, Key
from portside.engines import Builder
from portside.errors import EngineError
from portside.plan.model import Plan
from portside.plan.states import blob_of, expected_bytes
from portside.store import Store, files

if TYPE_CHECKING:
    from portside.build.graph import Graph
    from portside.fetch.fetcher import Fetcher


@dataclass(frozen=True)
class Needs:
    """layers: about how many bytes the engine lacks of an image. room: what it needs while it takes them. free: bytes
    where it keeps its data, None where that is another machine."""

    layers: int
    room: int
    free: int | None

    def line(self, engine: str) -> str:
        """What a person is told."""
        free = "what is free there is not known" if self.free is None else f"{human_bytes(self.free)} are free"
        if not self.room:
            return f"{engine} has all layers; {free}"
        while_loading = f", {human_bytes(self.room)} while they are loaded" if self.room > self.layers else ""
        return f"{engine} lacks about {human_bytes(self.layers)} of layers{while_loading}; {free}"

    def check(self, engine: str) -> None:
        """Raise EngineError where that surely cannot fit."""
        if self.free is not None and self.free < self.room:
            raise EngineError(
                f"{human_bytes(self.room)} are needed where the engine keeps its images, {human_bytes(self.free)} are "
                "free",
                f"See what nobody needs: invoke clean --engine; or remove images: {engine} image prune",
            )

    def report(self) -> dict[str, Any]:
        return {"layers": self.layers, "room": self.room, "free": self.free}


def engine_needs(
    plans: Sequence[Plan],
    store: Store,
    engine: Builder,
    *,
    last: str = "weights",
    missing: Collection[Key] | None = None,
) -> Needs:
    """For the images of the layer `last` of all these recipes, what they share once.

    missing: the keys of the parts that are made anew; default: those that the store lacks.

    Of a part that is there the size is known, of others what the lock says of their inputs. Raises EngineError.
    """
    known: dict[DiffID, int] = {}
    unknown: dict[Key, int] = {}
    for plan in plans:
        parts = plan.stack(last)
        blobs = [None if missing is not None and part.key in missing else blob_of(part, store) for part in parts]
        lacks = engine.lacks([None if blob is None else blob.digest for blob in blobs])
        for part, blob, is_lacking in zip(parts, blobs, lacks, strict=True):
            # One blob may stand for several parts: a vendor's image repeats an empty layer.
            if blob is None:
                unknown[part.key] = expected_bytes(part, plan.lock)
            elif is_lacking:
                known[blob.digest] = blob.size
    sizes, more = sum(known.values()), sum(unknown.values())
    return Needs(sizes + more, engine.room(sizes) + more, engine.free_bytes())


def store_needs(graph: "Graph", missing: Collection[Key], fetcher: "Fetcher") -> int:
    """About how many bytes the parts that are to be made take in the store, each once."""
    nodes = [graph.nodes[key] for key in missing]
    return sum(
        expected_bytes(node.part, node.plans[0].lock)
        for node in nodes
        if not fetcher.has_file(node.part, node.plans[0])
    )


def need_room(
    graph: "Graph",
    plans: Sequence[Plan],
    missing: Collection[Key],
    store: Store,
    engine: Builder | None,
    fetcher: "Fetcher",
    load: bool,
) -> None:
    """Raise StoreError or EngineError before any work where the disks surely cannot take what is to be built.

    plans: of the recipes that have something to be built, or loaded. missing: keys. load: whether the engine gets the
    images.
    """
    if missing:
        files.need_space(store.home, store_needs(graph, missing, fetcher))
    if engine is not None and plans and (load or any(graph.nodes[key].part.kind == "run" for key in missing)):
        engine_needs(plans, store, engine, last=graph.last, missing=missing).check(engine.name)
