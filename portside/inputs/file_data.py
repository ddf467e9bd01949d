"""A data set in one tar archive, from a URL or from a folder: recipe to lock, store to files.

`resolve` and `fetch` look for it as for all that lies in folders.
"""

from portside.common.tree import Tree
from portside.inputs import archives
from portside.inputs.bringer import Bringer, Look
from portside.inputs.spool import Spool
from portside.lock.models import ManualFile
from portside.recipe import models as recipes
from portside.store import Store

bring = None


def resolve(asked: recipes.Data, bringer: Bringer, look: Look) -> ManualFile:
    sha256, size = look("", asked)
    return ManualFile(file=asked.file, sha256=sha256, size=size)


def tree(data: ManualFile, store: Store, spool: Spool) -> Tree:
    """Its files, without the one folder that holds all of them, if there is one."""
    assert data.sha256 is not None, data.file
    return archives.archive_tree(store.inputs.require(data.sha256, data.file).path, spool, None, data.file)
