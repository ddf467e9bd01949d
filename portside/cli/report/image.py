"""The images of a built recipe: what identifies each layer, the same on every machine."""

from collections.abc import Sequence
from typing import Any

from portside.common.canonical import sha256_hex
from portside.common.progress import human_bytes
from portside.image.built import Built, stored_image
from portside.image.config import image_name
from portside.plan.model import Plan
from portside.store import Store


def image_report(made: Plan, store: Store, last: str = "weights") -> dict[str, Any]:
    """What `inspect --json` prints: the same on every machine that has built the same lock.

    diff_ids and bytes are of a layer's own blobs; its image_id is of the image with everything that it is built on, and
    that of the weights the finished image's. manifest: the digest of the manifest with uncompressed layers, which is
    what Docker's containerd store calls an image by, and what `push` pushes.
    """
    rows: list[dict[str, Any]] = []
    for layer in made.up_to(last):
        image = stored_image(made, store, layer.name)
        blobs = dict(zip((part.key for part in made.stack(layer.name)), image.layers, strict=True))
        own = [blobs[part.key] for part in layer.parts]
        rows.append(
            {
                "name": layer.name,
                "key": layer.key,
                "image_id": f"sha256:{image.image_id}",
                "manifest": f"sha256:{sha256_hex(image.manifest())}",
                "diff_ids": [f"sha256:{blob.digest}" for blob in own],
                "bytes": sum(blob.size for blob in own),
            }
        )
    last_row = {name: rows[-1][name] for name in ("image_id", "manifest")}
    return {"recipe": made.recipe.name, **last_row, "layers": rows}


def inspect_lines(report: dict[str, Any]) -> list[str]:
    lines = [f"{report['recipe']}  {report['image_id']}", f"    manifest  {report['manifest']}"]
    for layer in report["layers"]:
        lines.append(
            f"{layer['name']:9} {human_bytes(layer['bytes']):>10}  key {layer['key'][:12]}  {layer['image_id']}"
        )
        lines += [f"    {diff_id}" for diff_id in layer["diff_ids"]]
    return lines


def built_lines(built: Sequence[Built]) -> list[str]:
    """A line for each layer: its key, and what was made or pulled of it."""
    lines = []
    for row in built:
        states = [f"built {', '.join(row.fresh)}"] if row.fresh else []
        states += [f"pulled {name} from {place}" for name, place in row.pulled]
        lines.append(f"{row.plan.name:9} {row.plan.key[:12]}  {'; '.join(states) or 'up to date'}")
    return lines


def not_loaded(recipe: str, built: Sequence[Built], engine: str) -> str:
    """What the engine has after a build, and what it does not have yet."""
    *lower, last = [row.plan.name for row in built]
    return (
        f"{engine} has it as {image_name(recipe, last)}. The images of {', '.join(lower)} are in the store "
        "alone, until something needs them: check, run-container --layer; or build --load-all."
    )
