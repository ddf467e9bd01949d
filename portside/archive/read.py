"""Take the images of an archive into the store: one pass over the file, everything verified before it gets a name.

docker-archive (`docker save`): manifest.json names configs and layers (moby, image/tarexport). OCI: index.json names
manifests, which name them by digest (image-spec 1.0, image-layout.md). The file may be compressed, and so may each
layer; the store gets the plain tars. An OCI layout may lie there as a folder too (`read_layout`).
"""

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from portside.archive.hashing import Hasher, Watched
from portside.archive.tar import TarContent, members
from portside.common import oci
from portside.common.canonical import CHUNK, sha256_hex
from portside.common.compression import as_file, decompressed, detect
from portside.common.progress import transfer
from portside.common.values import DiffID, ImageName, Sha256, Size, shown_value
from portside.errors import InputError
from portside.store import Store, files
from portside.store.layout import Blob, Image

_SMALL, _KEPT = 64 << 10, 64
"""Bytes of a document that is read once, and how many of them are kept."""
MOST_ROWS = 100_000
"""Names of images, and of indexes of them, that are read in one archive."""
LARGEST_JSON = 8 << 20
"""Bytes of a manifest or a config."""
_SPACE_STEP = 256 << 20
"""Bytes after which the disk is asked again whether it takes more: what will come out is not known before."""
_MAKERS = "`docker save`, `podman save`, `skopeo copy` or `invoke save`"
_REMEDY = f"Nothing of it is used. Copy it anew if it was damaged on its way, or make it again with {_MAKERS}."


@dataclass(frozen=True, slots=True)
class ArchiveImage:
    """An image of an archive, its layers in the store's layout. names: as the archive says, such as `debian:12`."""

    config: bytes
    layers: tuple[Blob, ...]
    names: tuple[ImageName, ...]

    @property
    def image(self) -> Image:
        return Image(self.config, self.layers)


@dataclass(frozen=True, slots=True)
class TakenArchive:
    """sha256: of the file's bytes, hex; None if nobody wanted to know."""

    images: tuple[ArchiveImage, ...]
    sha256: Sha256 | None


Judge = Callable[[Sequence[ArchiveImage], Callable[[Blob], Path]], object]
"""Called with an archive's images and what tells where a layer's plain bytes are for the time of the call."""


def read_archive(
    path: Path, store: Store, check: Callable[[Sha256], object] | None = None, judge: Judge | None = None
) -> TakenArchive:
    """Take all images of an archive into the store's layout; they get no names there.

    path: a tar, plain or compressed by gzip or zstd. check: called with the sha256 (hex) of the file's bytes, judge:
    with the images, before anything is kept; an error that they raise keeps the store as it was.
    Holds a few MiB whatever the sizes are. Raises InputError for a file that is no image archive, is damaged or does
    not keep to its own digests; then the store is as it was.
    """
    try:
        size = path.stat().st_size
        stream = io.BufferedReader(path.open("rb", buffering=0), CHUNK)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}",
            f"Name an image archive: a file of {_MAKERS}.",
        ) from None
    with stream, store.workspace() as folder, Hasher() as hasher:
        with _named(path), transfer(path.name, size) as advance:
            outer = Watched(stream, advance, hasher if check else None)
            source = as_file(decompressed(cast(BinaryIO, outer), detect(stream.peek(4)[:4]), path.name))
            taken = _take(source, folder)
            while source.read(CHUNK):
                pass
            while outer.read(CHUNK):
                pass
        if check is not None:
            check(hasher.hexdigest())
        found = _Members(taken.get, path.name)
        with _named(path):
            images = found.images()
        _keep(images, found, store, judge)
    return TakenArchive(tuple(images), hasher.hexdigest() if check else None)


def is_layout(path: Path) -> bool:
    """Whether it is a folder with an OCI layout, by its marker (image-spec 1.0, image-layout.md)."""
    return path.is_dir() and (path / "oci-layout").is_file()


def read_layout(path: Path, store: Store, judge: Judge | None = None) -> TakenArchive:
    """As `read_archive`, for a folder with an OCI layout; of its blobs only those that its images have are read.

    TakenArchive.sha256 is None: a folder has no bytes of its own.
    """
    with store.workspace() as folder:

        def take(name: str) -> _Taken | None:
            # Names are fixed ones, or digests: none leads out of the folder.
            file = path / name
            if not file.is_file():
                return None
            try:
                with file.open("rb") as stream:
                    target = folder / name.replace("/", "-")
                    return _write(TarContent(stream, file.stat().st_size, name), name, target)
            except OSError as error:
                raise InputError(f"{file} cannot be read: {error.strerror}", "Look at its rights: ls -l") from None

        found = _Members(take, path.name)
        with _named(path):
            images = found.images()
        _keep(images, found, store, judge)
    return TakenArchive(tuple(images), None)


