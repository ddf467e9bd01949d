"""A large weight file as the blob of its layer: the file is kept, and header, bytes and padding are put together when
the blob is read."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from portside.common.values import DiffID, Key, Sha256, Size
from portside.errors import InputError
from portside.layers.layer import Layer
from portside.layers.writer import single_file_frame
from portside.store.beside import Beside
from portside.store.inputs import InPlace, Receiver, nowhere
from portside.store.records import FrameRecord

if TYPE_CHECKING:
    from portside.store import Store


@contextmanager
def receive(
    store: "Store", key: Key, layer: Layer, in_place: InPlace = nowhere, name: str | None = None
) -> Iterator[Receiver]:
    """Take in the one file of `layer` (its last entry) as an input, and note the layer's blob under `key`.

    name: for messages; default: its path in the layer. The rest as for `Inputs.receive`.
    """
    file = layer.entries[-1]
    sha256 = Sha256(file.sha256)
    with Beside(single_file_frame(layer)[0]) as blob:
        with store.inputs.receive(name or file.path, sha256, Size(file.size), in_place, blob) as receiver:
            yield receiver
        if not receiver.done:
            _keep(store, key, layer, blob)
            return
    if not make(store, key, layer):
        raise InputError(f"{file.path} was damaged as it arrived", "Try again.")


def make(store: "Store", key: Key, layer: Layer) -> bool:
    """Note the layer's blob under `key`, made of the file that the store has; False where it has none that is right.

    The file is read once, whatever is known of it: nothing else could tell that the blob's digest is the right one.
    """
    file = layer.entries[-1]
    sha256 = Sha256(file.sha256)
    done = store.record("keys", key)
    if done is not None and store.layout.has(done["diff_id"], done.get("size")):
        if store.inputs.locate(sha256) is None:  # the blob came as a whole, and the file that was here is gone
            head = single_file_frame(layer)[0]
            store.inputs.note_in_blob(sha256, done["diff_id"], Size(len(head)), Size(file.size))
        return True
    place = store.inputs.find(sha256)
    if place is None:
        return False
    with Beside(single_file_frame(layer)[0]) as blob:
        found = store.inputs.read(place, file.path, blob.update)
        if found != sha256:
            store.inputs.put_aside(sha256, found)
            return False
        if place.size != file.size:
            return False
        _keep(store, key, layer, blob)
    return True


def _keep(store: "Store", key: Key, layer: Layer, blob: Beside) -> None:
    """blob: has the file's bytes, which are the right ones."""
    file = layer.entries[-1]
    head, tail = single_file_frame(layer)
    blob.update(tail)
    diff_id, size = DiffID(blob.hexdigest()), Size(len(head) + file.size + len(tail))
    if not store.layout.has(diff_id, size):
        record: FrameRecord = {
            "head": base64.b64encode(head).decode("ascii"),
            "file": Sha256(file.sha256),
            "size": Size(file.size),
            "tail": Size(len(tail)),
        }
        store.layout.keep_frame(diff_id, record)
    store.keep("keys", key, {"diff_id": diff_id, "size": size})
