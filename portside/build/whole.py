"""What became of building many recipes at once: images, failures, counts, and what the time went to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from portside.build.graph import Graph
from portside.build.schedule import DoneWork
from portside.common.values import Key
from portside.errors import PortsideError
from portside.image.built import Built


@dataclass
class BuildReport:
    """built: by recipe, its layers. failed: by recipe, why it is not built. parts: how many different parts they have
    together, and uses: how many if nobody shared any. made, pulled, taken: the keys of the parts that were made here,
    came from registries, and were made by another process meanwhile. built_twice: keys of parts that were made here
    while another machine made and pushed them, with the same result. seconds: of all.

    path: the longest chain of work in which each needs the one before. chain: what ended last, and before it always
    what it waited for, be it a part that it needs or a builder: the places where time can be saved.
    """

    built: dict[str, list[Built]] = field(default_factory=dict)
    failed: dict[str, PortsideError] = field(default_factory=dict)
    parts: int = 0
    uses: int = 0
    made: set[Key] = field(default_factory=set)
    pulled: dict[Key, str] = field(default_factory=dict)
    taken: set[Key] = field(default_factory=set)
    built_twice: set[Key] = field(default_factory=set)
    seconds: float = 0.0
    path: list[DoneWork] = field(default_factory=list)
    chain: list[DoneWork] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Of parts."""
        return {
            "parts": self.parts,
            "uses": self.uses,
            "made": len(self.made),
            "pulled": len(self.pulled),
            "taken": len(self.taken),
            "built_twice": len(self.built_twice),
        }

    def times(self) -> dict[str, Any]:
        return {"seconds": round(self.seconds, 1), "critical_path": _told(self.path), "waits": _told(self.chain)}


def _told(spans: Sequence[DoneWork]) -> dict[str, Any]:
    steps = [{"work": span.title, "seconds": round(span.seconds, 2)} for span in spans]
    return {"seconds": round(sum(span.seconds for span in spans), 1), "steps": steps}


def waited_for(spans: Sequence[DoneWork]) -> list[DoneWork]:
    """From what ended last back over what each waited for. spans: as a schedule has them."""
    found: list[DoneWork] = []
    at = len(spans) - 1 if spans else None
    while at is not None:
        found.append(spans[at])
        at = spans[at].cause
    return found[::-1]


def critical_path(graph: Graph, spans: Sequence[DoneWork]) -> list[DoneWork]:
    """The longest chain of work in which each needs the one before: how long it would take if there were builders and
    processors for everything. What is done for a whole image needs all its parts."""
    fetched = {span.key: span for span in spans if span.pool == "fetch"}
    made = {span.key: span for span in spans if span.key is not None and span.pool != "fetch"}
    best: dict[Key, _Chain] = {}
    images: dict[str, _Chain] = {}
    for key, node in graph.nodes.items():
        chain = max(
            [_Chain().then(fetched.get(key)), *(best[below] for below in node.needs)], key=lambda chain: chain.seconds
        )
        best[key] = chain.then(made.get(key))
        for name in node.recipes:
            images[name] = max(images.get(name, _Chain()), best[key], key=lambda chain: chain.seconds)
    ends = dict(images)
    for pool in ("share", "load", "push"):  # what is done for a layer or an image, which waits for what is before it
        for span in spans:
            if span.key is None and span.pool == pool:
                before = ends if pool == "push" else images
                chain = before.get(span.recipe, _Chain()).then(span)
                ends[span.recipe] = max(ends.get(span.recipe, _Chain()), chain, key=lambda chain: chain.seconds)
    images = ends
    return list(max(images.values(), key=lambda chain: chain.seconds, default=_Chain()).spans)


@dataclass(frozen=True)
class _Chain:
    seconds: float = 0.0
    spans: tuple[DoneWork, ...] = ()

    def then(self, span: DoneWork | None) -> "_Chain":
        return self if span is None else _Chain(self.seconds + span.seconds, (*self.spans, span))
