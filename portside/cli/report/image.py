"""The images of a built recipe: what identifies each layer, the same on every machine."""

from typing import Any

from portside.common.progress import human_bytes
from portside.image.built import stored_image
from portside.plan.model import Plan
from portside.store import Store


def image_report(made: Plan, store: Store, last: str = "weights") -> dict[str, Any]:
    """What `inspect --json` prints: the same on every machine that has built the same lock.

    diff_ids and bytes are of a layer's own blobs; its image_id is of the image with everything below it.
    """
    rows: list[dict[str, Any]] = []
    below = 0
    for layer in made.up_to(last):
        image = stored_image(made, store, layer.name)
        own = image.layers[below:]
        below = len(image.layers)
        rows.append(
            {
                "name": layer.name,
                "key": layer.key,
                "image_id": f"sha256:{image.image_id}",
                "diff_ids": [f"sha256:{blob.digest}" for blob in own],
                "bytes": sum(blob.size for blob in own),
            }
        )
    return {"recipe": made.recipe.name, "image_id": rows[-1]["image_id"], "layers": rows}


def inspect_lines(report: dict[str, Any]) -> list[str]:
    lines = [f"{report['recipe']}  {report['image_id']}"]
    for layer in report["layers"]:
        lines.append(
            f"{layer['name']:9} {human_bytes(layer['bytes']):>10}  key {layer['key'][:12]}  {layer['image_id']}"
        )
        lines += [f"    {diff_id}" for diff_id in layer["diff_ids"]]
    return lines
