"""What `diff` compares: an image or a layer, found by the name that a person gives."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from portside.common.oci import read_manifest
from portside.common.values import DiffID, ImageID
from portside.diff import archive
from portside.errors import RecipeError
from portside.layers.raw import Tar, TarLayer
from portside.recipe.models import LAYERS
from portside.store import Store

_HEX = re.compile(r"(?:sha256:)?([0-9a-f]{6,64})")
_MANIFEST_SIZE = 1 << 20
"""Bytes: what is larger in the layout is a layer, not a manifest."""


@dataclass(frozen=True)
class LayerFile:
    """An uncompressed layer tar. digest: its diff ID (hex)."""

    digest: DiffID
    tar: Tar


@dataclass(frozen=True)
class Side:
    """One of the two things to compare.

    name: as the person gave it. id: image ID or diff ID, hex. config: the image's config, None for a layer.
    layers: an image's, lowest first; the one layer itself.
    """

    name: str
    kind: Literal["image", "layer"]
    id: ImageID | DiffID
    config: dict[str, Any] | None
    layers: tuple[LayerFile, ...]


def open_side(operand: str, store: Store, stack: ExitStack) -> Side:
    """Find what `operand` names.

    In this order: a file (a layer tar, or an image archive as `docker save` or OCI tools write it), a recipe's image
    in the store (RECIPE, RECIPE:LAYER), the beginning of a diff ID or an image ID in the store.
    What has to be unpacked stays until `stack` is closed. Raises RecipeError where nothing or several things fit.
    """
    path = Path(operand)
    if path.is_file():
        return _from_file(operand, path, store, stack)
    refs = store.layout.refs()
    for ref in (operand, *(f"{operand}:{layer}" for layer in reversed(LAYERS))):
        if ref in refs:
            image = store.layout.image(ref)
            assert image is not None, ref
            return _image(ref, store, image.image_id, [blob.digest for blob in image.layers])
    if match := _HEX.fullmatch(operand):
        return _by_digest(operand, match[1], store)
    known = ", ".join(refs) or "none"
    raise RecipeError(
        f"there is no image or layer {operand!r}: no such file, no such image in the store, and no digest",
        "Build the recipe first (invoke build --recipe NAME), or give the first digits of a diff ID or image ID. "
        f"The images here: {known}.",
    )


def _image(name: str, store: Store, image_id: ImageID, layers: Sequence[DiffID]) -> Side:
    config = json.loads(store.layout.blob(image_id).read_bytes())
    if missing := [digest for digest in layers if not store.layout.has(digest, None)]:
        recipe = _recipe(config)
        remedy = f"Build it again: invoke build --recipe {recipe}" if recipe else "Load it again: invoke load"
        raise RecipeError(f"{name}: the store no longer has its layer {missing[0]}", remedy)
    files = tuple(LayerFile(digest, store.layout.tar(digest)) for digest in layers)
    return Side(name, "image", image_id, config, files)


def _recipe(config: Any) -> str | None:
    """The recipe that an image's config says it is of: a vendor's may say anything."""
    for key in ("config", "Labels", "portside.recipe"):
        config = config.get(key) if isinstance(config, dict) else None
    return config if isinstance(config, str) else None


def _by_digest(name: str, prefix: str, store: Store) -> Side:
    found = store.layout.digests(prefix)
    images = dict(_manifests(store))
    # An image's manifest is not what people mean: its ID is the config's.
    found = [digest for digest in found if digest in images or not _is_json(store.layout.file(digest))]
    if len(found) != 1:
        what = f"{len(found)} things begin with {prefix}: {', '.join(f[:16] for f in found)}" if found else ""
        raise RecipeError(
            what or f"the store has no layer and no image whose digest begins with {prefix}",
            "Give more digits." if found else "`invoke inspect --recipe NAME` names diff IDs and image IDs.",
        )
    image_id, diff_id = ImageID(found[0]), DiffID(found[0])  # it is one of them
    if image_id in images:
        return _image(name, store, image_id, images[image_id])
    return Side(name, "layer", diff_id, None, (LayerFile(diff_id, store.layout.tar(diff_id)),))


def _manifests(store: Store) -> Iterator[tuple[ImageID, list[DiffID]]]:
    """(image ID, diff IDs) of every image in the layout, those that no name points to any more included."""
    for path in (store.layout.path / "blobs" / "sha256").iterdir():
        if path.stat().st_size <= _MANIFEST_SIZE and _is_json(path):
            with suppress(ValueError, RecursionError):  # a config, or anything else
                config, layers = read_manifest(json.loads(path.read_bytes()))
                yield ImageID(config.digest), [DiffID(layer.digest) for layer in layers]


def _is_json(path: Path | None) -> bool:
    """A layer never looks like JSON: no path of ours starts with a brace and a quote. path: None for no file."""
    if path is None:
        return False
    with path.open("rb") as stream:
        return stream.read(2) == b'{"'


def _from_file(name: str, path: Path, store: Store, stack: ExitStack) -> Side:
    folder = stack.enter_context(store.workspace())
    plain, digest = archive.uncompressed(path, folder)
    found = archive.read_image(path, plain, folder)
    if found is None:
        return Side(name, "layer", digest, None, (LayerFile(digest, TarLayer(plain)),))
    image, own = found
    layers = tuple(LayerFile(blob.digest, own.layout.tar(blob.digest)) for blob in image.layers)
    return Side(name, "image", image.image.image_id, json.loads(image.config), layers)
