"""What the OCI image specification (1.0) and Docker's say and several rooms need: media types, manifests, chain IDs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portside.common.canonical import canonical_json, sha256_hex
from portside.common.compression import Compression
from portside.common.values import DiffID, Sha256, Size
from portside.errors import InputError

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER = "application/vnd.docker"
"""What Docker's own types begin with (Image Manifest V2, Schema 2; BuildKit for zstd)."""
INDEXES = (INDEX, f"{DOCKER}.distribution.manifest.list.v2+json")
MANIFESTS = (MANIFEST, f"{DOCKER}.distribution.manifest.v2+json")
SCHEMA_1 = (f"{DOCKER}.distribution.manifest.v1+json", f"{DOCKER}.distribution.manifest.v1+prettyjws")
CONFIGS = (CONFIG, f"{DOCKER}.container.image.v1+json")
LAYERS: Mapping[str, Compression] = {
    LAYER: "none",
    f"{LAYER}+gzip": "gzip",
    f"{LAYER}+zstd": "zstd",
    f"{DOCKER}.image.rootfs.diff.tar": "none",
    f"{DOCKER}.image.rootfs.diff.tar.gzip": "gzip",
    f"{DOCKER}.image.rootfs.diff.tar.zstd": "zstd",
}
"""The types of layers that can be unpacked, with how they travel."""
REF_NAME = "org.opencontainers.image.ref.name"
LAYOUT_FILE = b'{"imageLayoutVersion":"1.0.0"}'


def descriptor(media_type: str, digest: Sha256, size: int) -> dict[str, Any]:
    """digest: sha256 hex; size: bytes."""
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": size}


def manifest(config: bytes, layers: Iterable[tuple[DiffID, int]]) -> bytes:
    """The manifest (image-spec, manifest.md) of uncompressed layers (diff ID, bytes), as canonical JSON."""
    return canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, sha256_hex(config), len(config)),
            "layers": [descriptor(LAYER, digest, size) for digest, size in layers],
        }
    )


def chain_ids(diff_ids: Sequence[DiffID]) -> list[Sha256]:
    """The chain ID (hex) of every prefix of a list of diff IDs (hex), bottom first.

    A chain ID names a layer together with all layers below it (image-spec, config.md, "Layer ChainID").
    """
    chain: list[Sha256] = []
    for diff_id in diff_ids:
        both = f"sha256:{chain[-1]} sha256:{diff_id}" if chain else ""
        chain.append(sha256_hex(both.encode()) if chain else diff_id)
    return chain


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a manifest says about one blob. digest: sha256 hex."""

    digest: Sha256
    size: Size


def read_descriptor(row: Any) -> Descriptor:
    """A descriptor of JSON. Raises ValueError for what is none."""
    if not isinstance(row, dict):
        raise ValueError("expected a descriptor")
    return Descriptor(Sha256.of_digest(row.get("digest")), Size(row.get("size")))


def read_manifest(value: Any) -> tuple[Descriptor, tuple[Descriptor, ...]]:
    """The config and the layers, lowest first, of a manifest of JSON. Raises ValueError for what is none."""
    if not isinstance(value, dict) or not isinstance(value.get("layers"), list):
        raise ValueError("expected a manifest")
    return read_descriptor(value.get("config")), tuple(read_descriptor(row) for row in value["layers"])


def diff_ids_of(config: bytes) -> list[DiffID]:
    """The diff IDs (hex) in an image config, lowest first. Raises InputError for what is no config."""
    try:
        value = json.loads(config)
        found = list(value["rootfs"]["diff_ids"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError("it has no image config") from None
    try:
        return [DiffID.of_digest(diff_id) for diff_id in found]
    except ValueError:
        raise InputError("its config names layers by something other than sha256") from None
