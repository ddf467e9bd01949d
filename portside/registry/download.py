"""A blob on its way out of a registry, into a partial file of the store that the next try continues."""

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from portside.common.canonical import CHUNK
from portside.common.compression import decompressed, detect
from portside.common.progress import Advance
from portside.errors import InputError, RegistryError
from portside.net.bounded import Pace
from portside.registry.blob import TravellingBlob
from portside.registry.client import Client, PassingError
from portside.store import Store, files


def download(client: Client, store: Store, blob: TravellingBlob, advance: Advance) -> None:
    """Take a layer blob into the store's layout under its diff ID; what arrives is verified before it is used.

    Raises RegistryError for a blob that is not what its name says, or whose content is another layer.
    """
    with _arrived(client, store, blob, advance) as (stream, publish):
        if store.layout.has(blob.diff_id, blob.size):
            return
        if blob.compression == "none":
            publish()
            return
        _unpack(stream, client, store, blob)


def _unpack(stream: BinaryIO, client: Client, store: Store, blob: TravellingBlob) -> None:
    # What unpacks to less than it is was not worth packing.
    files.need_space(store.home, blob.travels if blob.size is None else blob.size)
    name = f"{client.repository}: blob sha256:{blob.digest}"
    digest, size = hashlib.sha256(), 0
    stream.seek(0)
    # Engines look at the bytes, and some who push say gzip of what is zstd.
    found = detect(stream.read(4))
    kind = blob.compression if found == "none" else found
    stream.seek(0)
    with store.layout.new_blob() as new:
        try:
            for piece in decompressed(stream, kind, name):
                size += len(piece)
                if blob.size is not None and size > blob.size:
                    raise RegistryError(f"{name} holds more than the {blob.size} bytes of its layer")
                digest.update(piece)
                new.stream.write(piece)
        except InputError as error:
            raise RegistryError(error.problem) from None
        if digest.hexdigest() != blob.diff_id:
            raise RegistryError(f"{name} holds layer sha256:{digest.hexdigest()}, not sha256:{blob.diff_id}")
        if blob.size is not None and size != blob.size:
            raise RegistryError(f"{name} holds {size} bytes, its manifest says {blob.size}")
        new.commit(blob.diff_id)


@contextmanager
def _arrived(
    client: Client, store: Store, blob: TravellingBlob, advance: Advance
) -> Iterator[tuple[BinaryIO, Callable[[], None]]]:
    """The blob's verified bytes as they travel, and what publishes them as the layer that they are."""
    partial = store.home / "partial" / f"blob-{blob.digest}"
    with files.partial_file(partial) as stream:
        if store.layout.has(blob.diff_id, blob.size):
            partial.unlink(missing_ok=True)
            yield stream, lambda: None
            return
        receiving = _Receiving(client, blob, stream, advance)
        continued = receiving.offset > 0
        files.need_space(store.home, blob.travels - receiving.offset)
        if not receiving.complete() and continued:
            receiving.restart()
            receiving.complete()
        if receiving.digest != blob.digest:
            partial.unlink(missing_ok=True)
            raise RegistryError(
                f"{client.repository}: blob sha256:{blob.digest} has other bytes than its name says "
                f"({receiving.offset} bytes with sha256 {receiving.digest})",
                "The registry's storage is damaged, or somebody changed it.",
            )
        stream.flush()
        yield stream, lambda: files.publish(partial, store.layout.blob(blob.diff_id))
        partial.unlink(missing_ok=True)


class _Receiving:
    """offset: bytes that are here; digest: their sha256 hex."""

    def __init__(self, client: Client, blob: TravellingBlob, stream: BinaryIO, advance: Advance) -> None:
        self.offset = 0
        self._hash = hashlib.sha256()
        self._client = client
        self._blob = blob
        self._stream = stream
        self._advance = advance
        while chunk := stream.read(CHUNK):
            self._take(chunk)
        if self.offset > blob.travels:
            self.restart()

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def restart(self) -> None:
        self._advance(-self.offset)
        self._stream.seek(0)
        self._stream.truncate()
        self._hash = hashlib.sha256()
        self.offset = 0

    def complete(self) -> bool:
        """Bring what is missing; whether the bytes are the right ones."""
        self._client.patiently(self._run, lambda: self.offset)
        return self.digest == self._blob.digest

    def _run(self) -> None:
        if self.offset == self._blob.travels:
            return
        headers = {"Range": f"bytes={self.offset}-"} if self.offset else {}
        path = f"blobs/sha256:{self._blob.digest}"
        pace = Pace()
        with self._client.send("GET", path, headers, lambda: None, expect=(200, 206, 416), patience=pace) as response:
            if response.status_code == 416:
                self.restart()
                raise PassingError("it has fewer bytes than had arrived")
            if self.offset and response.status_code == 200:
                self.restart()
            if response.status_code == 206:
                start = re.match(r"bytes (\d{1,18})-", response.headers.get("Content-Range", "").strip())
                if start is None or int(start[1]) != self.offset:
                    raise PassingError("it sends another range than asked for")
            for chunk in response.iter_raw(CHUNK):
                pace.came(len(chunk))
                self._client.received += len(chunk)
                if self.offset + len(chunk) > self._blob.travels:
                    raise RegistryError(
                        f"{self._client.repository}: blob sha256:{self._blob.digest} has more than the "
                        f"{self._blob.travels} bytes that its manifest says"
                    )
                self._stream.write(chunk)
                self._take(chunk)
        if self.offset < self._blob.travels:
            raise PassingError(f"the connection ended after {self.offset} of {self._blob.travels} bytes")

    def _take(self, chunk: bytes) -> None:
        self._hash.update(chunk)
        self.offset += len(chunk)
        self._advance(len(chunk))
