"""What a registry says of an image that somebody else pushed: indexes, manifests and the config, read from their bytes.

Formats: OCI image-spec 1.1 (image-index.md, manifest.md, config.md) and Docker's Image Manifest V2, Schema 2. All that
an index or a manifest may hold beside an image for Linux (attestations, other systems, artefacts) is passed over or is
an InputError that says what it is.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portside.common import oci
from portside.common.compression import Compression
from portside.common.values import DiffID, Sha256, Size, shown_value
from portside.errors import InputError
from portside.lock.registry_image import ImageDocument
from portside.registry.answer import LARGEST_MANIFEST

ACCEPT = ", ".join([*oci.INDEXES, *oci.MANIFESTS, *oci.SCHEMA_1])
"""What to say in Accept. Where a registry has schema 1 alone, it would send an error of its own without it."""

_USUAL = {"amd64": (None, "", "v1"), "arm64": (None, "", "v8")}
"""The variants of an architecture that all its machines run (image-spec, image-index.md, "Platform Variants")."""


@dataclass(frozen=True, slots=True)
class PackedLayer:
    """A layer in a manifest, as it travels. digest: sha256 hex. size: bytes."""

    media_type: str
    digest: Sha256
    size: Size

    @property
    def compression(self) -> Compression:
        return oci.LAYERS[self.media_type]


@dataclass(frozen=True, slots=True)
class OfferedImages:
    """What an index has for one architecture, best first. manifests: of images. indexes: that may have some. has: all
    platforms for which it has an image, for people."""

    manifests: tuple[ImageDocument, ...]
    indexes: tuple[ImageDocument, ...]
    has: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImageManifest:
    """The config and the layers, lowest first."""

    config: ImageDocument
    layers: tuple[PackedLayer, ...]


def media_type(data: bytes) -> str:
    """What a document is: as it says itself, else by what is in it. What a registry says beside it is in no digest.

    Raises InputError for what is no document, or two at once.
    """
    value = _load(data)
    own = value.get("mediaType")
    if isinstance(own, str):
        return own
    if value.get("schemaVersion") == 1:
        return oci.SCHEMA_1[0]
    return oci.INDEX if "manifests" in value else oci.MANIFEST


def read_index(data: bytes, architecture: str) -> OfferedImages:
    """architecture: as OCI calls it, such as arm64. Raises InputError for what is no index."""
    rows = _load(data).get("manifests")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError("its index lists no manifests")
    found: list[tuple[tuple[int, str], ImageDocument]] = []
    indexes: list[ImageDocument] = []
    has: set[str] = set()
    for row in rows:
        kind, platform = row.get("mediaType"), row.get("platform")
        platform = platform if isinstance(platform, dict) else {}
        system, machine, variant = (platform.get(key) for key in ("os", "architecture", "variant"))
        said, fits = bool(platform), (system, machine) == ("linux", architecture)
        if kind in oci.INDEXES and (fits or not said):
            indexes.append(_document(row, str(kind)))
        elif kind in oci.MANIFESTS and not _is_attestation(row, system):
            if said:
                has.add(_shown_platform(system, machine, variant))
            if fits or not said:
                found.append((_rank(architecture, variant, said), _document(row, str(kind))))
    best = sorted(found, key=lambda pair: pair[0])
    return OfferedImages(tuple(document for _, document in best), tuple(indexes), tuple(sorted(has)))


def _rank(architecture: str, variant: Any, said: bool) -> tuple[int, str]:
    """Sorts what every machine of an architecture runs first, then special variants, last what says no platform."""
    if not said:
        return 2, ""
    return (0, "") if variant in _USUAL.get(architecture, (None, "")) else (1, str(variant))


def _is_attestation(row: dict[str, Any], system: Any) -> bool:
    """What BuildKit puts beside an image is a manifest too, for the platform unknown/unknown."""
    notes = row.get("annotations")
    return system == "unknown" or (isinstance(notes, dict) and "vnd.docker.reference.type" in notes)


def _shown_platform(*parts: Any) -> str:
    named = [part for part in parts if isinstance(part, str) and part]
    return shown_value("/".join(named)).strip("'\"").removeprefix("linux/")


def read_manifest(data: bytes) -> ImageManifest:
    """Raises InputError for what is no manifest of an image, or has a layer that cannot be had."""
    value = _load(data)
    config, rows = value.get("config"), value.get("layers")
    if not isinstance(config, dict) or not isinstance(rows, list):
        raise InputError("its manifest has no config or no layers")
    kind = config.get("mediaType")
    if kind not in oci.CONFIGS:
        raise InputError(
            f"it is no image: its config is {shown_value(kind)}",
            "A registry keeps other things too (charts, models, signatures): name the image itself.",
        )
    return ImageManifest(_document(config, str(kind)), tuple(_layer(row, n) for n, row in enumerate(rows, 1)))


def _layer(row: Any, number: int) -> PackedLayer:
    kind = row.get("mediaType") if isinstance(row, dict) else None
    if isinstance(kind, str) and ("foreign" in kind or "nondistributable" in kind):
        raise InputError(
            f"its layer {number} is kept elsewhere ({kind}): a registry may not hand it out",
            "Ask its publisher for an archive of the whole image, and use that: base.archive.",
        )
    if not isinstance(kind, str) or kind not in oci.LAYERS:
        raise InputError(
            f"its layer {number} is {shown_value(kind)}, which Portside cannot unpack",
            f"It can: {', '.join(sorted(oci.LAYERS))}.",
        )
    digest, size = _digest(row), _size(row)
    return PackedLayer(kind, digest, size)


def check_layers(layers: Sequence[PackedLayer], diff_ids: Sequence[DiffID]) -> None:
    """Raise InputError where a config cannot be about the layers of its manifest."""
    if not layers:
        raise InputError("it has no layers")
    if len(layers) != len(diff_ids):
        raise InputError(f"its manifest lists {len(layers)} layers, its config {len(diff_ids)}: they do not belong")
    known: dict[Sha256, DiffID] = {}
    for layer, diff_id in zip(layers, diff_ids, strict=True):
        plain = layer.compression == "none" and layer.digest != diff_id
        if plain or known.setdefault(layer.digest, diff_id) != diff_id:
            raise InputError(
                f"its manifest has sha256:{layer.digest} where its config has the layer sha256:{diff_id}, which is "
                "something else"
            )


def read_config(data: bytes) -> dict[str, Any]:
    """A config's JSON. Raises InputError for what is none."""
    try:
        return _load(data)
    except InputError:
        raise InputError("it has no image config") from None


def _document(row: dict[str, Any], kind: str) -> ImageDocument:
    size = _size(row)
    if size > LARGEST_MANIFEST:
        raise InputError(f"it names a document of {size} bytes, more than the {LARGEST_MANIFEST} that one may have")
    return ImageDocument(media_type=kind, size=size, sha256=_digest(row))


def _digest(row: dict[str, Any]) -> Sha256:
    try:
        return Sha256.of_digest(row.get("digest"))
    except ValueError:
        raise InputError(f"it names something by {shown_value(row.get('digest'))}, which is no sha256 digest") from None


def _size(row: dict[str, Any]) -> Size:
    try:
        return Size(row.get("size"))
    except ValueError:
        raise InputError(f"it gives something the size {shown_value(row.get('size'))}") from None


def _load(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InputError("what the registry gives for it is no JSON of a manifest")
    if "manifests" in value and "layers" in value:
        raise InputError("what the registry gives for it is an index and a manifest at once")  # CVE-2021-41190
    return value
