"""Indexes, manifests and configs of an image that say anything: read into values of the right types, or refused."""

import json
from typing import Any

import pytest
from hostile import Canary, dump, mutations
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from portside.common import oci
from portside.common.values import DiffID, Sha256, Size
from portside.errors import InputError
from portside.inputs.vendor_config import check_platform, created, environment
from portside.lock.bases import ImageBase
from portside.lock.registry_image import ImageDocument, RegistryLayer
from portside.registry.answer import LARGEST_MANIFEST
from portside.registry.image_manifest import check_layers, media_type, read_config, read_index, read_manifest

A, B = "a" * 64, "b" * 64
PLATFORM = {"os": "linux", "architecture": "arm64", "variant": "v8"}
ROW: dict[str, Any] = {"mediaType": oci.MANIFEST, "digest": f"sha256:{A}", "size": 5}
INDEX: dict[str, Any] = {
    "schemaVersion": 2,
    "mediaType": oci.INDEX,
    "manifests": [
        ROW | {"platform": PLATFORM},
        ROW | {"mediaType": oci.INDEX},
        ROW | {"platform": {"os": "unknown", "architecture": "unknown"}, "annotations": {"x": "y"}},
    ],
}
MANIFEST: dict[str, Any] = {
    "schemaVersion": 2,
    "mediaType": oci.MANIFEST,
    "config": {"mediaType": oci.CONFIG, "digest": f"sha256:{A}", "size": 5},
    "layers": [
        {"mediaType": f"{oci.LAYER}+gzip", "digest": f"sha256:{A}", "size": 5},
        {"mediaType": oci.LAYER, "digest": f"sha256:{B}", "size": 6},
    ],
}
CONFIG: dict[str, Any] = {
    "architecture": "arm64",
    "os": "linux",
    "created": "2023-03-01T08:09:10.123456789+01:00",
    "config": {"Env": ["PATH=/bin", "A=b"]},
    "rootfs": {"type": "layers", "diff_ids": [f"sha256:{B}", f"sha256:{B}"]},
}


@pytest.fixture
def canary(tmp_path: Any) -> Canary:
    return Canary(tmp_path / "outside")


def check(document: ImageDocument) -> None:
    assert type(document.sha256) is Sha256 and type(document.size) is Size
    assert document.size <= LARGEST_MANIFEST


def test_any_index(canary: Canary) -> None:
    @given(mutations(INDEX, canary.path))
    def attempt(value: Any) -> None:
        try:
            media_type(dump(value))
            offered = read_index(dump(value), "arm64")
        except InputError:
            return
        for document in offered.manifests:
            check(document)
            assert document.media_type in oci.MANIFESTS
        for document in offered.indexes:
            check(document)
        assert all(platform.isprintable() for platform in offered.has)

    attempt()


def test_any_manifest(canary: Canary) -> None:
    @given(mutations(MANIFEST, canary.path))
    def attempt(value: Any) -> None:
        try:
            media_type(dump(value))
            manifest = read_manifest(dump(value))
            check_layers(manifest.layers, [DiffID(B)] * 2)
        except InputError:
            return
        check(manifest.config)
        for layer in manifest.layers:
            assert type(layer.digest) is Sha256 and type(layer.size) is Size and layer.media_type in oci.LAYERS

    attempt()


def test_any_config_makes_a_base_that_a_lock_can_say(canary: Canary) -> None:
    document = ImageDocument(media_type=oci.CONFIG, size=Size(5), sha256=Sha256(A))

    @given(mutations(CONFIG, canary.path))
    def attempt(value: Any) -> None:
        data = dump(value)
        try:
            config, diff_ids = read_config(data), oci.diff_ids_of(data)
            check_layers(read_manifest(dump(MANIFEST)).layers, diff_ids)
            check_platform("x", config, "arm64", "image")
            base = ImageBase(
                image="x:1",  # type: ignore[arg-type]
                architecture="arm64",
                manifest=document,
                config=document,
                epoch=created("x", config),
                env=environment("x", config),
                layers=tuple(
                    RegistryLayer(diff_id=diff_id, packed=Sha256(A), packed_size=Size(5), media_type=oci.LAYER)
                    for diff_id in diff_ids
                ),
            )
        except InputError:
            return
        assert ImageBase.model_validate_json(base.model_dump_json()) == base

    attempt()


def test_variables_that_no_lock_can_say(capsys: pytest.CaptureFixture[str]) -> None:
    config = json.loads('{"config": {"Env": ["A=\\ud800", "B=ok", "C=a\\nb", "\\ud800=x"]}}')
    assert environment("x", config) == {"B": "ok"}
    assert "x: left out: variables with odd names" in capsys.readouterr().err


@given(st.binary(max_size=60))
def test_any_bytes(data: bytes) -> None:
    for read in (media_type, read_manifest, read_config, lambda raw: read_index(raw, "amd64"), oci.diff_ids_of):
        try:
            read(data)  # type: ignore[operator]
        except InputError:
            continue


@pytest.mark.parametrize("data", [b"", b"[" * 100_000, b"[]", b"5", b"\xff", b"9" * 5000, b'{"manifests": {}}'])
def test_documents_that_are_none(data: bytes) -> None:
    for read in (read_manifest, lambda raw: read_index(raw, "amd64")):
        with pytest.raises(InputError):
            read(data)


def test_any_base_in_a_lock(canary: Canary) -> None:
    good = {
        "image": f"registry.example/x:1@sha256:{A}",
        "architecture": "arm64",
        "indexes": [{"media_type": oci.INDEX, "size": 5, "sha256": A}],
        "manifest": {"media_type": oci.MANIFEST, "size": 5, "sha256": A},
        "config": {"media_type": oci.CONFIG, "size": 5, "sha256": A},
        "epoch": 5,
        "env": {"A": "b"},
        "layers": [{"diff_id": B, "packed": A, "packed_size": 5, "media_type": f"{oci.LAYER}+zstd"}],
    }
    assert ImageBase.model_validate(good).layers[0].size is None

    @given(mutations(good, canary.path))
    def attempt(value: Any) -> None:
        try:
            base = ImageBase.model_validate(value)
        except ValidationError:
            return
        for file in base.inputs("base"):
            assert type(file.sha256) is Sha256 and type(file.size) is Size
        for _, manifest in base.parts():
            assert type(manifest["diff_id"]) is DiffID
        assert base.layers and all(layer.compression in ("none", "gzip", "zstd") for layer in base.layers)

    attempt()
    canary.check()
