"""What the OCI image specification (1.0) says and several rooms need: media types, manifests, chain IDs."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from portside.canonical import canonical_json
from portside.errors import InputError

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
REF_NAME = "org.opencontainers.image.ref.name"
LAYOUT_FILE = b'{"imageLayoutVersion":"1.0.0"}'


def descriptor(media_type: str, digest: str, size: int) -> dict[str, Any]:
    """digest: sha256 hex; size: bytes."""
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": size}


def manifest(config: bytes, layers: Iterable[tuple[str, int]]) -> bytes:
    """The manifest (image-spec, manifest.md) of uncompressed layers (diff ID, bytes), as canonical JSON."""
    return canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, hashlib.sha256(config).hexdigest(), len(config)),
            "layers": [descriptor(LAYER, digest, size) for digest, size in layers],
        }
    )


def chain_ids(diff_ids: Sequence[str]) -> list[str]:
    """The chain ID (hex) of every prefix of a list of diff IDs (hex), bottom first.

    A chain ID names a layer together with all layers below it (image-spec, config.md, "Layer ChainID").
    """
    chain: list[str] = []
    for diff_id in diff_ids:
        both = f"sha256:{chain[-1]} sha256:{diff_id}" if chain else ""
        chain.append(hashlib.sha256(both.encode()).hexdigest() if chain else diff_id)
    return chain


def diff_ids_of(config: bytes) -> list[str]:
    """The diff IDs (hex) in an image config, lowest first. Raises InputError for what is no config."""
    try:
        value = json.loads(config)
        found = [str(diff_id) for diff_id in value["rootfs"]["diff_ids"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError("it has no image config") from None
    if not all(len(diff_id) == 71 and diff_id.startswith("sha256:") for diff_id in found):
        raise InputError("its config names layers by something other than sha256")
    return [diff_id.removeprefix("sha256:") for diff_id in found]
