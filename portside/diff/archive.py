"""Image archives (docker-archive as `docker save` writes it, OCI archives) as a config and plain layer tars."""

import gzip
import hashlib
import json
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from portside.canonical import copy_and_hash
from portside.errors import InputError

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_JSON_SIZE = 16 << 20
"""Bytes that a manifest or config in an archive may have."""


@dataclass(frozen=True)
class ArchivedImage:
    """image_id: sha256 hex of the config's bytes. layers: (diff ID, uncompressed tar), lowest first."""

    image_id: str
    config: dict[str, Any]
    layers: tuple[tuple[str, Path], ...]


def uncompressed(path: Path, folder: Path) -> tuple[Path, str]:
    """The tar in `path`, unpacked to `folder` if it is gzip'd, and its sha256 (hex). Raises InputError."""
    with path.open("rb") as stream:
        return _plain(stream, path, folder / "plain.tar", path.name)


def read_image(path: Path, folder: Path) -> ArchivedImage | None:
    """The image in an archive, its layers unpacked to `folder`; None where the tar is no image archive.

    An archive of several images gives the first. Raises InputError for one that is damaged.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            members = {member.name.removeprefix("./"): member for member in tar if member.isfile() or member.issym()}
            if "manifest.json" in members:
                entry = _json(tar, members, "manifest.json")[0]
                return _collect(tar, members, entry["Config"], entry["Layers"], folder)
            if "oci-layout" not in members or "index.json" not in members:
                return None
            value = _json(tar, members, "index.json")
            while "manifests" in value:  # an index may point to an index
                value = _json(tar, members, _blob(value["manifests"][0]))
            return _collect(tar, members, _blob(value["config"]), [_blob(layer) for layer in value["layers"]], folder)
    except (tarfile.TarError, KeyError, IndexError, TypeError, ValueError, EOFError, zlib.error) as error:
        raise InputError(f"{path} is no readable image archive: {error}", "Save the image again.") from None


def _blob(descriptor: dict[str, Any]) -> str:
    algorithm, _, digest = str(descriptor["digest"]).partition(":")
    return f"blobs/{algorithm}/{digest}"


def _open(tar: tarfile.TarFile, members: dict[str, tarfile.TarInfo], name: str) -> IO[bytes]:
    stream = tar.extractfile(members[name])
    if stream is None:
        raise KeyError(name)
    return stream


def _json(tar: tarfile.TarFile, members: dict[str, tarfile.TarInfo], name: str) -> Any:
    if members[name].size > _JSON_SIZE:
        raise ValueError(f"{name} is too large")
    with _open(tar, members, name) as stream:
        return json.loads(stream.read())


def _collect(
    tar: tarfile.TarFile, members: dict[str, tarfile.TarInfo], config: str, layers: list[str], folder: Path
) -> ArchivedImage:
    with _open(tar, members, config) as stream:
        data = stream.read(_JSON_SIZE)
    files = []
    for number, name in enumerate(layers):
        with _open(tar, members, name) as stream:
            path, digest = _plain(cast(BinaryIO, stream), None, folder / f"layer-{number}.tar", name)
        files.append((digest, path))
    return ArchivedImage(hashlib.sha256(data).hexdigest(), json.loads(data), tuple(files))


def _plain(stream: BinaryIO, here: Path | None, target: Path, name: str) -> tuple[Path, str]:
    """Copy `stream` to `target`, unpacked; where it is the plain file `here`, that stays where it is."""
    head = stream.read(4)
    stream.seek(0)
    if head == _ZSTD:
        raise InputError(f"{name} is compressed with zstd, which is not read here", "Unpack it first: zstd -d")
    if head[:2] == _GZIP:
        with gzip.open(stream) as plain, target.open("wb") as out:
            try:
                return target, copy_and_hash(cast(BinaryIO, plain), out.write)[0]
            except (OSError, EOFError, zlib.error) as error:
                raise InputError(f"{name} cannot be unpacked: {error}") from None
    if here is not None:
        return here, copy_and_hash(stream)[0]
    with target.open("wb") as out:
        return target, copy_and_hash(stream, out.write)[0]
