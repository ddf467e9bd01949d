"""From the store into a registry: what it lacks, several blobs at a time; the tags come last."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from portside.common.canonical import sha256_hex
from portside.common.compression import Compression, compressed
from portside.common.parallel import run_all
from portside.common.progress import transfer
from portside.common.tree import FileRange
from portside.common.values import FileName, Key, Sha256, Size, Tag
from portside.errors import RegistryError
from portside.image.built import stored_image
from portside.plan.model import LayerPlan, Part, Plan
from portside.registry.blob import RegistryBlob
from portside.registry.client import Client, UnreadableError
from portside.registry.reference import Reference, Repository
from portside.registry.upload import Outgoing, upload
from portside.share.manifests import EMPTY_CONFIG, image_manifest, layer_manifest, layer_tag, read_layer_manifest
from portside.store import Store, files, layout
from portside.store.layout import Image

JOBS = 4
"""Blobs at the same time."""


@dataclass(frozen=True)
class Pushed:
    """What a push did. digest: of the image's manifest (`sha256:…`). sent: names of the blobs that had to travel.

    sent_bytes: of blobs. layers: (name, tag) of every layer that can now be reused by its key.
    """

    reference: str
    image_id: str
    digest: str
    sent: tuple[str, ...]
    sent_bytes: int
    layers: tuple[tuple[str, str], ...]


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
        pushing = _Pushing(plan, store, client, image, compression, others)
        digest = pushing.push(reference.tag)
    tags = tuple((layer.name, layer_tag(layer)) for layer in plan.layers if layer.parts)
    return Pushed(str(reference), f"sha256:{image.image_id}", digest, tuple(pushing.sent), client.sent, tags)


class _Pushing:
    def __init__(
        self,
        plan: Plan,
        store: Store,
        client: Client,
        image: Image,
        compression: Compression,
        others: Sequence[Repository],
    ) -> None:
        self.sent: list[str] = []
        self._layers = [layer for layer in plan.layers if layer.parts]
        self._store = store
        self._client = client
        self._image = image
        self._compression = compression
        home = client.repository
        self._others = [r.name for r in others if r.host == home.host and r.name != home.name]
        parts = plan.stack()
        self._local = {part.key: blob for part, blob in zip(parts, image.layers, strict=True)}

    def push(self, tag: Tag) -> str:
        """Give the manifest's digest. A layer that has its tag is there; if it turns out otherwise, every blob is
        asked for."""
        for trusting in (True, False):
            known = self._known() if trusting else {}
            blobs = {**known, **self._upload([layer for layer in self._layers if layer.parts[0].key not in known])}
            manifest = image_manifest(self._image.config, [blobs[key] for key in self._local])
            if self._tag(tag, manifest, blobs, known):
                return f"sha256:{sha256_hex(manifest)}"
        raise RegistryError(f"{self._client.repository} loses blobs that it said it has")

    def _known(self) -> dict[Key, RegistryBlob]:
        """How the registry has the layers that it has, by part key."""
        known: dict[Key, RegistryBlob] = {}
        for layer in self._layers:
            try:
                data = self._client.manifest(layer_tag(layer))
            except UnreadableError:
                continue  # it is given anew
            if data is None:
                continue
            try:
                found = read_layer_manifest(data, layer)
            except RegistryError:
                continue  # not ours, or of another key that starts alike: the tag is taken over
            for part in layer.parts:
                self._compare(part, found[part.key])
            known |= found
        return known

    def _compare(self, part: Part, there: RegistryBlob) -> None:
        here = self._local[part.key]
        if there.diff_id != here.digest:
            raise RegistryError(
                f"{self._client.repository} has {part.layer}/{part.name} as sha256:{there.diff_id}, here it is "
                f"sha256:{here.digest}, of the same key",
                lambda recipe: (
                    f"One of the two builds is not reproducible (invoke verify --recipe {recipe}). "
                    "Pull theirs into an empty store, or delete the tag there."
                ),
            )

    def _upload(self, layers: Sequence[LayerPlan]) -> dict[Key, RegistryBlob]:
        blobs: dict[Key, RegistryBlob] = {}
        jobs = [partial(self._part, part, blobs) for layer in layers for part in layer.parts]
        jobs.append(partial(self._small, self._image.config))
        if layers:
            jobs.append(partial(self._small, EMPTY_CONFIG))
        run_all(jobs, JOBS)
        return blobs

    def _tag(
        self, tag: Tag, manifest: bytes, blobs: Mapping[Key, RegistryBlob], known: Mapping[Key, RegistryBlob]
    ) -> bool:
        """The layers' tags first: an image that has its tag is complete. False where the registry lacks a blob."""
        for layer in self._layers:
            new = layer.parts[0].key not in known
            if new and not self._client.put_manifest(layer_tag(layer), layer_manifest(layer, blobs)):
                return False
        return self._client.put_manifest(tag, manifest)

    def _part(self, part: Part, blobs: dict[Key, RegistryBlob]) -> None:
        here = self._local[part.key]
        kind: Compression = "none" if part.layer == "weights" else self._compression
        if kind == "none":
            blobs[part.key] = RegistryBlob(here.digest, here.size, kind, here.digest, here.size)
            self._send(f"{part.layer}/{part.name}", Outgoing(here.digest, self._store.layout.tar(here.digest).content))
            return
        name = FileName(f"{here.digest}-{kind}")
        packed = self._store.record("packed", name)
        if packed is None or not self._client.has_blob(packed["digest"]):
            with _packed(self._store, here, kind) as outgoing:
                packed = {"digest": outgoing.digest, "size": Size(outgoing.size)}
                self._store.keep("packed", name, packed)
                self._send(f"{part.layer}/{part.name}", outgoing)
        blobs[part.key] = RegistryBlob(packed["digest"], packed["size"], kind, here.digest, here.size)

    def _send(self, name: str, outgoing: Outgoing) -> None:
        with transfer(name, outgoing.size) as advance:
            if upload(self._client, self._store, outgoing, advance, self._others):
                self.sent.append(outgoing.digest)

    def _small(self, data: bytes) -> None:
        digest = self._store.layout.put_blob(data)
        outgoing = Outgoing(digest, FileRange(self._store.layout.blob(digest), 0, len(data)))
        if upload(self._client, self._store, outgoing, lambda count: None):
            self.sent.append(digest)


@contextmanager
def _packed(store: Store, blob: layout.Blob, kind: Compression) -> Iterator[Outgoing]:
    """A layer compressed into a scratch file: its digest has to be known before it is sent, and a retry reads again."""
    with files.new_file(store.home) as (stream, place), store.layout.open(blob) as source:
        digest, size = hashlib.sha256(), 0
        for piece in compressed(source, kind):
            digest.update(piece)
            size += len(piece)
            stream.write(piece)
        stream.flush()
        yield Outgoing(Sha256(digest.hexdigest()), FileRange(place, 0, size))
