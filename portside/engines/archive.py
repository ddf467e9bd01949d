"""One stream that every Docker since 20.10 loads: a docker-archive and an OCI layout in the same tar.

manifest.json is what daemons with graph drivers read (moby image/tarexport), index.json what the containerd image
store reads (OCI image-spec, image-layout.md); both name the same files below blobs/sha256/. A daemon does not open
the blob of a layer that it already has, so those may be left out.
"""

import tarfile
from collections.abc import Collection, Iterator, Sequence

from portside.common import oci
from portside.common.canonical import CHUNK, canonical_json, sha256_hex
from portside.common.progress import Advance
from portside.engines.base import ImageLayer, ImageToLoad
from portside.errors import EngineError

CONFIG_ANNOTATION = "portside.config"
"""In index.json, beside the manifest's digest: the config digest. The containerd image store keeps it and shows it."""

BLOCK = tarfile.BLOCKSIZE


def layers_to_send(image: ImageToLoad, lacking: Sequence[bool] | None = None) -> list[ImageLayer]:
    """The layers of which `lacking` says so, each diff ID once; without it all of them."""
    wanted = lacking or [True] * len(image.layers)
    layers = {layer.diff_id: layer for layer, is_lacking in zip(image.layers, wanted, strict=True) if is_lacking}
    return list(layers.values())


def stream(image: ImageToLoad, layers: Collection[ImageLayer], advance: Advance) -> Iterator[bytes]:
    """The archive in pieces of at most CHUNK bytes, with the blobs of these layers only.

    Raises EngineError, and so never ends the archive, if a layer gives more or fewer bytes than it says.
    """
    manifest = image.manifest()
    names = [f"blobs/sha256/{layer.diff_id}" for layer in image.layers]
    config_name = f"blobs/sha256/{image.image_id}"
    descriptor = oci.descriptor(oci.MANIFEST, sha256_hex(manifest), len(manifest))
    descriptor["annotations"] = {CONFIG_ANNOTATION: image.image_id}
    yield _member("oci-layout", oci.LAYOUT_FILE)
    yield _member("index.json", canonical_json({"schemaVersion": 2, "mediaType": oci.INDEX, "manifests": [descriptor]}))
    yield _member("manifest.json", canonical_json([{"Config": config_name, "RepoTags": None, "Layers": names}]))
    yield _member(config_name, image.config)
    yield _member(f"blobs/sha256/{sha256_hex(manifest)}", manifest)
    for layer in layers:
        yield _header(f"blobs/sha256/{layer.diff_id}", layer.size)
        yield from _content(layer, advance)
        yield _padding(layer.size)
    yield bytes(2 * BLOCK)


def _content(layer: ImageLayer, advance: Advance) -> Iterator[bytes]:
    left = layer.size
    with layer.open() as source:
        while chunk := source.read(CHUNK):
            left -= len(chunk)
            if left < 0:
                break
            yield chunk
            advance(len(chunk))
    if left:
        raise EngineError(f"the store's layer {layer.diff_id} is not {layer.size} bytes long", "Build it again.")


def _member(name: str, data: bytes) -> bytes:
    return _header(name, len(data)) + data + _padding(len(data))


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def _padding(size: int) -> bytes:
    return bytes(-size % BLOCK)
