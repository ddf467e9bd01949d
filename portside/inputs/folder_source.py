"""A folder of the project as source: its files are kept in the store, as a tar in the form of a canonical layer, so
that a build needs the lock and the store alone, and a bundle carries them.
"""

from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

from portside.common.tree import Tree
from portside.common.values import Sha256
from portside.errors import InputError
from portside.inputs.bringer import Bringer
from portside.inputs.spool import Spool
from portside.layers.canonical import data_layer
from portside.layers.writer import read_layer, write_layer
from portside.lock.folders import EPOCH, project_files
from portside.lock.sources import LockedFolderSource
from portside.recipe import sources as recipes
from portside.store import Store

moved = None


def resolve(asked: recipes.FolderSource, bringer: Bringer) -> LockedFolderSource:
    return _kept(_root(bringer), asked.folder, bringer.store)


def bring(source: LockedFolderSource, bringer: Bringer) -> None:
    if is_here(source, bringer.store):
        return
    root = _root(bringer)
    if not (root / source.folder).is_dir():
        raise InputError(
            f"the folder {source.folder} is neither in the project nor in the store",
            f"Put it at {root / source.folder}, or load a bundle of the recipe.",
        )
    if source.changed(root):
        raise InputError(f"the folder {source.folder} is not what was locked", "Restore it, or lock the recipe again.")
    if _kept(root, source.folder, bringer.store).sha256 != source.sha256:
        raise InputError(
            f"another Portside keeps the files of {source.folder} in another form",
            lambda recipe: f"Lock it by this one: invoke lock --recipe {recipe} --update all",
        )


def tree(source: LockedFolderSource, store: Store, spool: Spool) -> Tree:
    return Tree(read_layer(store.inputs.require(source.sha256, source.file).path).entries)


def is_here(source: LockedFolderSource, store: Store) -> bool:
    return store.inputs.verified(source.sha256) is not None


def in_layer(source: LockedFolderSource, tree: Tree) -> Tree:
    """All of a folder has the same time."""
    return Tree(replace(entry, mtime=source.epoch) for entry in tree)


def out_of_layer(tree: Tree) -> Tree:
    return Tree(entry for entry in tree if entry.kind != "dir")


def proof(source: LockedFolderSource, tree: Tree) -> None:
    """By the listing of the files and their hashes."""
    if (found := out_of_layer(tree).digest()) != source.digest:
        raise InputError(f"holds files with the digest {found}, the lock says {source.digest}")


def _root(bringer: Bringer) -> Path:
    assert bringer.root is not None, "a folder of a project is asked for without a project"
    return bringer.root


def _kept(root: Path, folder: str, store: Store) -> LockedFolderSource:
    """The folder as it is in the project, with its files in the store."""
    files = project_files(root, folder)
    layer = data_layer(files, EPOCH)
    made = write_layer(layer, None)
    sha256 = Sha256(str(made.diff_id))
    found = LockedFolderSource(epoch=EPOCH, folder=folder, digest=Sha256(files.digest()), sha256=sha256, size=made.size)
    with store.inputs.receive(found.file, sha256, made.size) as receiver:
        if not receiver.done:
            write_layer(layer, cast(BinaryIO, receiver))
    return found
