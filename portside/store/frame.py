"""A large weight file on its way straight into the blob of its layer: header, bytes, padding; written once."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from portside.common.canonical import CHUNK
from portside.common.values import DiffID, Key, Sha256, Size
from portside.errors import InputError
from portside.layers.layer import Layer
from portside.layers.writer import single_file_frame
from portside.store import files

if TYPE_CHECKING:
    from portside.store import Store


@contextmanager
def receive(store: "Store", key: Key, layer: Layer) -> Iterator["FrameSink"]:
    """Take in the one file of `layer` (its last entry) and publish the layer's blob under `key`.

    The partial blob of an interrupted transfer is continued. Wrong bytes are kept aside in `inputs/quarantine/`, and
    InputError says so.
    """
    file = layer.entries[-1]
    prefix, suffix = single_file_frame(layer)
    partial = store.home / "partial" / f"frame-{key}"
    with files.partial_file(partial) as stream:
        done = store.record("keys", key)
        if done is not None and store.layout.has(done["diff_id"], done.get("size")):
            partial.unlink(missing_ok=True)
            yield FrameSink(stream, prefix, file.size, done=True)
            return
        files.need_space(partial.parent, file.size - min(file.size, os.fstat(stream.fileno()).st_size))
        sink = FrameSink(stream, prefix, file.size)
        yield sink
        found, wanted = Sha256(sink.content.hexdigest()), Sha256(file.sha256)
        if sink.offset != file.size or found != wanted:
            stream.flush()
            aside = store.home / "inputs" / "quarantine" / f"{found}.tar"
            files.publish(partial, aside, 0o400)
            raise InputError(
                f"{file.path}: {sink.offset} bytes with sha256 {found} arrived, "
                f"the lock says {file.size} bytes with {wanted}",
                f"They are kept at {aside} and are not used. If they are meant, update the lock.",
            )
        sink.end(suffix)
        stream.flush()
        diff_id = DiffID(sink.blob.hexdigest())
        files.publish(partial, store.layout.blob(diff_id))
        size = Size(len(prefix) + file.size + len(suffix))
        store.keep("keys", key, {"diff_id": diff_id, "size": size})
        store.inputs.note_in_blob(wanted, diff_id, Size(len(prefix)), Size(file.size))


class FrameSink:
    """Receives a file's bytes. offset: how many of them are there; blob, content: running sha256 objects."""

    def __init__(self, stream: BinaryIO, prefix: bytes, size: int, *, done: bool = False) -> None:
        self.done = done
        self.offset = 0
        self.blob = hashlib.sha256()
        self.content = hashlib.sha256()
        self._stream = stream
        self._prefix = prefix
        self._size = size
        if done:
            return
        stream.seek(0)
        if stream.read(len(prefix)) != prefix:
            self.restart()
            return
        self.blob.update(prefix)
        while self.offset < size and (chunk := stream.read(min(CHUNK, size - self.offset))):
            self._count(chunk)
        # A kill between the last byte of the content and the rename can leave padding behind it.
        stream.seek(len(prefix) + self.offset)
        stream.truncate()

    def restart(self) -> None:
        """Forget what has arrived."""
        self._stream.seek(0)
        self._stream.truncate()
        self._stream.write(self._prefix)
        self.blob = hashlib.sha256(self._prefix)
        self.content = hashlib.sha256()
        self.offset = 0

    def write(self, chunk: bytes) -> None:
        if self.offset + len(chunk) > self._size:
            raise InputError(f"more than the {self._size} bytes that the lock says arrived")
        self._stream.write(chunk)
        self._count(chunk)

    def end(self, suffix: bytes) -> None:
        self._stream.write(suffix)
        self.blob.update(suffix)

    def _count(self, chunk: bytes) -> None:
        self.blob.update(chunk)
        self.content.update(chunk)
        self.offset += len(chunk)
