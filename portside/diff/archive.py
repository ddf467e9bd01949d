"""Files that a person names: a layer tar or an image archive, plain or compressed by gzip or zstd."""

import io
import tarfile
from pathlib import Path

from portside.archive.read import ArchiveImage, read_archive
from portside.common import foreign_tar
from portside.common.canonical import CHUNK, copy_and_hash
from portside.common.compression import as_file, decompressed, detect
from portside.common.values import DiffID
from portside.errors import InputError
from portside.layers.read_tar import tar_members
from portside.store import Store
from portside.store.files import store_errors


def uncompressed(path: Path, folder: Path) -> tuple[Path, DiffID]:
    """The tar in `path`, unpacked to `folder` if it is compressed, and its sha256 (hex), which is a layer's diff ID.

    Raises InputError."""
    with io.BufferedReader(path.open("rb", buffering=0), CHUNK) as stream:
        kind = detect(stream.peek(4)[:4])
        if kind == "none":
            return path, DiffID(copy_and_hash(stream)[0])
        target = folder / "plain.tar"
        with store_errors(target), target.open("wb") as out:
            return target, DiffID(copy_and_hash(as_file(decompressed(stream, kind, path.name)), out.write)[0])


def read_image(path: Path, plain: Path, folder: Path) -> tuple[ArchiveImage, Store] | None:
    """The first image in the archive `path`, and the store in `folder` that its layers are in; None where the tar
    (`plain`: uncompressed) is no image archive. Raises InputError for one that is damaged."""
    try:
        with plain.open("rb") as stream, foreign_tar.open_tar(stream) as tar:
            names = {member.name.removeprefix("./") for member in tar_members(tar)}
    except (tarfile.TarError, ValueError, EOFError) as error:
        raise InputError(f"{path} is no readable tar: {error}", "Name a layer's tar, or an image archive.") from None
    if "manifest.json" not in names and not {"oci-layout", "index.json"} <= names:
        return None
    store = Store(folder / "store")
    return read_archive(path, store).images[0], store
