"""One graph over the parts of all recipes: each part once, whoever has it, behind those that it is made from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from portside.common.values import Key
from portside.plan.model import Part, PartKind, Plan
from portside.plan.states import expected_bytes

_SECONDS: Mapping[PartKind, float] = {"base": 15.0, "run": 10.0, "data": 1.0, "frame": 1.0}
_BYTES_PER_SECOND = 50e6
"""Guesses that only decide what is begun first; nothing that is made depends on them."""


@dataclass(frozen=True)
class GraphPart:
    """A part of one or more recipes. plans: of the recipes that have it, in the order in which they were asked for.

    needs: the keys of the parts that it is executed on, or made from.
    """

    part: Part
    plans: tuple[Plan, ...]
    needs: tuple[Key, ...]

    @cached_property
    def recipes(self) -> tuple[str, ...]:
        return tuple(plan.recipe.name for plan in self.plans)

    @property
    def weight(self) -> float:
        """About how long it takes, in seconds."""
        return _SECONDS[self.part.kind] + expected_bytes(self.part, self.plans[0].lock) / _BYTES_PER_SECOND


@dataclass(frozen=True)
class Graph:
    """nodes: by part key, each behind those that it needs. last: the layer whose image is wanted of each recipe."""

    nodes: Mapping[Key, GraphPart]
    last: str

    @classmethod
    def of(cls, plans: Sequence[Plan], last: str = "weights") -> "Graph":
        """plans: of recipes with different names."""
        parts: dict[Key, tuple[Part, list[Plan]]] = {}
        for plan in plans:
            for part in plan.build_order(last):
                _, having = parts.setdefault(part.key, (part, []))
                if not having or having[-1] is not plan:  # a vendor's image may have one layer twice
                    having.append(plan)
        nodes = {key: GraphPart(part, tuple(having), _needs(having[0], part)) for key, (part, having) in parts.items()}
        return cls({key: nodes[key] for key in _ordered(nodes)}, last)

    @cached_property
    def urgency(self) -> dict[Key, float]:
        """About how many seconds it takes from the beginning of each part to the end of all that waits for it."""
        behind: dict[Key, float] = dict.fromkeys(self.nodes, 0.0)
        for key, node in reversed(list(self.nodes.items())):
            behind[key] += node.weight
            for below in node.needs:
                behind[below] = max(behind[below], behind[key])
        return behind


def _needs(plan: Plan, part: Part) -> tuple[Key, ...]:
    if part.kind == "run":
        return tuple(dict.fromkeys(below.key for below in plan.below(part)))
    return (part.after,) if part.after is not None else ()


def _ordered(nodes: Mapping[Key, GraphPart]) -> Iterable[Key]:
    """The keys, each behind those that it needs: what recipes have before a part need not be the same order in all."""
    done: dict[Key, None] = {}
    for first in nodes:
        waiting = [first]
        while waiting:
            lacking = [key for key in nodes[waiting[-1]].needs if key not in done]
            if lacking:
                waiting += lacking
            else:
                done[waiting.pop()] = None
    return done
