"""Compressed bytes for transport, read and written as a stream; identity never depends on them.

gzip is RFC 1952, without a name and with the time 0; zstd is RFC 8878. What comes out of a reader is bounded piece by
piece, and a stream that grows out of all proportion (a bomb) is refused before it fills the disk.
"""

import io
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Literal, Protocol, cast, get_args

from portside.common.canonical import CHUNK
from portside.errors import InputError, RecipeError

Compression = Literal["none", "gzip", "zstd"]

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
GZIP_LEVEL = 6
ZSTD_LEVEL = 3
ZSTD_WINDOW = 1 << 27
"""Bytes of history that a reader holds at most: what every zstd decoder accepts without being asked for more."""

BOMB_FROM = 1 << 30
BOMB_RATIO = 200
"""A stream of more than BOMB_FROM bytes that were less than a BOMB_RATIO-th when compressed is no image."""


def check_compression(name: str) -> Compression:
    """Raises RecipeError for a name that is none of the compressions."""
    if name not in get_args(Compression):
        raise RecipeError(f"no compression '{name}'", f"The compressions are {', '.join(get_args(Compression))}.")
    return cast(Compression, name)


class Readable(Protocol):
    """What can be read piece by piece."""

    def read(self, size: int = ..., /) -> bytes: ...


class Pieces(io.RawIOBase):
    """An iterator of bytes as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def as_file(pieces: Iterator[bytes]) -> BinaryIO:
    """Pieces as a buffered file: `read(n)` gives n bytes unless the end is nearer."""
    return io.BufferedReader(Pieces(pieces), CHUNK)


def detect(head: bytes) -> Compression:
    """What a stream is that starts with these (at least 4) bytes."""
    if head.startswith(GZIP_MAGIC):
        return "gzip"
    return "zstd" if head.startswith(ZSTD_MAGIC) else "none"


def decompressed(source: Readable, kind: Compression, name: str) -> Iterator[bytes]:
    """The uncompressed bytes of `source` in pieces of at most CHUNK bytes.

    Raises InputError, which says `name`, for a damaged stream and for a bomb. A zstd stream that was cut just ends:
    whoever reads it knows the digest, or reads a tar, which has an end of its own.
    """
    counted = _CountedSource(source)
    out = 0
    for piece in inflated(counted, kind, name):
        out += len(piece)
        if out > BOMB_FROM and out > counted.count * BOMB_RATIO:
            raise InputError(
                f"{name} unpacks to more than {BOMB_RATIO} times its size: a bomb, not an image", subject=name
            )
        yield piece


def inflated(source: Readable, kind: Compression, name: str) -> Iterator[bytes]:
    """As `decompressed`, from a source that is trusted to hold no bomb: a layer of zeros is none."""
    readers: dict[Compression, Callable[[Readable], Iterator[bytes]]]
    readers = {"none": _plain, "gzip": _gunzip, "zstd": _unzstd}
    try:
        yield from readers[kind](source)
    except (zlib.error, EOFError) as error:
        raise InputError(f"{name} is damaged: {error}", subject=name) from None


def compressed(source: BinaryIO, kind: Compression) -> Iterator[bytes]:
    """The bytes of `source` compressed, in pieces; the same each time with the same version of the library."""
    if kind == "none":
        yield from _plain(source)
        return
    if kind == "gzip":
        encoder: Any = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31)
    else:
        import zstandard

        encoder = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compressobj()
    while chunk := source.read(CHUNK):
        if piece := encoder.compress(chunk):
            yield piece
    yield encoder.flush()


class _CountedSource:
    """Counts the compressed bytes that were taken."""

    def __init__(self, source: Readable) -> None:
        self.count = 0
        self._source = source

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self.count += len(data)
        return data


def _plain(source: Readable) -> Iterator[bytes]:
    while chunk := source.read(CHUNK):
        yield chunk


def _gunzip(source: Readable) -> Iterator[bytes]:
    """gzip members one after the other; zeros behind one are padding, as gzip itself takes them."""
    inflate: Any = None
    members = 0
    while waiting := source.read(CHUNK):
        while waiting:
            if inflate is None:
                waiting = waiting.lstrip(b"\0") if members else waiting
                if not waiting:
                    break
                inflate = zlib.decompressobj(wbits=31)
            if data := inflate.decompress(waiting, CHUNK):
                yield data
            if inflate.eof:
                waiting, inflate, members = inflate.unused_data, None, members + 1
            else:
                waiting = inflate.unconsumed_tail
    if inflate is not None or not members:
        raise EOFError("it ends too early")


def _unzstd(source: Readable) -> Iterator[bytes]:
    import zstandard

    decoder = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW)
    reader = decoder.stream_reader(cast(BinaryIO, source), read_size=CHUNK, read_across_frames=True)
    try:
        while chunk := reader.read(CHUNK):
            yield chunk
    except zstandard.ZstdError as error:
        raise EOFError(str(error)) from None
