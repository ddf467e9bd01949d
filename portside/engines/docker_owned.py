"""What of Portside's a Docker daemon has: images by a recipe's label, containers by that of a process."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from portside.common.oci import chain_ids
from portside.common.values import DiffID, ImageID
from portside.engines.base import PROCESS_LABEL, RECIPE_LABEL, Container, EngineImage
from portside.engines.docker_layers import layer_ids

Read = Callable[[str], Any]
"""A JSON answer of the API, None if there is no such thing."""

HISTORY = "portside "
"""How every line of the history of a recipe's image begins (`portside.image.config`); a line is a layer."""


def images(read: Read) -> list[EngineImage]:
    """What is gone between two questions is left out."""
    found = []
    for row in read(f"/images/json?filters={_labelled(RECIPE_LABEL)}"):
        name = str(row["Id"])
        image, history = read(f"/images/{quote(name)}/json"), read(f"/images/{quote(name)}/history")
        if image is not None and history is not None:
            names = tuple(tag for tag in row.get("RepoTags") or () if tag != "<none>:<none>")
            steps = [(str(step["CreatedBy"]), int(step["Size"])) for step in reversed(history)]
            found.append(owned(name, names, row.get("Labels") or {}, layer_ids(image), steps))
    return found


def owned(
    name: str,
    names: tuple[str, ...],
    labels: Mapping[str, str],
    diff_ids: Sequence[DiffID],
    history: Sequence[tuple[str, int]],
) -> EngineImage:
    """history: the lines, oldest first, and the bytes that each brought. Those of a Dockerfile need not have layers."""
    sizes = [size for _, size in history]
    if len(sizes) != len(diff_ids):
        sizes = [size for size in sizes if size]
        sizes = (sizes + [0] * len(diff_ids))[: len(diff_ids)]
    is_recipes = bool(history) and all(line.startswith(HISTORY) for line, _ in history)
    return EngineImage(name, names, labels, tuple(zip(chain_ids(diff_ids), sizes, strict=True)), is_recipes)


def containers(read: Read, image_id: Callable[[str], ImageID | None], label: str = PROCESS_LABEL) -> list[Container]:
    """image_id: the config digest of an image, if it is there."""
    return [
        Container(str(row["Id"]), row["State"] == "running", image_id(str(row["ImageID"])), row.get("Labels") or {})
        for row in read(f"/containers/json?all=true&filters={_labelled(label)}")
    ]


def _labelled(label: str) -> str:
    return quote(json.dumps({"label": [label]}))
