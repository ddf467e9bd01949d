"""The two manifests that Portside pushes: of a whole image, and of one layer by its key (OCI image-spec 1.1).

A layer's manifest lists the layer's own blobs only, so that it can be reused on top of any other layers. It is an
artefact, no image: its config is the empty one. Its annotations, and those of its blobs, say whose they are."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from portside.common.canonical import canonical_json, sha256_hex
from portside.common.compression import Compression
from portside.common.oci import CONFIG, LAYER, MANIFEST, descriptor
from portside.common.values import DiffID, ImageID, Key, Sha256, Size, Tag, shown_value
from portside.errors import RegistryError
from portside.plan.model import LayerPlan
from portside.registry.blob import RegistryBlob

ARTIFACT = "application/vnd.portside.layer.v1"

EMPTY = "application/vnd.oci.empty.v1+json"

EMPTY_CONFIG = b"{}"

KEY = "portside.key"

LAYER_NAME = "portside.layer"

PART = "portside.part"

PART_KEY = "portside.part.key"

DIFF_ID = "portside.diff-id"

SIZE = "portside.size"

_SUFFIXES: dict[Compression, str] = {"none": "", "gzip": "+gzip", "zstd": "+zstd"}

_KINDS: dict[str, Compression] = {LAYER + suffix: kind for kind, suffix in _SUFFIXES.items()}

_Hex = TypeVar("_Hex", bound=Sha256)


def layer_tag(layer: LayerPlan) -> Tag:
    return Tag(f"{layer.name}-{layer.key[:12]}")


def layer_manifest(layer: LayerPlan, blobs: Mapping[Key, RegistryBlob]) -> bytes:
    """The manifest of a layer's own blobs. blobs: by part key."""
    rows = []
    for part in layer.parts:
        blob = blobs[part.key]
        own = {PART: part.name, PART_KEY: part.key}
        rows.append(_descriptor(blob) | {"annotations": {**_unpacked(blob), **own}})
    return canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": ARTIFACT,
            "config": descriptor(EMPTY, sha256_hex(EMPTY_CONFIG), len(EMPTY_CONFIG)),
            "layers": rows,
            "annotations": {LAYER_NAME: layer.name, KEY: layer.key},
        }
    )


def image_manifest(config: bytes, blobs: Sequence[RegistryBlob]) -> bytes:
    """The manifest of a whole image, its layers lowest first.

    Of an uncompressed layer nothing is said but digest and size, which are those of the layer: where all are, it is the
    manifest that the store has and engines get, to the byte.
    """
    return canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, sha256_hex(config), len(config)),
            "layers": [
                _descriptor(blob)
                if blob.compression == "none"
                else _descriptor(blob) | {"annotations": _unpacked(blob)}
                for blob in blobs
            ],
        }
    )


def read_layer_manifest(data: bytes, layer: LayerPlan) -> dict[Key, RegistryBlob]:
    """The blobs of a layer by part key. Raises RegistryError, with the reason, for a manifest of another layer."""
    manifest = _load(data)
    told = manifest.get("annotations")
    told = told if isinstance(told, dict) else {}
    if manifest.get("artifactType") != ARTIFACT or told.get(LAYER_NAME) != layer.name:
        raise RegistryError(f"it is no layer '{layer.name}' that Portside pushed")
    if told.get(KEY) != layer.key:
        raise RegistryError(f"its key is {told.get(KEY)}, not {layer.key}")
    rows = _rows(manifest)
    wanted = [part.key for part in layer.parts]
    keys = [row["annotations"].get(PART_KEY) for row in rows]
    if keys != wanted:
        raise RegistryError("its parts are not those of its key")
    return dict(zip(wanted, map(_blob, rows), strict=True))


def read_image_manifest(data: bytes) -> tuple[ImageID, Size, list[RegistryBlob]]:
    """A config's digest (hex) and size, and the layers lowest first. Raises RegistryError."""
    manifest = _load(data)
    config = manifest.get("config")
    if not isinstance(config, dict) or config.get("mediaType") != CONFIG:
        raise RegistryError("it is no image that Portside pushed")
    rows = manifest.get("layers")
    if isinstance(rows, list):
        manifest["layers"] = [_said(row) if isinstance(row, dict) else row for row in rows]
    return _hex(ImageID, config.get("digest")), _size(config.get("size")), [_blob(row) for row in _rows(manifest)]


def _said(row: dict[str, Any]) -> dict[str, Any]:
    """A layer's row with what need not stand there where it is uncompressed."""
    if row.get("mediaType") != LAYER or "annotations" in row:
        return row
    return row | {"annotations": {DIFF_ID: row.get("digest"), SIZE: str(row.get("size"))}}


def _descriptor(blob: RegistryBlob) -> dict[str, Any]:
    return descriptor(LAYER + _SUFFIXES[blob.compression], blob.digest, blob.travels)


def _unpacked(blob: RegistryBlob) -> dict[str, str]:
    return {DIFF_ID: f"sha256:{blob.diff_id}", SIZE: str(blob.size)}


def _load(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or value.get("mediaType", MANIFEST) != MANIFEST:
        raise RegistryError("it is no OCI manifest")
    return value


def _rows(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    rows = manifest.get("layers")
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and isinstance(row.get("annotations"), dict) for row in rows
    ):
        raise RegistryError("its layers say no diff IDs: Portside has not pushed it")
    return rows


def _blob(row: dict[str, Any]) -> RegistryBlob:
    kind = _KINDS.get(str(row.get("mediaType")))
    if kind is None:
        raise RegistryError(f"it has a layer of the type {row.get('mediaType')!r}")
    annotations = row["annotations"]
    told = str(annotations.get(SIZE, ""))
    blob = RegistryBlob(
        digest=_hex(Sha256, row.get("digest")),
        travels=_size(row.get("size")),
        compression=kind,
        diff_id=_hex(DiffID, annotations.get(DIFF_ID)),
        size=_size(int(told) if re.fullmatch(r"[0-9]{1,18}", told) else None),
    )
    if kind == "none" and (blob.digest, blob.travels) != (blob.diff_id, blob.size):
        raise RegistryError("an uncompressed layer's digest is not its diff ID")
    return blob


def _hex(kind: type[_Hex], digest: Any) -> _Hex:
    try:
        return kind.of_digest(digest)
    except ValueError:
        raise RegistryError(f"{shown_value(digest)} is no sha256 digest") from None


def _size(value: Any) -> Size:
    try:
        return Size(value)
    except ValueError:
        raise RegistryError(f"{shown_value(value)} is no size") from None
