"""The store's images: a standard OCI image layout (image-spec 1.0, `image-layout.md`) with uncompressed layers."""

import hashlib
import stat
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

from portside import oci
from portside.canonical import CHUNK
from portside.errors import RECIPE, DamagedError
from portside.store import files
from portside.store.checked import Checked

_AGAIN = f"Make it anew; only what is missing is built: invoke build --recipe {RECIPE}"


@dataclass(frozen=True, slots=True)
class Blob:
    """A layer blob: its sha256 (hex; an uncompressed layer's diff ID) and size in bytes."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Image:
    """An image in the layout. image_id: sha256 hex of `config`, its canonical JSON bytes."""

    config: bytes
    layers: tuple[Blob, ...]

    @property
    def image_id(self) -> str:
        return hashlib.sha256(self.config).hexdigest()

    def manifest(self) -> bytes:
        """The OCI manifest, canonical JSON."""
        return oci.manifest(self.config, ((layer.digest, layer.size) for layer in self.layers))


class Layout:
    """`oci/`: what `skopeo inspect oci:…` and every other OCI tool reads."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.path = home / "oci"

    def blob(self, digest: str) -> Path:
        return self.path / "blobs" / "sha256" / digest

    def has(self, digest: str, size: int | None) -> bool:
        """Whether a blob is there with `size` bytes (None: nobody knows): what somebody cut off is not there."""
        try:
            info = self.blob(digest).stat()
        except FileNotFoundError:
            return False
        return stat.S_ISREG(info.st_mode) and size in (None, info.st_size)

    def open(self, blob: Blob) -> BinaryIO:
        """A blob's bytes, compared with its digest on the way: raises DamagedError at the end of wrong ones."""
        try:
            stream = self.blob(blob.digest).open("rb", buffering=0)
        except FileNotFoundError:
            self.gone(blob.digest)
        return cast(
            BinaryIO, Checked(cast(BinaryIO, stream), blob.digest, blob.size, partial(self.damaged, blob.digest))
        )

    def gone(self, digest: str) -> NoReturn:
        raise DamagedError(f"the store has no blob {digest}, which it had", _AGAIN) from None

    def check(self, blob: Blob) -> None:
        """Read a whole blob. Raises DamagedError where its bytes are not what its name says."""
        with self.open(blob) as stream:
            while stream.read(CHUNK):
                pass

    def damaged(self, digest: str, found: str) -> NoReturn:
        """Put a blob aside whose bytes have the sha256 `found` (hex), and raise DamagedError."""
        aside = self._home / "inputs" / "quarantine" / f"{found}-layer-{digest}"
        with files.store_errors(aside), suppress(FileNotFoundError):
            aside.parent.mkdir(parents=True, exist_ok=True)
            self.blob(digest).replace(aside)
        raise DamagedError(
            f"the store's blob {digest} was damaged: its sha256 is {found}; it is put aside at {aside}", _AGAIN
        )

    @contextmanager
    def new_blob(self) -> Iterator["NewBlob"]:
        """Write a blob; `commit(digest)` inside the block publishes it."""
        with files.new_file(self._home) as (stream, path):
            yield NewBlob(stream, path, self)

    def put_blob(self, data: bytes) -> str:
        """Keep small bytes as a blob; gives their sha256 hex."""
        digest = hashlib.sha256(data).hexdigest()
        if not self.has(digest, len(data)):
            with self.new_blob() as blob:
                blob.stream.write(data)
                blob.commit(digest)
        return digest

    def put_image(self, ref: str, image: Image) -> None:
        """Keep an image under a name such as `minilm:env`; its layers must be there already."""
        self.put_blob(image.config)
        manifest = image.manifest()
        entry = oci.descriptor(oci.MANIFEST, self.put_blob(manifest), len(manifest)) | {
            "annotations": {oci.REF_NAME: ref}
        }
        with files.lock(self._home, "oci-index"):
            kept = [m for m in self._manifests() if m["annotations"][oci.REF_NAME] != ref]
            manifests = sorted([*kept, entry], key=lambda m: str(m["annotations"][oci.REF_NAME]))
            files.write_json(self._home, self.path / "oci-layout", {"imageLayoutVersion": "1.0.0"})
            self._write_index(manifests)

    def remove_names(self, refs: Collection[str]) -> None:
        """Forget images by their names; their blobs stay."""
        with files.lock(self._home, "oci-index"):
            self._write_index([m for m in self._manifests() if m["annotations"][oci.REF_NAME] not in refs])

    def refs(self) -> Sequence[str]:
        return [m["annotations"][oci.REF_NAME] for m in self._manifests()]

    def image(self, ref: str) -> Image | None:
        """The image of this name, or None: none has it, or its manifest or config is gone."""
        for entry in self._manifests():
            if entry["annotations"][oci.REF_NAME] == ref:
                manifest = files.read_json(self.blob(entry["digest"].removeprefix("sha256:")))
                try:
                    config = self.blob(manifest["config"]["digest"].removeprefix("sha256:")).read_bytes()
                except (TypeError, FileNotFoundError):
                    return None
                layers = (Blob(d["digest"].removeprefix("sha256:"), d["size"]) for d in manifest["layers"])
                return Image(config, tuple(layers))
        return None

    def _write_index(self, manifests: Sequence[dict[str, Any]]) -> None:
        files.write_json(self._home, self.path / "index.json", {"schemaVersion": 2, "manifests": manifests})

    def _manifests(self) -> list[dict[str, Any]]:
        index = files.read_json(self.path / "index.json")
        return list(index["manifests"]) if index else []


class NewBlob:
    """A blob being written to `stream`."""

    def __init__(self, stream: BinaryIO, path: Path, layout: Layout) -> None:
        self.stream = stream
        self._path = path
        self._layout = layout

    def commit(self, digest: str) -> None:
        """Publish what was written under its sha256 (hex), which the writer computed on the way.

        A blob that is there already stays untouched: the same bytes came out again. One of another size is replaced.
        """
        self.stream.flush()
        if self._layout.has(digest, self._path.stat().st_size):
            return
        files.publish(self._path, self._layout.blob(digest))
