"""Layers on their way into a registry: which of them it has, and the blobs that it lacks."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from portside.common.compression import Compression, compressed
from portside.common.parallel import Job, run_all
from portside.common.progress import transfer
from portside.common.tree import FileRange
from portside.common.values import FileName, Key, Sha256, Size
from portside.errors import RegistryError
from portside.plan.model import LayerPlan, Part
from portside.registry.blob import RegistryBlob
from portside.registry.client import Client, UnreadableError
from portside.registry.reference import Repository
from portside.registry.upload import Outgoing, upload
from portside.share.manifests import EMPTY_CONFIG, layer_manifest, layer_tag, read_layer_manifest
from portside.store import Store, files, layout
from portside.store.layout import Blob

JOBS = 4
"""Blobs at the same time."""


class Sending:
    """What goes to one repository. sent: names of the blobs that had to travel."""

    def __init__(
        self,
        store: Store,
        client: Client,
        local: Mapping[Key, Blob],
        compression: Compression = "none",
        others: Sequence[Repository] = (),
    ) -> None:
        """local: the blobs of the parts, by key. compression: how layers travel; weights are never compressed. others:
        repositories that may have blobs; where they are of the same registry, it takes them over from there."""
        self.sent: list[str] = []
        self.client = client
        self._store = store
        self._local = local
        self._compression = compression
        home = client.repository
        self._others = [r.name for r in others if r.host == home.host and r.name != home.name]

    def known(self, layers: Sequence[LayerPlan]) -> dict[Key, RegistryBlob]:
        """How the registry has the layers that it has, by part key. Raises RegistryError where it has another result of
        the same key."""
        known: dict[Key, RegistryBlob] = {}
        for layer in layers:
            try:
                data = self.client.manifest(layer_tag(layer))
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

    def upload(self, layers: Sequence[LayerPlan], more: Sequence[bytes] = ()) -> dict[Key, RegistryBlob]:
        """Have the blobs of these layers there; gives how, by part key. more: other small blobs."""
        blobs: dict[Key, RegistryBlob] = {}
        jobs: list[Job] = [partial(self._part, part, blobs) for layer in layers for part in layer.parts]
        jobs += [partial(self._small, data) for data in (*more, *((EMPTY_CONFIG,) if layers else ()))]
        run_all(jobs, JOBS)
        return blobs

    def tag(self, layer: LayerPlan, blobs: Mapping[Key, RegistryBlob]) -> bool:
        """Give a layer its tag; False where the registry lacks a blob."""
        return self.client.put_manifest(layer_tag(layer), layer_manifest(layer, blobs))

    def _compare(self, part: Part, there: RegistryBlob) -> None:
        here = self._local[part.key]
        if there.diff_id != here.digest:
            raise RegistryError(
                f"{self.client.repository} has {part.layer}/{part.name} as sha256:{there.diff_id}, here it is "
                f"sha256:{here.digest}, of the same key",
                lambda recipe: (
                    f"One of the two builds is not reproducible (invoke verify --recipe {recipe}). "
                    "Pull theirs into an empty store, or delete the tag there."
                ),
            )

    def _part(self, part: Part, blobs: dict[Key, RegistryBlob]) -> None:
        here = self._local[part.key]
        kind: Compression = "none" if part.layer == "weights" else self._compression
        if kind == "none":
            blobs[part.key] = RegistryBlob(here.digest, here.size, kind, here.digest, here.size)
            self._send(f"{part.layer}/{part.name}", Outgoing(here.digest, self._store.layout.tar(here.digest).content))
            return
        name = FileName(f"{here.digest}-{kind}")
        packed = self._store.record("packed", name)
        if packed is None or not self.client.has_blob(packed["digest"]):
            with _packed(self._store, here, kind) as outgoing:
                packed = {"digest": outgoing.digest, "size": Size(outgoing.size)}
                self._store.keep("packed", name, packed)
                self._send(f"{part.layer}/{part.name}", outgoing)
        blobs[part.key] = RegistryBlob(packed["digest"], packed["size"], kind, here.digest, here.size)

    def _send(self, name: str, outgoing: Outgoing) -> None:
        with transfer(name, outgoing.size) as advance:
            if upload(self.client, self._store, outgoing, advance, self._others):
                self.sent.append(outgoing.digest)

    def _small(self, data: bytes) -> None:
        digest = self._store.layout.put_blob(data)
        outgoing = Outgoing(digest, FileRange(self._store.layout.blob(digest), 0, len(data)))
        if upload(self.client, self._store, outgoing, lambda count: None):
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
