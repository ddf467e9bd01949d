"""Weights from the store as read-only mounts, in place of a weights layer.

A set of weights gets one folder in the store, `mounts/DIGEST`, made once, and one mount: links to small inputs, and
verified copies of what lies in a wheel, or in a blob that came as a whole. A large file that is a file of its own, in
the store or left in place, is not in the folder: an empty file marks its place there, and it gets a mount of its own.
So nothing large is copied, and what is mounted is the file whose identity was looked at a moment before.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from portside.common.canonical import CHUNK, sha256_hex
from portside.common.progress import live, transfer
from portside.common.tree import Bytes, Entry, FileRange, Tree
from portside.common.values import FileName
from portside.config import Config
from portside.engines import Mount
from portside.errors import StoreError
from portside.lock.models import Lock, LockedWeights
from portside.recipe import Recipe
from portside.store import Store, files
from portside.store.inputs import SEEN_FROM


def bring_weights(recipe: Recipe, lock: Lock, store: Store, config: Config) -> None:
    """Have the weights of a lock, from folders and places as `fetch` has them, but make no layers.

    A large file that lies in a folder is used there, whatever the configuration says: only a build has to keep it.

    Raises InputError for what no place has, or has otherwise.
    """
    from portside.fetch.fetcher import Fetcher
    from portside.fetch.manual import manual_inputs
    from portside.inputs.kinds import WEIGHTS

    fetcher = Fetcher(store, config, mounting=True)
    with live():
        for weights in lock.weights.values():
            if (bring := WEIGHTS[weights.kind].bring) is not None:
                bring(weights, fetcher)
        for file in manual_inputs(recipe, lock):
            if file.kind == "weights" and file.sha256 is not None:
                fetcher.manual(file, lock.sources)


def weight_mounts(recipe: Recipe, lock: Lock, store: Store, *, bring: bool = True) -> tuple[Mount, ...]:
    """The mounts of each set of weights, where the weights layer has it. Copies nothing that was copied before.

    bring: lay the weights out; else only say where they would be.
    Raises InputError for weights that are not in the store or are not what they were, StoreError where they cannot be
    laid out.
    """
    from portside.trees.parts import weights_tree

    mounts: list[Mount] = []
    with live():
        for name, locked in sorted(lock.weights.items()):
            at = f"{recipe.workspace}/weights/{name}"
            tree = weights_tree(locked, store) if bring else None
            single = _single(locked, store)
            folder = _folder(name, locked, single, store)
            if tree is not None:
                _lay_out(_with_marks(tree, single), folder, store)
            mounts.append(Mount(str(folder), at, read_only=True))
            mounts += [Mount(str(path), f"{at}/{file}", read_only=True) for file, path in sorted(single.items())]
    return tuple(mounts)


def mount_folders(lock: Lock, store: Store) -> list[str]:
    """The names of the folders in `mounts/` that a lock's weights have."""
    rows = sorted(lock.weights.items())
    return [_folder(name, locked, _single(locked, store), store).name for name, locked in rows]


def _single(weights: LockedWeights, store: Store) -> Mapping[str, Path]:
    """The files of a set that are mounted themselves, by their paths in it."""
    found: dict[str, Path] = {}
    for file in weights.files:
        if weights.packed or file.sha256 is None:
            continue
        place = store.inputs.locate(file.sha256)
        if place is None or place.offset:
            continue
        if place.path != store.inputs.path(file.sha256):
            found[file.path] = Path(os.path.realpath(place.path))
        elif place.size >= SEEN_FROM:
            found[file.path] = place.path
    return found


def _folder(name: str, weights: LockedWeights, single: Mapping[str, Path], store: Store) -> Path:
    """Where a set of weights is laid out: told by the lock, and by which files are mounted themselves."""
    tree = Tree()
    for file in weights.files:
        if file.size is None or file.sha256 is None:
            return store.home / "mounts" / f"unknown-{name}"
        entry = Entry(file.path, "file", 0o644, size=file.size, sha256=file.sha256)
        tree.put(_mark(entry) if file.path in single else entry)
    return store.home / "mounts" / tree.digest()


def _mark(entry: Entry) -> Entry:
    """The empty file that another one is mounted over."""
    return Entry(entry.path, "file", entry.mode, sha256=sha256_hex(b""), content=Bytes(b""))


def _with_marks(tree: Tree, single: Mapping[str, Path]) -> Tree:
    return Tree(_mark(entry) if entry.path in single else entry for entry in tree)


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
