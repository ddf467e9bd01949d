"""Run parts executed on a builder of buildx, which keeps no image for us: what it needs is sent along or pushed."""

import base64
import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from portside.build.run_places import Steps
from portside.common import oci
from portside.common.canonical import CHUNK, canonical_json, sha256_hex
from portside.common.compression import as_file, detect, inflated
from portside.common.progress import transfer
from portside.common.tree import Bytes
from portside.common.values import DiffID, Sha256
from portside.engines import ImageToBuild, ImageToLoad
from portside.engines.archive import layers_to_send
from portside.engines.buildx import Buildx, FoundBuilder
from portside.engines.buildx_build import (
    LAYOUT,
    BuilderGoneError,
    build,
    layout_words,
    registry_words,
    result_layers,
)
from portside.engines.layout_folder import look_for_damage, write_folder
from portside.errors import EngineError, RegistryError
from portside.image.built import to_load
from portside.layers.raw import LayerSource, TarLayer
from portside.registry.blob import TravellingBlob
from portside.registry.client import Client
from portside.registry.credentials import login_for
from portside.registry.download import download
from portside.registry.image_manifest import read_manifest
from portside.registry.reference import Repository
from portside.registry.upload import Outgoing, upload
from portside.store import Store

PARENT = "portside.invalid/parent:latest"
"""What the Dockerfile calls an image that comes as a layout: no registry can have that name (RFC 6761)."""
RESULT = "portside.invalid/result:latest"
"""What a build is said to make; nothing gets the name."""


@dataclass(frozen=True, slots=True)
class BuilderRuns:
    """A RunPlace. found: what the builder said of itself. registry: a repository that it and this machine reach, and
    that images go through; None: they are sent to and fro. only: architectures that it is used for, in Go's words, of
    those that it says it executes; None: all.
    """

    buildx: Buildx
    found: FoundBuilder
    registry: Repository | None = None
    only: Collection[str] | None = None

    @property
    def name(self) -> str:
        return self.found.name

    def describe(self) -> str:
        said = f"builder {self.name}, {self.found.driver}"
        way = f", through {self.registry}" if self.registry else ""
        return f"{said}, {' and '.join(sorted(self.architectures)) or 'not running'}{way}"

    @property
    def architectures(self) -> frozenset[str]:
        said = self.found.architectures
        return said if self.only is None else said & frozenset(self.only) if said else frozenset(self.only)

    def runs(self, architecture: str) -> bool:
        return architecture in self.architectures

    @contextmanager
    def executed(self, steps: Steps, log: Callable[[str], None]) -> Iterator[Sequence[LayerSource]]:
        parent = to_load(steps.parent(), steps.store, [], f"what {steps.name} is built on")
        if self.registry is not None:
            yield self._through_registry(self.registry, steps, parent, log)
        else:
            yield self._through_layout(steps, parent, log)

    def _image(self, steps: Steps, parent: str) -> ImageToBuild:
        dockerfile = steps.folder / "Dockerfile"
        dockerfile.write_text(steps.dockerfile(parent), encoding="utf-8")
        return ImageToBuild(steps.context, dockerfile, RESULT, steps.no_cache, steps.architecture, (), steps.name)

    def _through_layout(self, steps: Steps, parent: ImageToLoad, log: Callable[[str], None]) -> list[LayerSource]:
        """The parent in a layout that links to the store's blobs; what is new comes back into the same layout."""
        layout = steps.folder / LAYOUT
        layers = layers_to_send(parent)
        write_folder(parent, layers, layout)
        words = layout_words(PARENT, sha256_hex(parent.manifest()))
        try:
            digest = build(self.buildx, self.name, self._image(steps, PARENT), words, log)
        except EngineError as error:
            if not isinstance(error, BuilderGoneError):
                look_for_damage(layers)
            raise
        diff_ids, files = result_layers(layout, digest)
        steps.check_parent(diff_ids, steps.parent())
        new = list(zip(diff_ids, files, strict=True))[len(parent.layers) :]
        return [_proven(diff_id, *file, steps.folder) for diff_id, file in new]

    def _through_registry(
        self, repository: Repository, steps: Steps, parent: ImageToLoad, log: Callable[[str], None]
    ) -> list[LayerSource]:
        """The parent pushed, which is mostly there; the result pulled, of which only the new layers travel."""
        logins = registry_logins(repository)
        arrived = Store(steps.folder / "arrived")
        with Client(repository) as client:
            digest = _push_parent(client, steps.store, parent)
            image = self._image(steps, f"{repository}@sha256:{digest}")
            words = registry_words(str(repository), repository.plain is True)
            digest = build(self.buildx, self.name, image, words, log, logins=logins)
            manifest = read_manifest(client.document(f"sha256:{digest}", ", ".join(oci.MANIFESTS)))
            config = client.small_blob(manifest.config.sha256, manifest.config.size)
            diff_ids = oci.diff_ids_of(config)
            steps.check_parent(diff_ids, steps.parent())
            if len(diff_ids) != len(manifest.layers):
                raise RegistryError(f"{repository}@sha256:{digest} has other layers than its config says")
            new = list(zip(diff_ids, manifest.layers, strict=True))[len(parent.layers) :]
            for diff_id, layer in new:
                blob = TravellingBlob(layer.digest, layer.size, layer.compression, diff_id, None)
                with transfer(f"{steps.name} from {repository.host}", layer.size) as advance:
                    download(client, arrived, blob, advance)
        return [TarLayer(arrived.layout.blob(diff_id)) for diff_id, _ in new]


def _push_parent(client: Client, store: Store, parent: ImageToLoad) -> Sha256:
    """Make the repository have the parent, without a tag; gives its manifest's digest (hex)."""
    for layer in layers_to_send(parent):
        outgoing = Outgoing(layer.diff_id, store.layout.tar(layer.diff_id).content)
        with transfer(f"{layer.diff_id[:12]} to {client.repository.host}", layer.size) as advance:
            upload(client, store, outgoing, advance)
    upload(client, store, Outgoing(parent.image_id, Bytes(parent.config)), lambda _: None)
    manifest = parent.manifest()
    digest = sha256_hex(manifest)
    if not client.put_manifest(f"sha256:{digest}", manifest):
        raise RegistryError(f"{client.repository} loses blobs that it said it has")
    return digest


def registry_logins(repository: Repository) -> bytes | None:
    """A config.json of docker's with the login for this repository alone; None where there is none."""
    login = login_for(repository.host, repository.name)
    if login is None:
        return None
    entry = (
        {"identitytoken": login.token}
        if login.token is not None
        else {"auth": base64.b64encode(f"{login.user}:{login.password}".encode()).decode()}
    )
    return canonical_json({"auths": {repository.host: entry}})


def _proven(diff_id: DiffID, digest: Sha256, file: Path, folder: Path) -> TarLayer:
    """A layer of a layout, uncompressed. One whose digest is its diff ID was compared when it was written there."""
    if digest == diff_id:
        return TarLayer(file)
    plain = folder / f"{diff_id}.tar"
    found = hashlib.sha256()
    with file.open("rb") as stream, plain.open("wb") as out:
        kind = detect(stream.read(4))
        stream.seek(0)
        source = stream if kind == "none" else as_file(inflated(stream, kind, f"the layer {digest}"))
        while piece := source.read(CHUNK):
            found.update(piece)
            out.write(piece)
    if found.hexdigest() != diff_id:
        raise EngineError(
            f"the builder gave back sha256:{found.hexdigest()} as the layer sha256:{diff_id}", "Try again."
        )
    return TarLayer(plain)
