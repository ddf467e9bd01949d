"""Compression for transport: what other tools write is read, damage and bombs are told, pieces stay small."""

import gzip
import io
import zlib
from random import Random

import pytest
import zstandard

from portside.common.canonical import CHUNK
from portside.common.compression import Compression, as_file, check_compression, compressed, decompressed, detect
from portside.errors import InputError, RecipeError

DATA = Random(3).randbytes(3 * CHUNK + 7) + bytes(2 * CHUNK) + b"end"


def unpack(data: bytes, kind: Compression) -> bytes:
    return b"".join(decompressed(io.BytesIO(data), kind, "it"))


def pack(data: bytes, kind: Compression) -> bytes:
    return b"".join(compressed(io.BytesIO(data), kind))


@pytest.mark.parametrize("kind", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("data", [b"", b"x", DATA])
def test_there_and_back(kind: Compression, data: bytes) -> None:
    packed = pack(data, kind)
    assert unpack(packed, kind) == data
    assert pack(data, kind) == packed
    if kind != "none":
        assert detect(packed) == kind


def test_what_other_tools_write() -> None:
    assert unpack(gzip.compress(DATA[:CHUNK]) + gzip.compress(DATA[CHUNK:]), "gzip") == DATA
    assert unpack(gzip.compress(DATA) + bytes(10_000), "gzip") == DATA
    one, two = (zstandard.ZstdCompressor(level=1).compress(part) for part in (DATA[:9], DATA[9:]))
    assert unpack(one + two, "zstd") == DATA
    assert gzip.decompress(pack(DATA, "gzip")) == DATA
    assert zstandard.ZstdDecompressor().decompressobj().decompress(pack(DATA, "zstd")) == DATA


def test_gzip_says_no_time_and_no_name() -> None:
    assert pack(b"x", "gzip")[3:8] == bytes(5)


@pytest.mark.parametrize("cut", [0, 1, 5, 20, 100_000, -1, -8])
def test_a_shortened_gzip_stream(cut: int) -> None:
    with pytest.raises(InputError, match="it is damaged"):
        unpack(pack(DATA, "gzip")[:cut], "gzip")


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_damaged_stream(kind: Compression) -> None:
    packed = bytearray(pack(DATA, kind))
    packed[len(packed) // 2] ^= 0xFF
    with pytest.raises(InputError, match="it is damaged"):
        unpack(bytes(packed), kind)


def test_what_follows_a_gzip_stream_and_is_none() -> None:
    with pytest.raises(InputError, match="it is damaged"):
        unpack(pack(b"x", "gzip") + b"junk", "gzip")


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_pieces_are_small_however_much_comes_out(kind: Compression) -> None:
    packed = pack(bytes(40 * CHUNK), kind)
    assert len(packed) < CHUNK
    assert max(len(piece) for piece in decompressed(io.BytesIO(packed), kind, "it")) <= CHUNK


def test_a_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portside.common.compression.BOMB_FROM", 16 * CHUNK)  # a GiB takes seconds, and shows no more
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(bytes(CHUNK)) for _ in range(40)) + packer.flush()
    with pytest.raises(InputError, match="it unpacks to more than"):
        for _ in decompressed(io.BytesIO(packed), "gzip", "it"):
            pass


def test_pieces_as_a_file() -> None:
    stream = as_file(iter([b"ab", b"", b"cde", b"f"]))
    assert [stream.read(4), stream.read(1), stream.read(), stream.read()] == [b"abcd", b"e", b"f", b""]


def test_names_of_compressions() -> None:
    assert check_compression("zstd") == "zstd"
    with pytest.raises(RecipeError, match="no compression 'xz'"):
        check_compression("xz")
