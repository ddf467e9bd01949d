"""What images hold, path by path, kept by chain ID: a run layer's parent is not read again each time."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from portside.layers.index import Index
from portside.layers.writer import read_layer
from portside.oci import chain_ids
from portside.store import files
from portside.store.layout import Blob

if TYPE_CHECKING:
    from portside.store import Store


def image_index(blobs: Sequence[Blob], store: "Store") -> Index:
    """The index of an image that consists of these layer blobs, lowest first; the blobs are canonical layers."""
    names = [store.home / "index" / chain for chain in chain_ids([blob.digest for blob in blobs])]
    known = next((n for n in range(len(blobs), 0, -1) if names[n - 1].is_file()), 0)
    index = Index.load(names[known - 1].read_bytes()) if known else Index.empty()
    for blob, name in zip(blobs[known:], names[known:], strict=True):
        index = index.apply(read_layer(store.layout.blob(blob.digest)))
        with files.new_file(store.home) as (stream, temporary):
            stream.write(index.dump())
            stream.flush()
            files.publish(temporary, name)
    return index
