"""Chain IDs against the formula of the image specification, written out."""

import hashlib

from portside.common.oci import chain_ids

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def joined(chain: str, diff_id: str) -> str:
    return hashlib.sha256(f"sha256:{chain} sha256:{diff_id}".encode()).hexdigest()


def test_chain_ids() -> None:
    assert chain_ids([]) == []
    assert chain_ids([A, B, C]) == [A, joined(A, B), joined(joined(A, B), C)]