def _keep(images: Sequence[ArchiveImage], found: "_Members", store: Store, judge: Judge | None) -> None:
    if judge is not None:
        judge(images, lambda blob: found.by_diff_id[blob.digest].path)
    for image in images:
        for blob in image.layers:
            if not store.layout.has(blob.digest, blob.size):
                files.publish(found.by_diff_id[blob.digest].path, store.layout.blob(blob.digest))


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Every error says which archive, and what to do about it."""
    try:
        yield
    except InputError as error:
        raise error.told_of(path.name if error.subject == path.name else str(path), _REMEDY) from None


@dataclass(frozen=True, slots=True)
class _Taken:
    """A file of the archive on disk, uncompressed. digest: of its bytes in the archive; diff_id: of those on disk."""

    path: Path
    digest: Sha256
    diff_id: DiffID
    size: Size


def _take(source: BinaryIO, folder: Path) -> dict[str, "_Taken | str"]:
    """All files of the archive by name, and for links the name that they stand for."""
    taken: dict[str, _Taken | str] = {}
    for member, content in members(source):
        if member.kind == "link":
            taken[member.name] = member.link
            continue
        taken[member.name] = _write(content, member.name, folder / str(len(taken)))
    return taken


def _write(content: TarContent, name: str, target: Path) -> _Taken:
    """A file's plain bytes, on disk."""
    written = _SPACE_STEP
    with Hasher() as outer, Hasher() as inner, files.store_errors(target), target.open("wb") as out:
        for piece in _uncompressed(content, name, outer):
            if written >= _SPACE_STEP:
                files.need_space(target.parent, _SPACE_STEP)
                written = 0
            inner.update(piece)
            out.write(piece)
            written += len(piece)
        diff_id = DiffID(inner.hexdigest())
        digest = outer.hexdigest() if outer.count else diff_id
        return _Taken(target, digest, diff_id, Size(inner.count))


def _uncompressed(content: TarContent, name: str, outer: "Hasher") -> Iterator[bytes]:
    """A member's plain bytes. outer: gets the bytes as they are in the archive, where those are others."""
    head = b""
    while len(head) < 4 and (more := content.read(4 - len(head))):
        head += more
    kind = detect(head)
    if kind == "none":
        if head:
            yield head
        while chunk := content.read(CHUNK):
            yield chunk
        return

    def raw() -> Iterator[bytes]:
        chunk = head
        while chunk:
            outer.update(chunk)
            yield chunk
            chunk = content.read(CHUNK)

    source = as_file(raw())
    yield from decompressed(source, kind, name)
    while source.read(CHUNK):
        pass


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _together(images: Iterable[ArchiveImage]) -> list[ArchiveImage]:
    """An OCI index has a row per name: the names of one image in one value."""
    found: dict[bytes, ArchiveImage] = {}
    names: dict[bytes, dict[ImageName, None]] = {}
    for image in images:
        found[image.config] = image
        names.setdefault(image.config, {}).update(dict.fromkeys(image.names))
    return [ArchiveImage(config, image.layers, tuple(names[config])) for config, image in found.items()]


