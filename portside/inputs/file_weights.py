"""Weights that come file by file, from URLs or from folders: recipe to lock, store to contents.

`resolve` and `fetch` look for them as for all that lies in folders.
"""

from portside.common.tree import Content
from portside.inputs.bringer import Bringer, Look, Sources
from portside.lock.models import LockedWeightFile, LockedWeights
from portside.recipe import weights as recipes
from portside.store import Store

bring = None
places = None
page = None
closed = None
moved = None


def resolve(asked: recipes.FileWeights, bringer: Bringer, look: Look, sources: Sources) -> LockedWeights:
    files = []
    for file in asked.files:
        sha256, size = look(file.path, file)
        files.append(LockedWeightFile(path=file.path, size=size, sha256=sha256))
    return LockedWeights(epoch=0, files=tuple(files))


def content(weights: LockedWeights, file: LockedWeightFile, store: Store) -> Content:
    assert file.sha256 is not None, file.path
    return store.inputs.require(file.sha256, file.path)
