"""Weights that come file by file, from URLs or from folders: store to contents.

`resolve` and `fetch` look for them as for all that lies in folders.
"""

from portside.common.tree import Content
from portside.lock.models import LockedWeightFile, LockedWeights
from portside.store import Store

resolve = None
bring = None


def content(weights: LockedWeights, file: LockedWeightFile, store: Store) -> Content:
    assert file.sha256 is not None, file.path
    return store.inputs.require(file.sha256, file.path)
