"""An image as a folder with an OCI layout that stands on the store's blobs, for what reads images from files."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from portside.common import oci
from portside.common.canonical import CHUNK, canonical_json, sha256_hex
from portside.engines.base import ImageLayer, ImageToLoad


def look_for_damage(layers: Sequence[ImageLayer]) -> None:
    """Read what an engine has read: a layer of the store raises where it is damaged, once it is read."""
    for layer in layers:
        with layer.open() as stream:
            while stream.read(CHUNK):
                pass


def write_folder(image: ImageToLoad, layers: Sequence[ImageLayer], layout: Path) -> None:
    """An OCI image layout (OCI image-spec, image-layout.md) with one image and the blobs of these layers of it; those
    that are files are linked to."""
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    manifest = image.manifest()
    descriptor = oci.descriptor(oci.MANIFEST, sha256_hex(manifest), len(manifest))
    (layout / "oci-layout").write_bytes(oci.LAYOUT_FILE)
    (layout / "index.json").write_bytes(
        canonical_json({"schemaVersion": 2, "mediaType": oci.INDEX, "manifests": [descriptor]})
    )
    (blobs / sha256_hex(manifest)).write_bytes(manifest)
    (blobs / image.image_id).write_bytes(image.config)
    for layer in layers:
        blob = blobs / layer.diff_id
        if layer.path is not None:
            blob.symlink_to(layer.path.absolute())
        else:
            with layer.open() as source, blob.open("wb") as target:
                shutil.copyfileobj(source, target, CHUNK)
