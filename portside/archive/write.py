"""Write an image as an archive that everything reads: a docker-archive and an OCI layout in one tar.

manifest.json is what `docker load` and `podman load` look for, index.json what OCI tools do; both name the same files
below blobs/sha256/. The bytes depend on the image and its names alone, for gzip and zstd on their encoders too.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from portside.archive.hashing import Hasher
from portside.common import oci
from portside.common.canonical import CHUNK, canonical_json, sha256_hex
from portside.common.compression import Compression, as_file, compressed
from portside.common.outputs import output
from portside.common.progress import Advance, transfer
from portside.common.tree import Entry, encode_path
from portside.errors import InputError, RecipeError
from portside.layers.writer import END, member_head, padding
from portside.store import Store, files
from portside.store.layout import Blob, Image


def check_output(path: Path, *, force: bool) -> None:
    """Raise RecipeError unless an archive may become the file `path`. force: a file that is there is replaced."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise RecipeError(f"{path}: there is no folder {folder}", f"Make it (mkdir -p {folder}), or name another.")
    if path.is_dir():
        raise RecipeError(f"{path} is a folder", "Name a file.")
    if path.exists() and not force:
        raise RecipeError(f"{path} exists already", "Name another file, or replace it with --force.")


def write_archive(image: Image, names: Sequence[str], store: Store, path: Path, kind: Compression = "none") -> int:
    """Write an image of the store to a file, which appears under its name when it is complete; gives its bytes.

    Every layer is verified on the way. Raises StoreError for a damaged one, InputError where `path` cannot be written.
    """
    total = sum(layer.size for layer in image.layers)
    if kind == "none":
        files.need_space(path.absolute().parent, total)
    size = 0
    with output(path, None, InputError) as out, transfer(path.name, total) as advance:
        pieces = archive(image, names, store, advance)
        for piece in pieces if kind == "none" else compressed(as_file(pieces), kind):
            size += out.write(piece)
    return size


def archive(image: Image, names: Sequence[str], store: Store, advance: Advance) -> Iterator[bytes]:
    """The archive's bytes in pieces. names: as engines know them, sorted, such as `portside/minilm:weights`."""
    manifest = image.manifest()
    config_name = f"blobs/sha256/{image.image_id}"
    layers = [f"blobs/sha256/{layer.digest}" for layer in image.layers]
    docker = [{"Config": config_name, "RepoTags": list(names) or None, "Layers": layers}]
    yield from _small("oci-layout", oci.LAYOUT_FILE)
    yield from _small("index.json", canonical_json(index_of(image, names)))
    yield from _small("manifest.json", canonical_json(docker))
    yield from _small(config_name, image.config)
    yield from _small(f"blobs/sha256/{sha256_hex(manifest)}", manifest)
    for layer in dict.fromkeys(image.layers):
        yield _head(f"blobs/sha256/{layer.digest}", layer.size)
        yield from _layer(layer, store, advance)
        yield padding(layer.size)
    yield END


def index_of(image: Image, names: Sequence[str]) -> dict[str, Any]:
    """The OCI index of an image under these names."""
    manifest = image.manifest()
    row = oci.descriptor(oci.MANIFEST, sha256_hex(manifest), len(manifest))
    rows = [row | {"annotations": {oci.REF_NAME: name}} for name in names]
    return {"schemaVersion": 2, "mediaType": oci.INDEX, "manifests": rows or [row]}


def _layer(layer: Blob, store: Store, advance: Advance) -> Iterator[bytes]:
    size = 0
    try:
        with Hasher() as hasher, store.layout.tar(layer.digest).content.open() as source:
            while chunk := source.read(CHUNK):
                hasher.update(chunk)
                size += len(chunk)
                if size > layer.size:
                    break
                yield chunk
                advance(len(chunk))
            if size != layer.size or hasher.hexdigest() != layer.digest:
                store.layout.damaged(layer.digest, hasher.hexdigest())
    except FileNotFoundError:
        store.layout.gone(layer.digest)


def _small(name: str, data: bytes) -> Iterator[bytes]:
    yield _head(name, len(data)) + data + padding(len(data))


def _head(name: str, size: int) -> bytes:
    return member_head(encode_path(name), Entry(name, "file", 0o644, size=size))


def compression_of(name: str) -> Compression:
    """What a file's name says about its compression. Raises RecipeError for a name that is none of an archive."""
    endings: dict[str, Compression] = {".tar": "none", ".tar.gz": "gzip", ".tgz": "gzip", ".tar.zst": "zstd"}
    for ending, kind in endings.items():
        if name.endswith(ending):
            return kind
    raise RecipeError(f"{name} is no name of an archive", f"Let it end in {', '.join(endings)}.")
