"""A scratch store for the second build: the verified inputs as hard links, and nothing that a build made of them."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from portside.common.values import DiffID, Sha256, Size
from portside.inputs.git_mirror import Mirror
from portside.lock.inputs import base_files, git_sources, locked_files
from portside.lock.models import Lock
from portside.plan.model import Part
from portside.store import Store
from portside.store.layout import Blob


def scratch_store(lock: Lock, store: Store, home: Path, bases: Iterable[DiffID]) -> tuple[Store, bool]:
    """A store at `home` with the lock's inputs, which `store` must have; says whether the base can be made again.

    bases: the diff IDs of the base's layers. Taken over where `store` lacks .debs that they are made of.
    """
    scratch = Store(home)
    for file in locked_files(lock):
        _share(file.pin()[0], file.title, store, scratch)
    for source in git_sources(lock):
        mirror = Mirror(source.url, None, store)
        with mirror.locked():
            shutil.copytree(mirror.path, scratch.git / mirror.path.name, copy_function=_link, dirs_exist_ok=True)
    debs = base_files(lock)
    can_make = bool(debs) and all(store.inputs.locate(deb.pin()[0]) for deb in debs)
    if can_make:
        for deb in debs:
            _share(deb.pin()[0], deb.title, store, scratch)
    else:
        for diff_id in bases:
            _link(store.layout.blob(diff_id), scratch.layout.blob(diff_id))
    return scratch, can_make


def lend(part: Part, blob: Blob, store: Store, scratch: Store) -> None:
    """Let a part's blob be there as if it had been made in the scratch store."""
    if part.kind != "frame":  # whose input is there, and which is made of it when it is read
        _link(store.layout.blob(blob.digest), scratch.layout.blob(blob.digest))
    if part.kind != "base":
        scratch.keep("keys", part.key, part.record(blob.digest, blob.size))


def _share(sha256: Sha256, name: str, store: Store, scratch: Store) -> None:
    place = store.inputs.require(sha256, name)
    if store.inputs.lend(sha256, scratch.inputs):
        return
    if place.path == store.inputs.path(sha256):
        _link(place.path, scratch.inputs.path(sha256))
        return
    # A large weight file, whose bytes stand in a blob that came as a whole.
    blob = DiffID(place.path.name)
    _link(place.path, scratch.layout.blob(blob))
    scratch.inputs.note_in_blob(sha256, blob, Size(place.offset), Size(place.size))


def _link(source: str | Path, target: str | Path) -> None:
    """A hard link, or a copy on file systems that have none."""
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
