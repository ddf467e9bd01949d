"""The base layer of a recipe: a minimal Debian from locked .debs, as one canonical layer blob."""

from collections.abc import Sequence

from portside.common.progress import say, step
from portside.common.values import FileName
from portside.errors import BuildError
from portside.inputs.debian.base import make_base as make_root_fs
from portside.layers.canonical import canonicalise
from portside.layers.engine_layer import read
from portside.layers.index import Index
from portside.layers.raw import TarLayer
from portside.layers.writer import write_layer
from portside.lock.bases import DebianBase
from portside.lock.packages import Deb
from portside.store import Store
from portside.store.layout import Blob


def make_base(suite: str, architecture: str, epoch: int, debs: Sequence[Deb], store: Store) -> Blob:
    """Build the base from .debs that are in the store and keep it as a blob."""
    places = [(deb, store.inputs.require(deb.sha256, deb.name).path) for deb in debs]
    with step(f"Making a minimal Debian {suite} from {len(debs)} .debs") as note, store.workspace() as folder:
        tar = folder / "base.tar"
        make_root_fs(places, suite, architecture, epoch, tar, folder, note)
        layer = canonicalise([read(TarLayer(tar))], Index.empty(), epoch)
        with store.layout.new_blob() as blob:
            written = write_layer(layer, blob.stream)
            blob.commit(written.diff_id)
    return Blob(written.diff_id, written.size)


def bring_base(base: DebianBase, store: Store) -> None:
    """Make the locked base unless the store has it. Raises BuildError where the result is not what the lock says."""
    with store.lock(FileName(f"base-{base.diff_id}"), lambda: say("waiting for another build of the base")):
        if store.layout.has(base.diff_id, base.size):
            return
        made = make_base(base.suite, base.architecture, base.epoch, base.debs, store)
    if made.digest != base.diff_id:
        raise BuildError(
            f"the base made here has diff ID {made.digest}, the lock says {base.diff_id}",
            lambda recipe: (
                "Both are of the same .debs: this machine's mmdebstrap does something else. The blob made here is kept "
                f"at {store.layout.blob(made.digest)}; to lock it: invoke lock --recipe {recipe} --update base"
            ),
        )
