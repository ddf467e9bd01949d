"""The store's images: a standard OCI image layout (image-spec 1.0, `image-layout.md`) with uncompressed layers."""

import base64
import stat
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

from portside.common import oci
from portside.common.canonical import CHUNK, canonical_json, sha256_hex
from portside.common.joined import JoinedContent
from portside.common.tree import Bytes
from portside.common.values import DiffID, FileName, ImageID, ImageName, Sha256, Size
from portside.errors import DamagedError
from portside.layers.raw import FramedLayer, Tar, TarLayer
from portside.store import files
from portside.store.checked import Checked
from portside.store.inputs import Inputs, put_it_back
from portside.store.records import FrameRecord, frame_record

_INDEX_LOCK = FileName("oci-index")
_VERSION = {"imageLayoutVersion": "1.0.0"}


def _again(recipe: str) -> str:
    return f"Make it anew; only what is missing is built: invoke build --recipe {recipe}"


@dataclass(frozen=True, slots=True)
class Blob:
    """A layer blob, uncompressed: its diff ID (hex) and size in bytes."""

    digest: DiffID
    size: Size


@dataclass(frozen=True, slots=True)
class Image:
    """An image in the layout. image_id: sha256 hex of `config`, its canonical JSON bytes."""

    config: bytes
    layers: tuple[Blob, ...]

    @property
    def image_id(self) -> ImageID:
        return ImageID(sha256_hex(self.config))

    def manifest(self) -> bytes:
        """The OCI manifest, canonical JSON."""
        return oci.manifest(self.config, ((layer.digest, layer.size) for layer in self.layers))


