"""A vendor's image as base: out of a file of `docker save`, an OCI archive or an OCI layout, its layers as they are.

Its diff IDs say which image it is: once they are locked, another file with the same layers is the same base, unless
the recipe itself pins the file.
"""

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from portside.archive.read import ArchiveImage, TakenArchive, read_archive, read_layout
from portside.common.values import ImageName, Sha256
from portside.errors import InputError, StoreError
from portside.inputs import entry_points
from portside.inputs.vendor_config import check_platform, created, environment
from portside.lock.bases import ArchiveBase, ArchiveLayer
from portside.lock.packages import REFERENCE
from portside.store import Store
from portside.store.inputs import SEEN_FROM
from portside.store.layout import Blob


def _other_file(recipe: str) -> str:
    return f"It is not the locked file; if it is meant, lock it: invoke lock --recipe {recipe} --update base"


def read_vendor_image(path: Path, base: ArchiveBase, store: Store, pinned: bool = False) -> ArchiveBase:
    """Put the layers of the image in `path` into the store, and give the base as the lock should have it.

    path: a file of `docker save` or an OCI archive, compressed or not, or a folder with an OCI layout. base: as it is
    locked; what it says already must be true. pinned: whether the recipe says which file it is; else locked diff IDs
    decide. Raises InputError for what is no image, is damaged, holds several images, or differs from the lock.
    """
    exact = pinned or not base.layers
    if path.is_dir():
        return _read_folder(path, base, store, pinned)
    size = path.stat().st_size
    if exact and base.size is not None and base.size != size:
        raise InputError(f"{path} has {size} bytes, the lock says {base.size}", _other_file)

    def check(sha256: Sha256) -> None:
        if exact and base.sha256 is not None and base.sha256 != sha256:
            raise InputError(f"{path} has sha256 {sha256}, the lock says {base.sha256}", _other_file)

    archive = _remembered(path, store)
    if archive is None:
        before = path.stat()
        archive = read_archive(path, store, check, None if exact else partial(_same_layers, path, base))
        _remember(path, archive, before, store)
    elif exact and archive.sha256 is not None:
        check(archive.sha256)
    elif not exact:
        _same_layers(path, base, archive.images, None)
    image = _only(path, archive)
    if base.layers and archive.sha256 != base.sha256:
        return base
    found = base.model_copy(update={**_facts(path, image, base), "size": size, "sha256": archive.sha256})
    if base.layers and found != base:
        raise InputError(f"{path} is not what the lock says about it", _other_file)
    return found


def _remembered(path: Path, store: Store) -> TakenArchive | None:
    """What an archive holds that was read before and is the same file still, if the store has its layers."""
    noted = store.inputs.seen.noted(path)
    record = store.record("archives", noted.sha256) if noted is not None and noted.settled else None
    if noted is None or record is None or not all(store.layout.has(*layer) for layer in record["layers"]):
        return None
    layers = tuple(Blob(digest, size) for digest, size in record["layers"])
    names = tuple(ImageName(name) for name in record["names"])
    return TakenArchive((ArchiveImage(record["config"].encode(), layers, names),), noted.sha256)


def _remember(path: Path, archive: TakenArchive, before: os.stat_result, store: Store) -> None:
    """before: what the file was before it was read. Small ones are read again, as other inputs are."""
    if archive.sha256 is None or len(archive.images) != 1 or before.st_size < SEEN_FROM:
        return
    image = archive.images[0]
    with suppress(UnicodeDecodeError, StoreError):  # then it is read again
        layers = [(blob.digest, blob.size) for blob in image.layers]
        config = image.config.decode("utf-8")
        store.keep("archives", archive.sha256, {"config": config, "layers": layers, "names": list(image.names)})
        store.inputs.seen.note(path, archive.sha256, before)


def _read_folder(path: Path, base: ArchiveBase, store: Store, pinned: bool) -> ArchiveBase:
    if pinned or (not base.layers and (base.sha256, base.size) != (None, None)):
        raise InputError(
            f"{path} is a folder, and the recipe pins the sha256 or the size of a file",
            "Bring that file, or take sha256 and size out of base.archive: then the layers say which image it is.",
        )
    with _called(path):
        archive = read_layout(path, store, partial(_same_layers, path, base))
    image = _only(path, archive)
    return base if base.layers else base.model_copy(update=_facts(path, image, base))


@contextmanager
def _called(path: Path) -> Iterator[None]:
    """Every error names the file."""
    try:
        yield
    except InputError as error:
        if error.subject == path.name:
            raise
        raise error.told_of(str(path), "Get the file again.") from None


def _same_layers(path: Path, base: ArchiveBase, images: Sequence[ArchiveImage], _: object) -> None:
    """Raise InputError where the lock knows the layers, and the one image has others."""
    if base.layers and len(images) == 1:
        locked = [layer.diff_id for layer in base.layers]
        if [layer.digest for layer in images[0].layers] != locked:
            problem = f"{path} holds another image: its layers are not those of the lock"
            raise InputError(problem, _other_file, subject=str(path))


def _only(path: Path, archive: TakenArchive) -> ArchiveImage:
    if len(archive.images) != 1:
        raise InputError(f"{path} holds {len(archive.images)} images, one is expected", "Save the one image alone.")
    return archive.images[0]


def _facts(path: Path, image: ArchiveImage, base: ArchiveBase) -> dict[str, Any]:
    config = json.loads(image.config)
    check_platform(str(path), config, base.architecture, base.kind)
    entry_points.note(config, [layer.digest for layer in image.layers])
    names = [name for name in image.names if re.fullmatch(REFERENCE, name)]
    return {
        "reference": names[0] if names else None,
        "epoch": created(str(path), config),
        "env": environment(str(path), config),
        "layers": tuple(ArchiveLayer(diff_id=blob.digest, size=blob.size) for blob in image.layers),
    }
