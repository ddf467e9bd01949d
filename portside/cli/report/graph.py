"""What a build of several recipes would do: their parts, each once, what becomes of it, and where."""

from collections.abc import Mapping, Sequence
from typing import Any

from portside.build.graph import Graph
from portside.build.run_places import RunPlace
from portside.common.progress import human_bytes
from portside.common.values import Key
from portside.plan.model import Plan
from portside.plan.states import blob_of
from portside.share.layers import Registries
from portside.store import Store


def graph_report(
    plans: Sequence[Plan],
    store: Store,
    registries: Mapping[str, Sequence[str]],
    places: Sequence[RunPlace],
    last: str = "weights",
) -> dict[str, Any]:
    """parts: a row for each that the store lacks, behind those that it needs: state is pull or build; where: who makes
    it (`here`: Portside itself), or the registry that has it.

    registries: by recipe, those that are asked. places: what executes run parts, the preferred one first.
    """
    graph = Graph.of(plans, last)
    missing = {key for key, item in graph.nodes.items() if blob_of(item.part, store) is None}
    offered = _offered(plans, registries, missing, last)
    rows = []
    for key, item in graph.nodes.items():
        if key not in missing:
            continue
        able = [place.name for place in places if place.runs(item.plans[0].lock.base.architecture)]
        made = " or ".join(able) or "nowhere" if item.part.kind == "run" else "here"
        rows.append(
            {
                "layer": item.part.layer,
                "name": item.part.name,
                "key": key,
                "recipes": list(item.recipes),
                "state": "pull" if key in offered else "build",
                "where": offered.get(key, made),
            }
        )
    return {
        "recipes": [plan.recipe.name for plan in plans],
        "counts": {
            "parts": len(graph.nodes),
            "uses": sum(len(item.plans) for item in graph.nodes.values()),
            "cached": len(graph.nodes) - len(missing),
            "pull": sum(row["state"] == "pull" for row in rows),
            "build": sum(row["state"] == "build" for row in rows),
        },
        "parts": rows,
    }


def _offered(
    plans: Sequence[Plan], registries: Mapping[str, Sequence[str]], missing: set[Key], last: str
) -> dict[Key, str]:
    """By key of a missing part, the registry that has it."""
    offered: dict[Key, str] = {}
    for asked in dict.fromkeys(tuple(registries.get(plan.recipe.name, ())) for plan in plans):
        with Registries(asked) as known:
            for plan in plans if asked else ():
                if tuple(registries.get(plan.recipe.name, ())) == asked:
                    for layer in plan.up_to(last):
                        offer = known.best(layer, missing - offered.keys())
                        if offer.source is not None:
                            offered |= dict.fromkeys(offer.blobs.keys() & missing, offer.source)
    return offered


def graph_lines(report: dict[str, Any]) -> list[str]:
    counts = report["counts"]
    lines = [
        f"{len(report['recipes'])} recipes have {counts['parts']} parts together, which would be {counts['uses']} if "
        f"nobody shared any: {counts['cached']} are there, {counts['pull']} to pull, {counts['build']} to build"
    ]
    for row in report["parts"]:
        whose = row["recipes"][0] if len(row["recipes"]) == 1 else f"{len(row['recipes'])} recipes"
        place = {"pull": f"from {row['where']}"}.get(row["state"], f"in {row['where']}".replace("in here", "here"))
        lines.append(f"{row['state']:5}  {row['layer']}/{row['name']}  {row['key'][:12]}  {place}, for {whose}")
    return lines


def room_line(needed: int, free: int) -> str:
    """needed, free: bytes where the store is."""
    return f"the store takes about {human_bytes(needed)} more; {human_bytes(free)} are free"