class Layout:
    """`oci/`: what `skopeo inspect oci:…` and every other OCI tool reads, apart from the blobs of large weight files.

    Those lie nowhere as a whole: `frames/DIGEST.json` says what stands before and behind the bytes of an input. So a
    blob is read through `open`, which verifies it, or `tar`, of which ranges can be read; `blob` is only for blobs
    that are files. One that lies as a file is used as it is, whatever it holds.
    """

    def __init__(self, home: Path, inputs: Inputs | None = None) -> None:
        self._home = home
        self._inputs = inputs or Inputs(home)
        self.path = home / "oci"

    def blob(self, digest: Sha256) -> Path:
        """Where a blob lies that is a file: configs, manifests and all layers but those of large weight files."""
        return self.path / "blobs" / "sha256" / digest

    def file(self, digest: Sha256) -> Path | None:
        """The file that is a blob, None where there is none."""
        path = self.blob(digest)
        return path if path.is_file() else None

    def digest_of(self, path: Path) -> Sha256 | None:
        """Which blob a file is, None for another file."""
        with suppress(ValueError):
            digest = Sha256(path.name)
            return digest if path == self.blob(digest) else None
        return None

    def size(self, digest: Sha256) -> Size | None:
        """The bytes of a blob, None where it is not there; a weight file that was changed makes its blob missing."""
        with suppress(FileNotFoundError):
            info = self.blob(digest).stat()
            return Size(info.st_size) if stat.S_ISREG(info.st_mode) else None
        framed = self._framed(digest)
        return Size(framed.content.size) if framed is not None else None

    def has(self, digest: Sha256, size: int | None) -> bool:
        """Whether a blob is there with `size` bytes (None: nobody knows): what somebody cut off is not there."""
        found = self.size(digest)
        return found is not None and size in (None, found)

    def tar(self, digest: Sha256) -> Tar:
        """A layer blob to read; its bytes are not verified. Raises DamagedError where it is not there."""
        path = self.file(digest)
        tar = TarLayer(path) if path is not None else self._framed(digest)
        if tar is None:
            self.gone(digest)
        return tar

    def open(self, blob: Blob) -> BinaryIO:
        """A blob's bytes, compared with its digest on the way: raises DamagedError at the end of wrong ones."""
        framed = None
        try:
            stream: Any = self.blob(blob.digest).open("rb", buffering=0)
        except FileNotFoundError:
            framed = self._framed(blob.digest)
            if framed is None:
                self.gone(blob.digest)
            stream = framed.content.open()
        return cast(BinaryIO, Checked(stream, blob.digest, blob.size, partial(self.damaged, blob.digest)))

    def frame(self, digest: Sha256) -> FrameRecord | None:
        """What a blob is made of, None for one that is not made when it is read."""
        return files.read_json(self._home / "frames" / f"{digest}.json", frame_record)

    def keep_frame(self, digest: Sha256, record: FrameRecord) -> None:
        files.write_json(self._home, self._home / "frames" / f"{digest}.json", record)

    def _framed(self, digest: Sha256) -> FramedLayer | None:
        record = self.frame(digest)
        place = self._inputs.locate(record["file"]) if record is not None else None
        if record is None or place is None or place.size != record["size"]:
            return None
        head, tail = base64.b64decode(record["head"]), bytes(record["tail"])
        return FramedLayer(JoinedContent((Bytes(head), place, Bytes(tail))), place.path)

    def digests(self, prefix: str) -> list[Sha256]:
        """The blobs whose digests begin with `prefix` (hex), sorted."""
        found = set()
        for path in (self.path / "blobs" / "sha256").glob(f"{prefix}*"):
            if (digest := self.digest_of(path)) is not None:
                found.add(digest)
        for path in (self._home / "frames").glob(f"{prefix}*.json"):
            with suppress(ValueError):
                found.add(Sha256(path.stem))
        return sorted(found)

    def gone(self, digest: Sha256) -> NoReturn:
        record = self.frame(digest)
        if record is not None and (why := self._inputs.changed(record["file"])) is not None:
            raise DamagedError(digest, f"{why}: it is part of the blob {digest}", put_it_back) from None
        raise DamagedError(digest, f"the store has no blob {digest}, which it had", _again) from None

    def check(self, blob: Blob) -> None:
        """Read a whole blob. Raises DamagedError where its bytes are not what its name says."""
        with self.open(blob) as stream:
            while stream.read(CHUNK):
                pass

    def damaged(self, digest: Sha256, found: Sha256) -> NoReturn:
        """Put a blob aside whose bytes have the sha256 `found` (hex), and raise DamagedError."""
        record = None if self.file(digest) else self.frame(digest)
        if record is not None:
            what = self._inputs.put_aside(record["file"], found)
            remedy = put_it_back if self._inputs.in_place(record["file"]) else _again
            raise DamagedError(digest, f"the store's blob {digest} was damaged: its sha256 is {found}; {what}", remedy)
        aside = self._home / "inputs" / "quarantine" / f"{found}-layer-{digest}"
        with files.store_errors(aside), suppress(FileNotFoundError):
            aside.parent.mkdir(parents=True, exist_ok=True)
            self.blob(digest).replace(aside)
        raise DamagedError(
            digest, f"the store's blob {digest} was damaged: its sha256 is {found}; it is put aside at {aside}", _again
        )

    @contextmanager
    def new_blob(self) -> Iterator["NewBlob"]:
        """Write a blob; `commit(digest)` inside the block publishes it."""
        with files.new_file(self._home) as (stream, path):
            yield NewBlob(stream, path, self)

    def put_blob(self, data: bytes) -> Sha256:
        """Keep small bytes as a blob; gives their sha256 hex."""
        digest = sha256_hex(data)
        if not self.has(digest, len(data)):
            with self.new_blob() as blob:
                blob.stream.write(data)
                blob.commit(digest)
        return digest

    def put_image(self, ref: ImageName, image: Image) -> None:
        """Keep an image under a name such as `minilm:env`; its layers must be there already."""
        self.put_blob(image.config)
        manifest = image.manifest()
        entry = oci.descriptor(oci.MANIFEST, self.put_blob(manifest), len(manifest)) | {
            "annotations": {oci.REF_NAME: ref}
        }
        with files.lock(self._home, _INDEX_LOCK):
            kept = [m for m in self._manifests() if _name(m) != ref]
            manifests = sorted([*kept, entry], key=_name)
            self._write_version()
            self._write_index(manifests)

    def remove_names(self, refs: Collection[str]) -> None:
        """Forget images by their names; their blobs stay."""
        with files.lock(self._home, _INDEX_LOCK):
            self._write_index([m for m in self._manifests() if _name(m) not in refs])

    def refs(self) -> Sequence[str]:
        return [name for m in self._manifests() if (name := _name(m))]

    def image(self, ref: str) -> Image | None:
        """The image of this name, or None: none has it, or its manifest or config is gone."""
        for entry in self._manifests():
            if _name(entry) == ref:
                manifest = files.read_json(self.blob(oci.read_descriptor(entry).digest), oci.read_manifest)
                if manifest is None:
                    return None
                config, layers = manifest
                try:
                    data = self.blob(config.digest).read_bytes()
                except FileNotFoundError:
                    return None
                return Image(data, tuple(Blob(DiffID(layer.digest), layer.size) for layer in layers))
        return None

    def _write_version(self) -> None:
        """Say which form the layout has, unless that stands there: it is asked for with every image."""
        path = self.path / "oci-layout"
        if not path.is_file() or path.read_bytes() != canonical_json(_VERSION) + b"\n":
            files.write_json(self._home, path, _VERSION)

    def _write_index(self, manifests: Sequence[dict[str, Any]]) -> None:
        files.write_json(self._home, self.path / "index.json", {"schemaVersion": 2, "manifests": manifests})

    def _manifests(self) -> list[dict[str, Any]]:
        return files.read_json(self.path / "index.json", _read_index) or []


def _read_index(index: Any) -> list[dict[str, Any]]:
    """The rows of index.json. Raises ValueError, KeyError or TypeError for one of another form."""
    rows = index["manifests"]
    for row in rows:
        oci.read_descriptor(row)
        _name(row)
    return list(rows)


def _name(row: dict[str, Any]) -> str:
    """The name that a row of index.json gives its image, "" for none: other tools write such rows too."""
    annotations = row.get("annotations") or {}
    name = annotations.get(oci.REF_NAME, "") if isinstance(annotations, dict) else None
    if not isinstance(name, str):
        raise ValueError("expected a name")
    return name


class NewBlob:
    """A blob being written to `stream`."""

    def __init__(self, stream: BinaryIO, path: Path, layout: Layout) -> None:
        self.stream = stream
        self._path = path
        self._layout = layout

    def commit(self, digest: Sha256) -> None:
        """Publish what was written under its sha256 (hex), which the writer computed on the way.

        A blob that is there already stays untouched: the same bytes came out again. One of another size is replaced.
        """
        self.stream.flush()
        if self._layout.has(digest, self._path.stat().st_size):
            return
        files.publish(self._path, self._layout.blob(digest))
