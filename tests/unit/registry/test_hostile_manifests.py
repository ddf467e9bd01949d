"""Manifests and answers of a registry that say anything."""

import json
from typing import Any

import pytest
from hostile import Canary, dump, mutations
from hypothesis import given
from small_project import Machine, Small

from portside.common.canonical import sha256_hex
from portside.common.values import DiffID, ImageID, Sha256, Size
from portside.errors import RegistryError
from portside.registry.answer import Answer, errors_of
from portside.registry.blob import RegistryBlob
from portside.registry.upload import _received
from portside.share.manifests import image_manifest, layer_manifest, read_image_manifest, read_layer_manifest


@pytest.fixture
def canary(tmp_path: Any) -> Canary:
    return Canary(tmp_path / "outside")


BLOB = RegistryBlob(Sha256("a" * 64), Size(5), "gzip", Sha256("b" * 64), Size(10))


def check(blob: RegistryBlob) -> None:
    assert type(blob.digest) is Sha256 and type(blob.diff_id) is DiffID
    assert type(blob.size) is type(blob.travels) is Size


def test_any_manifest_of_an_image(canary: Canary) -> None:
    @given(mutations(json.loads(image_manifest(b"{}", [BLOB, BLOB])), canary.path))
    def attempt(value: Any) -> None:
        try:
            digest, size, blobs = read_image_manifest(dump(value))
        except RegistryError:
            return
        assert type(digest) is ImageID and type(size) is Size
        for blob in blobs:
            check(blob)

    attempt()


def test_any_manifest_of_a_layer(small: Small, machine: Any, canary: Canary) -> None:
    made: Machine = machine("here")
    layer = made.plan.layer("weights")
    good = json.loads(layer_manifest(layer, {part.key: BLOB for part in layer.parts}))

    @given(mutations(good, canary.path))
    def attempt(value: Any) -> None:
        try:
            blobs = read_layer_manifest(dump(value), layer)
        except RegistryError:
            return
        for blob in blobs.values():
            check(blob)

    attempt()


@pytest.mark.parametrize("data", [b"", b"[" * 100_000, b"[]", b"5", b'{"layers": 5}', b"\xff", b"9" * 5000])
def test_manifests_that_are_none(data: bytes) -> None:
    with pytest.raises(RegistryError):
        read_image_manifest(data)


@pytest.mark.parametrize("digest", ["sha256:/etc/passwd", "sha256:" + "../" * 21 + "x", "a" * 64, "sha512:" + "a" * 64])
def test_a_digest_that_leads_elsewhere(digest: str) -> None:
    value = json.loads(image_manifest(b"{}", [BLOB]))
    value["layers"][0]["digest"] = digest
    with pytest.raises(RegistryError, match="is no sha256 digest"):
        read_image_manifest(dump(value))
    value = json.loads(image_manifest(b"{}", [BLOB]))
    value["config"]["digest"] = digest
    with pytest.raises(RegistryError, match="is no sha256 digest"):
        read_image_manifest(dump(value))


def test_what_a_registry_complains_of() -> None:
    import httpx

    def errors(body: bytes) -> list[tuple[str, str]]:
        return errors_of(Answer(400, httpx.Headers(), body, httpx.URL("http://x")))

    assert errors(b'{"errors": [{"code": "DENIED", "message": "a\\nb"}]}') == [("DENIED", "a b")]
    for body in (b"", b"[" * 100_000, b'{"errors": 5}', b'{"errors": [5]}', b'{"errors": {}}', b"\xff"):
        assert errors(body) == []


@pytest.mark.parametrize("last", ["5", "9" * 18, "9" * 5000])
def test_how_far_a_session_is(last: str) -> None:
    import httpx

    assert _received(httpx.Headers({"Range": f"0-{last}"})) == (int(last) + 1 if len(last) < 19 else None)


def test_a_hash_is_one_from_the_start() -> None:
    assert type(sha256_hex(b"")) is Sha256
