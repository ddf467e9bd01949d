"""From the store into a registry: what it lacks, several blobs at a time; the tags come last."""

from collections.abc import Sequence
from dataclasses import dataclass

from portside.common.canonical import sha256_hex
from portside.common.compression import Compression
from portside.common.values import Tag
from portside.errors import RegistryError
from portside.image.built import stored_image
from portside.plan.model import Plan
from portside.registry.client import Client
from portside.registry.reference import Reference, Repository
from portside.share.manifests import image_manifest, layer_tag
from portside.share.sending import Sending
from portside.store import Store


@dataclass(frozen=True)
class Pushed:
    """What a push did. digest: of the image's manifest (`sha256:…`). sent: names of the blobs that had to travel.

    sent_bytes: of blobs. layers: (name, tag) of every layer that can now be reused by its key. new: names of those that
    the registry did not have.
    """

    reference: str
    image_id: str
    digest: str
    sent: tuple[str, ...]
    sent_bytes: int
    layers: tuple[tuple[str, str], ...]
    new: tuple[str, ...]


def push(
    plan: Plan,
    store: Store,
    reference: Reference,
    *,
    compression: Compression = "none",
    others: Sequence[Repository] = (),
) -> Pushed:
    """Push a built image under its tag, and each of its layers under LAYER-KEY12.

    compression: how layers travel that the registry does not have yet; weights are never compressed.
    others: repositories that may have blobs; where they are of the same registry, it takes them over from there.
    Raises BuildError where something is not built, RegistryError, and InputError.
    """
    image = stored_image(plan, store, plan.layers[-1].name)
    with Client(reference.repository) as client:
        local = {part.key: blob for part, blob in zip(plan.stack(), image.layers, strict=True)}
        sending = Sending(store, client, local, compression, others)
        digest, new = _push(plan, image.config, reference.tag, sending)
    tags = tuple((layer.name, layer_tag(layer)) for layer in plan.layers if layer.parts)
    return Pushed(str(reference), f"sha256:{image.image_id}", digest, tuple(sending.sent), client.sent, tags, new)


def _push(plan: Plan, config: bytes, tag: Tag, sending: Sending) -> tuple[str, tuple[str, ...]]:
    """Give the manifest's digest, and the names of the layers that had no tag. A layer that has its tag is there; if it
    turns out otherwise, every blob is asked for."""
    layers = [layer for layer in plan.layers if layer.parts]
    found = sending.known(layers)
    lacking = tuple(layer.name for layer in layers if layer.parts[0].key not in found)
    for known in (found, {}):
        new = [layer for layer in layers if layer.parts[0].key not in known]
        blobs = {**known, **sending.upload(new, [config])}
        manifest = image_manifest(config, [blobs[part.key] for part in plan.stack()])
        # The layers' tags first: an image that has its tag is complete.
        if all(sending.tag(layer, blobs) for layer in new) and sending.client.put_manifest(tag, manifest):
            return f"sha256:{sha256_hex(manifest)}", lacking
    raise RegistryError(f"{sending.client.repository} loses blobs that it said it has")
