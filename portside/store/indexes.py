"""What images hold, path by path, kept by chain ID: a run layer's parent is not read again each time."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from portside.common.oci import chain_ids
from portside.layers.canonical import base_index
from portside.layers.engine_layer import read
from portside.layers.index import Index
from portside.layers.writer import read_layer
from portside.store import files
from portside.store.layout import Blob

if TYPE_CHECKING:
    from portside.store import Store


def image_index(blobs: Sequence[Blob], store: "Store", foreign: int = 0) -> Index:
    """The index of an image that consists of these layer blobs, lowest first.

    foreign: how many of the lowest are a vendor's, as an engine wrote them; the others are canonical layers.
    """
    names = [store.home / "index" / chain for chain in chain_ids([blob.digest for blob in blobs])]
    known = next((n for n in range(len(blobs), max(foreign - 1, 0), -1) if names[n - 1].is_file()), 0)
    index = Index.load(names[known - 1].read_bytes()) if known else Index.empty()
    if foreign and not known:
        index = base_index([read(store.layout.tar(blob.digest)) for blob in blobs[:foreign]])
        known = foreign
        _keep(index, names[foreign - 1], store)
    for blob, name in zip(blobs[known:], names[known:], strict=True):
        index = index.apply(read_layer(store.layout.tar(blob.digest)))
        _keep(index, name, store)
    return index


def _keep(index: Index, name: Path, store: "Store") -> None:
    with files.new_file(store.home) as (stream, temporary):
        stream.write(index.dump())
        stream.flush()
        files.publish(temporary, name)
