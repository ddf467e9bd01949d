"""A plan: what the store has, what a registry offers, what has to be built, and why."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from portside.common.values import Key
from portside.errors import PortsideError
from portside.image.pointers import left_pointers
from portside.plan.model import Plan
from portside.plan.states import states, taken_from
from portside.store import Store


def plan_report(made: Plan, store: Store, registries: Sequence[str] = ()) -> dict[str, Any]:
    """state of a part: cached, pull or build; of a layer: cached, or what its other parts are. `from` of a cached part:
    the place whose word it is that it is right, or null where it was made or proven here.

    registries: repositories that are asked for layers that are not cached. A layer's `from` is the one that has it, or
    what it begins with; `refused` says why the others that answered otherwise cannot give it. pointers: of Git LFS, by
    their paths in the image, with size (bytes) and sha256 of the files that they stand for; expected, where the image
    is not built yet.
    """
    from portside.share.layers import Registries

    found = {state.part.key: state for state in states(made, store)}
    layers = []
    with Registries(registries) as known:
        for layer in made.layers:
            missing = {part.key for part in layer.parts if found[part.key].blob is None}
            offer = known.best(layer, missing) if missing else None
            offered = offer.blobs.keys() if offer else frozenset[Key]()
            parts = [
                {
                    "name": part.name,
                    "key": part.key,
                    "state": "cached" if found[part.key].blob else "pull" if part.key in offered else "build",
                    "reasons": list(found[part.key].reasons),
                    "from": taken_from(part, store) if found[part.key].blob else None,
                }
                for part in layer.parts
            ]
            state = "pull" if missing <= offered else "build"
            row: dict[str, Any] = {"name": layer.name, "key": layer.key, "state": state if missing else "cached"}
            row |= {"from": offer.source if offer else None, "refused": list(offer.refused) if offer else []}
            layers.append(row | {"parts": parts})
    return {"recipe": made.recipe.name, "layers": layers, "pointers": _pointers(made, store)}


def _pointers(made: Plan, store: Store) -> list[dict[str, Any]]:
    with suppress(PortsideError):  # a damaged layer is not what a plan is asked for
        return [asdict(file) for file in left_pointers(made, store).files]
    return []


def plan_lines(report: dict[str, Any]) -> list[str]:
    lines = []
    for layer in report["layers"]:
        source = f" from {layer['from']}" if layer["state"] == "pull" else ""
        lines.append(f"{layer['name']:9} {layer['key'][:12]}  {layer['state']}{source}")
        lines += [f"    not from a registry: {reason}" for reason in layer["refused"]]
        for part in layer["parts"]:
            if part["state"] == "pull" and layer["state"] == "build":
                lines.append(f"    {part['name']}: pull from {layer['from']}")
            elif part["state"] != "cached":
                lines.append(f"    {part['name']}: {'; '.join(_few(part['reasons']))}")
            elif part["from"]:
                lines.append(f"    {part['name']}: from {part['from']}, not proven here")
    return lines


def _few(reasons: list[str], most: int = 5) -> list[str]:
    return reasons if len(reasons) <= most else [*reasons[:most], f"and {len(reasons) - most} more"]
