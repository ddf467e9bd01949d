"""One way to write a value as bytes, so that the same value has the same hash everywhere."""

import hashlib
import json
from collections.abc import Callable
from typing import Any, BinaryIO

from portside.common.values import Sha256

CHUNK = 1 << 20
"""Bytes read at once wherever a file is streamed."""


def canonical_json(value: Any) -> bytes:
    """UTF-8 JSON with sorted keys, no insignificant white space and no escapes but the required ones.

    Raises ValueError for NaN and infinities, which JSON has no word for.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "surrogateescape")


def sha256_hex(data: bytes) -> Sha256:
    return Sha256(hashlib.sha256(data).hexdigest())


def digest_of(value: Any) -> Sha256:
    """The sha256 (64 hex digits) of a value's canonical JSON."""
    return sha256_hex(canonical_json(value))


def copy_and_hash(source: BinaryIO, write: Callable[[bytes], object] | None = None) -> tuple[Sha256, int]:
    """Read `source` to its end, hand every chunk to `write`; gives (sha256 hex, bytes)."""
    digest = hashlib.sha256()
    size = 0
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
        if write is not None:
            write(chunk)
    return Sha256(digest.hexdigest()), size
