"""An sdist as source: recipe to lock, lock to store, store to tree."""

from portside.common.tree import Tree
from portside.inputs import python
from portside.inputs.archives import sdist_tree
from portside.inputs.bringer import Bringer, artefact_date
from portside.inputs.spool import Spool
from portside.lock.sources import LockedSdist
from portside.recipe import sources as recipes
from portside.store import Store

moved = None


def resolve(asked: recipes.SdistSource, bringer: Bringer) -> LockedSdist:
    sdist = python.resolve_sdist(asked.sdist, bringer.config)
    bringer.artefact(sdist)
    return LockedSdist(epoch=artefact_date(sdist, bringer.store), sdist=sdist)


def bring(source: LockedSdist, bringer: Bringer) -> None:
    bringer.artefact(source.sdist)


def tree(source: LockedSdist, store: Store, spool: Spool) -> Tree:
    place = store.inputs.require(source.sdist.sha256, source.sdist.file)
    return sdist_tree(place.path, spool, source.sdist.file)


def is_here(source: LockedSdist, store: Store) -> bool:
    return store.inputs.verified(source.sdist.sha256) is not None


def in_layer(source: LockedSdist, tree: Tree) -> Tree:
    return tree


def out_of_layer(tree: Tree) -> Tree:
    return tree


def proof(source: LockedSdist, tree: Tree) -> str:
    return f"{source.sdist.file}, which it is unpacked from, is not here"