class _Members:
    """What the archive holds, and the images that it says it has."""

    def __init__(self, take: Callable[[str], "_Taken | str | None"], archive: str) -> None:
        """take: gives the file or the link of a name, None where there is none."""
        self.by_diff_id: dict[DiffID, _Taken] = {}
        self._rows_seen = 0
        self._small: dict[str, bytes] = {}
        self._found: dict[str, _Taken | str | None] = {}
        self._ask = take
        self._archive = archive

    def _take(self, name: str) -> "_Taken | str | None":
        if name not in self._found:
            self._found[name] = found = self._ask(name)
            if isinstance(found, _Taken):
                self.by_diff_id[found.diff_id] = found
        return self._found[name]

    def images(self) -> list[ArchiveImage]:
        if self._take("manifest.json") is not None:
            found = [self._docker(row) for row in self._rows(self._json("manifest.json"))]
        elif self._take("index.json") is not None:
            found = _together(self._index(self._json("index.json"), 0))
        else:
            found = []
        if not found:
            raise InputError(
                f"{self._archive} is no image archive: it has neither manifest.json nor index.json with an image",
                f"Make it with {_MAKERS}.",
                subject=self._archive,
            )
        return found

    def _docker(self, row: dict[str, Any]) -> ArchiveImage:
        self._count()
        config_name, layers = row.get("Config"), row.get("Layers")
        names = row.get("RepoTags") or []
        if not isinstance(config_name, str) or not isinstance(layers, list) or not isinstance(names, list):
            raise InputError.about(self._archive, "manifest.json names no config and layers")
        named = re.search(r"([0-9a-f]{64})(\.json)?$", config_name)
        config = self._bytes(config_name)
        if named and sha256_hex(config) != named[1]:
            raise InputError.about(self._archive, f"{config_name} is not what its name says")
        return self._image(config, [self._file(str(layer)) for layer in layers], names)

    def _index(self, index: Any, depth: int) -> Iterator[ArchiveImage]:
        if depth > 3 or not isinstance(index, dict):
            raise InputError.about(self._archive, "index.json is no OCI index")
        for row in self._rows(index.get("manifests")):
            self._count()
            if _mapping(row.get("platform")).get("os") == "unknown":
                continue  # an attestation, not an image
            value = self._json(self._blob_name(row), self._digest(row))
            if isinstance(value, dict) and "manifests" in value:
                yield from self._index(value, depth + 1)
                continue
            if not isinstance(value, dict) or not isinstance(value.get("config"), dict):
                raise InputError.about(self._archive, f"{row.get('digest')} is no OCI manifest")
            config = self._bytes(self._blob_name(value["config"]), self._digest(value["config"]))
            layers = []
            for layer in self._rows(value.get("layers")):
                file = self._file(self._blob_name(layer))
                if file.digest != self._digest(layer):
                    raise InputError.about(self._archive, f"{self._blob_name(layer)} is not what its name says")
                layers.append(file)
            annotations = _mapping(row.get("annotations"))
            name = annotations.get("io.containerd.image.name") or annotations.get(oci.REF_NAME)
            yield self._image(config, layers, [name] if name else [])

    def _count(self) -> None:
        """Indexes may name one another, and each a thousand times."""
        self._rows_seen += 1
        if self._rows_seen > MOST_ROWS:
            raise InputError.about(self._archive, f"it names more than {MOST_ROWS} images")

    def _image(self, config: bytes, layers: Sequence[_Taken], names: Sequence[Any]) -> ArchiveImage:
        diff_ids = oci.diff_ids_of(config)
        if len(diff_ids) != len(layers):
            raise InputError.about(self._archive, f"{len(layers)} layers, and {len(diff_ids)} in the config")
        for diff_id, layer in zip(diff_ids, layers, strict=True):
            if layer.diff_id != diff_id:
                raise InputError.about(self._archive, f"layer sha256:{layer.diff_id} is sha256:{diff_id} in the config")
        blobs = tuple(Blob(layer.diff_id, layer.size) for layer in layers)
        return ArchiveImage(config, blobs, tuple(self._image_name(name) for name in names))

    def _image_name(self, name: Any) -> ImageName:
        try:
            return ImageName(name)
        except ValueError:
            raise InputError.about(self._archive, f"{shown_value(name)} is no name of an image") from None

    def _file(self, name: str) -> _Taken:
        at = name
        for _ in range(10):
            found = self._take(at.removeprefix("./"))
            if isinstance(found, _Taken):
                return found
            if found is None:
                break
            at = found
        raise InputError(f"{self._archive} has no {name}, which its manifest names", subject=self._archive)

    def _bytes(self, name: str, digest: Sha256 | None = None) -> bytes:
        file = self._file(name)
        if file.size > LARGEST_JSON:
            raise InputError.about(self._archive, f"{name} has {file.size} bytes, too many for what it is")
        if digest is not None and file.digest != digest:
            raise InputError.about(self._archive, f"{name} is not what its name says")
        # Each of many names may have the same manifest and config.
        known = self._small.get(file.digest)
        if known is None:
            known = file.path.read_bytes()
            if len(known) <= _SMALL and len(self._small) < _KEPT:
                self._small[file.digest] = known
        return known

    def _json(self, name: str, digest: Sha256 | None = None) -> Any:
        try:
            return json.loads(self._bytes(name, digest))
        except (ValueError, RecursionError):
            raise InputError.about(self._archive, f"{name} is damaged") from None

    def _rows(self, value: Any) -> list[dict[str, Any]]:
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise InputError.about(self._archive, "its manifest is damaged")
        return value

    def _digest(self, row: dict[str, Any]) -> Sha256:
        try:
            return Sha256.of_digest(row.get("digest"))
        except ValueError:
            raise InputError.about(self._archive, f"{shown_value(row.get('digest'))} is no sha256 digest") from None

    def _blob_name(self, row: dict[str, Any]) -> str:
        return f"blobs/sha256/{self._digest(row)}"
