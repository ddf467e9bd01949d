"""A vendor's image as base: what is read out of the file, and files that are not what they should be."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from portside.errors import InputError
from portside.inputs.vendor_image import read_vendor_image
from portside.lock.models import ArchiveBase
from portside.store import Store
from portside.store.indexes import image_index
from portside.store.layout import Blob

BASE = ArchiveBase(file="vendor.tar.gz", architecture="amd64")


def tar(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


LAYERS = (tar({"opt/a": b"a", "opt/b": b"b"}), tar({"opt/.wh.a": b"", "opt/c": b"c"}))


def archive(images: int = 1, **changes: Any) -> bytes:
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2023-03-01T08:09:10.123456789+01:00",
        "config": {"Env": ["PATH=/opt/venv/bin:/bin", "A=b=c", "no name=x", "LINES=a\nb"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(data).hexdigest()}" for data in LAYERS]},
        **changes,
    }
    raw = json.dumps(config).encode()
    name = hashlib.sha256(raw).hexdigest()
    entry = {"Config": f"{name}.json", "RepoTags": ["vendor.example/x:1"], "Layers": ["0/layer.tar", "1/layer.tar"]}
    members = {"0/layer.tar": LAYERS[0], "1/layer.tar": LAYERS[1], f"{name}.json": raw}
    return tar({**members, "manifest.json": json.dumps([entry] * images).encode()})


def write(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "vendor.tar.gz"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_what_the_lock_gets_to_know(tmp_path: Path, packed: bool, capsys: pytest.CaptureFixture[str]) -> None:
    data = gzip.compress(archive()) if packed else archive()
    store = Store(tmp_path / "home")
    found = read_vendor_image(write(tmp_path, data), BASE, store)
    assert (found.sha256, found.size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert found.epoch == 1677654550
    assert found.reference == "vendor.example/x:1"
    assert found.env == {"PATH": "/opt/venv/bin:/bin", "A": "b=c"}
    assert "left out: variables with odd names, or with line breaks in their values: 'LINES', 'no name'" in (
        capsys.readouterr().err
    )
    assert [layer.diff_id for layer in found.layers] == [hashlib.sha256(layer).hexdigest() for layer in LAYERS]
    assert all(store.layout.blob(layer.diff_id).read_bytes() in LAYERS for layer in found.layers)
    assert read_vendor_image(tmp_path / "vendor.tar.gz", found, store) == found


def test_the_index_of_its_file_system(tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    base = read_vendor_image(write(tmp_path, archive()), BASE, store)
    blobs = [Blob(layer.diff_id, layer.size) for layer in base.layers]
    for _ in range(2):  # computed, then read from the store
        entries = image_index(blobs, store, foreign=2).entries
        assert sorted(path for path, entry in entries.items() if entry.kind == "file") == ["opt/b", "opt/c"]


@pytest.mark.parametrize(
    ("data", "base", "expected"),
    [
        (archive(), BASE.model_copy(update={"sha256": "0" * 64}), "the lock says 000"),
        (archive(), BASE.model_copy(update={"size": 5}), "the lock says 5"),
        (archive(images=2), BASE, "holds 2 images"),
        (archive(architecture="arm64"), BASE, "is for linux/arm64"),
        (archive(created="yesterday"), BASE, "no proper date"),
        (archive(rootfs={"type": "layers", "diff_ids": ["sha256:" + "0" * 64]}), BASE, "vendor.tar.gz"),
        (b"no tar", BASE, "vendor.tar.gz"),
        (gzip.compress(archive())[:-200], BASE, "vendor.tar.gz"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, data: bytes, base: ArchiveBase, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        read_vendor_image(write(tmp_path, data), base, Store(tmp_path / "home"))
    assert expected in caught.value.problem


@pytest.mark.parametrize("config", ["x", [], 5, {"Env": 5}, {"Env": "PATH=/x"}, {"Env": {"a": 1}}, {"Env": [None, 5]}])
def test_settings_of_the_image_that_are_none(tmp_path: Path, config: Any) -> None:
    found = read_vendor_image(write(tmp_path, archive(config=config)), BASE, Store(tmp_path / "home"))
    assert found.env == {}
