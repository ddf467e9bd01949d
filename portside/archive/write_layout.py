"""Write an image as a folder with an OCI image layout (image-spec 1.0, image-layout.md), for tools that read those.

Every blob is a plain file there; the store's own layout lacks those of large weight files.
"""

import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from portside.archive.read import is_layout
from portside.archive.write import index_of
from portside.common import oci
from portside.common.canonical import CHUNK, canonical_json, sha256_hex
from portside.common.outputs import sync_folder
from portside.common.progress import transfer
from portside.errors import InputError, RecipeError
from portside.store import Store, files
from portside.store.layout import Image


def is_folder(output: str) -> bool:
    """Whether an output is meant as a folder: it is one, ends with a slash, or has no ending."""
    return output.endswith("/") or Path(output).is_dir() or not Path(output).suffix


def check_folder(path: Path, *, force: bool) -> None:
    """Raise RecipeError unless a layout may become the folder `path`. force: a layout that is there is replaced."""
    above = path.absolute().parent
    if not above.is_dir():
        raise RecipeError(f"{path}: there is no folder {above}", f"Make it (mkdir -p {above}), or name another.")
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise RecipeError(f"{path} exists already, and is no folder", "Name another.")
    if path.exists() and any(path.iterdir()) and not (force and is_layout(path)):
        also = ", or replace it with --force" if is_layout(path) else ": nothing in it is touched"
        raise RecipeError(f"{path} is not an empty folder", f"Name a new one{also}.")


def write_layout(image: Image, names: Sequence[str], store: Store, path: Path) -> int:
    """Write an image of the store as a layout, which appears at `path` when it is complete; gives its blobs' bytes.

    What `check_folder` allowed to be there is replaced. Every layer is verified on the way. Raises StoreError for a
    damaged one, InputError where `path` cannot be written.
    """
    path = path.absolute()
    total = sum(layer.size for layer in dict.fromkeys(image.layers))
    files.need_space(path.parent, total)
    new, old = (path.parent / f".portside-{secrets.token_hex(8)}.part" for _ in range(2))
    try:
        with transfer(path.name, total) as advance:
            blobs = new / "blobs" / "sha256"
            blobs.mkdir(parents=True)
            for data in (image.config, image.manifest()):
                _write(blobs / sha256_hex(data), data)
            for layer in dict.fromkeys(image.layers):
                with store.layout.open(layer) as source, (blobs / layer.digest).open("xb") as out:
                    while chunk := source.read(CHUNK):
                        out.write(chunk)
                        advance(len(chunk))
                    out.flush()
                    os.fsync(out.fileno())
            _write(new / "index.json", canonical_json(index_of(image, names)))
            _write(new / "oci-layout", oci.LAYOUT_FILE)
            for folder in (blobs, blobs.parent, new):
                sync_folder(folder)
        if path.is_dir() and any(path.iterdir()):
            path.rename(old)
        new.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}",
            "Look at the rights and the space there, or name another folder.",
        ) from None
    finally:
        for folder in (new, old):
            shutil.rmtree(folder, ignore_errors=True)
    return total


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
