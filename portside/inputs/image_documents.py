"""The documents that lead from an image's address to its layers: out of the store, or from its registry into it."""

from collections.abc import Iterator
from contextlib import ExitStack

from portside.common.canonical import sha256_hex
from portside.common.oci import INDEXES, MANIFESTS, SCHEMA_1
from portside.common.values import ImageAddress, Size
from portside.errors import InputError, MissingInputError, RegistryError
from portside.lock.registry_image import ImageDocument
from portside.registry.client import SERVER_REMEDY, Client, NotThereError
from portside.registry.image_manifest import ACCEPT, media_type, read_index, read_manifest
from portside.registry.images import parse_image
from portside.registry.reference import Repository
from portside.store import Store

MOST_INDEXES = 8
"""Indexes in an index that are looked into, and how many may lie inside each other: more is no image."""
_DEEPEST = 3
_UNREACHABLE = (
    f"{SERVER_REMEDY} Where this machine cannot reach it, or it has no TLS: portside.toml, [mirrors] registries."
)


def kept_elsewhere(recipe: str) -> str:
    """The remedy for an image that its registry does not give any more."""
    return (
        "Registries forget what no tag names any more. A machine that has it can give it (invoke bundle --recipe "
        f"{recipe}, or invoke push and pull), or a mirror (portside.toml, [mirrors] registries). "
        f"Or take what the tag stands for now: invoke lock --recipe {recipe} --update base"
    )


class Documents:
    """Reads the documents of one image; each is kept in the store. offline: nobody is asked."""

    def __init__(self, image: ImageAddress, repository: Repository, store: Store, offline: bool) -> None:
        self._image = image
        self._repository = repository
        self._store = store
        self._offline = offline
        self._client: Client | None = None
        self._stack = ExitStack()

    def __enter__(self) -> "Documents":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def client(self) -> Client:
        """Of the image's registry, made when it is first needed."""
        if self._offline:
            raise MissingInputError(
                f"what {self._repository} says of {self._image} is not in the store, and --offline forbids to ask",
                lambda recipe: f"Lock and fetch it with a network: invoke fetch --recipe {recipe}",
            )
        if self._client is None:
            self._client = self._stack.enter_context(Client(self._repository, remedy=_UNREACHABLE))
        return self._client

    def find(self, architecture: str) -> tuple[tuple[ImageDocument, ...], ImageDocument, ImageDocument]:
        """The indexes on the way, the manifest and the config of the image for an architecture.

        Raises InputError where it has none.
        """
        first = self._first()
        if first.media_type in MANIFESTS:
            return (), first, read_manifest(self.read(first)).config
        has: set[str] = set()
        for *indexes, manifest in self._ways(first, architecture, has):
            return tuple(indexes), manifest, read_manifest(self.read(manifest)).config
        raise InputError(
            f"it has no image for {architecture}; it has: {', '.join(sorted(has)) or 'none at all'}",
            "Say another architecture (base.image.architecture), or another tag.",
        )

    def _ways(
        self, index: ImageDocument, architecture: str, has: set[str], depth: int = 1
    ) -> Iterator[tuple[ImageDocument, ...]]:
        """Ways from an index to manifests for an architecture, best first. has: gets the platforms that were seen."""
        offered = read_index(self.read(index), architecture)
        has |= set(offered.has)
        yield from ((index, manifest) for manifest in offered.manifests)
        if offered.indexes and (depth == _DEEPEST or len(offered.indexes) > MOST_INDEXES):
            raise InputError("it has too many indexes inside its index")
        for inner in offered.indexes:
            yield from ((index, *way) for way in self._ways(inner, architecture, has, depth + 1))

    def _first(self) -> ImageDocument:
        """What the tag or the digest stands for, brought into the store."""
        reference = parse_image(self._image)
        if reference.digest is not None and (known := self._store.inputs.verified(reference.digest)) is not None:
            with known.open() as stream:
                data = stream.read()
        else:
            try:
                data = self.client.document(reference.wanted, ACCEPT)
            except NotThereError:
                raise self._gone(reference.wanted) from None
        kind = media_type(data)
        if kind in SCHEMA_1:
            raise InputError(
                "its registry has it in the form of before 2016 only (schema 1), which names no layers that can be "
                "verified",
                "Pull it with an old engine and push it again, or use an archive of it: base.archive.",
            )
        if kind not in (*INDEXES, *MANIFESTS):
            raise InputError(f"it is no image and no index of images: its registry says {ascii(kind)[:80]}")
        found = ImageDocument(media_type=kind, size=Size(len(data)), sha256=sha256_hex(data))
        self._keep(found, data)
        return found

    def read(self, document: ImageDocument) -> bytes:
        """A document's bytes, as its digest says. Raises RegistryError, and MissingInputError offline."""
        known = self._store.inputs.verified(document.sha256)
        if known is not None:
            with known.open() as stream:
                data = stream.read()
        else:
            data = self._ask(document)
        if len(data) != document.size:
            raise RegistryError(
                f"{self._repository}: sha256:{document.sha256} has {len(data)} bytes, {document.size} are said of it"
            )
        self._keep(document, data)
        return data

    def _ask(self, document: ImageDocument) -> bytes:
        try:
            if document.media_type in (*INDEXES, *MANIFESTS):
                return self.client.document(f"sha256:{document.sha256}", ACCEPT)
            return self.client.small_blob(document.sha256, document.size)
        except NotThereError:
            raise self._gone(f"sha256:{document.sha256}") from None

    def _keep(self, document: ImageDocument, data: bytes) -> None:
        with self._store.inputs.receive(f"{self._image} {document.sha256}", document.sha256, document.size) as receiver:
            if not receiver.done:
                receiver.restart()
                receiver.write(data)

    def _gone(self, wanted: str) -> RegistryError:
        if wanted.startswith("sha256:"):
            return RegistryError(f"{self._repository} does not have {wanted} of {self._image}", kept_elsewhere)
        return RegistryError(
            f"{self._repository} has no tag {wanted}",
            "Is the name right, and is the tag? A mirror ([mirrors] registries) may lack what it mirrors.",
        )
