"""What a build will need on the disk of the engine, beside what is free there."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from portside.common.progress import human_bytes
from portside.engines import Builder
from portside.errors import EngineError
from portside.plan.model import Part, Plan
from portside.plan.states import blob_of, expected_bytes
from portside.store import Store


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
    plan: Plan, store: Store, engine: Builder, *, last: str = "weights", missing: Collection[Part] | None = None
) -> Needs:
    """For the image of the layer `last`. missing: the parts that are made anew; default: those that the store lacks.

    Of a part that is there the size is known, of others what the lock says of their inputs. Raises EngineError.
    """
    parts = plan.stack(last)
    blobs = [None if missing is not None and part in missing else blob_of(part, store) for part in parts]
    lacks = engine.lacks([None if blob is None else blob.digest for blob in blobs])
    rows = list(zip(parts, blobs, lacks, strict=True))
    # One blob may stand for several parts: a vendor's image repeats an empty layer.
    known = sum({blob.digest: blob.size for _, blob, is_lacking in rows if blob and is_lacking}.values())
    unknown = sum({part.key: expected_bytes(part, plan.lock) for part, blob, _ in rows if blob is None}.values())
    return Needs(known + unknown, engine.room(known) + unknown, engine.free_bytes())
