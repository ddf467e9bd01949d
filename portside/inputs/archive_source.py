"""An archive of upstream's as source, from a URL or from a folder: recipe to lock, store to files.

`fetch` looks for it as for all that lies in folders; `lock` needs its bytes, for its time and to see that it is one.
"""

from portside.common.tree import Tree
from portside.inputs import archives
from portside.inputs.bringer import Bringer
from portside.inputs.spool import Spool
from portside.lock.sources import LockedArchiveSource
from portside.recipe import sources as recipes
from portside.store import Store

bring = None
moved = None


def resolve(asked: recipes.ArchiveSource, bringer: Bringer) -> LockedArchiveSource:
    [file] = asked.brought("")
    sha256, size = bringer.brought(file)
    strip, store = asked.archive.strip, bringer.store
    place = store.inputs.require(sha256, file.file).path
    found = LockedArchiveSource(
        epoch=archives.newest_date(place, file.file), file=file.file, size=size, sha256=sha256, strip=strip
    )
    with store.workspace() as folder, Spool(folder) as spool:
        tree(found, store, spool)
    return found


def tree(source: LockedArchiveSource, store: Store, spool: Spool) -> Tree:
    place = store.inputs.require(source.sha256, source.file)
    return archives.archive_tree(place.path, spool, source.strip, source.file)


def is_here(source: LockedArchiveSource, store: Store) -> bool:
    return store.inputs.verified(source.sha256) is not None


def in_layer(source: LockedArchiveSource, tree: Tree) -> Tree:
    return tree


def out_of_layer(tree: Tree) -> Tree:
    return tree


def proof(source: LockedArchiveSource, tree: Tree) -> str:
    return f"{source.file}, which it is unpacked from, is not here"
