"""Archives with many names of one image, and with indexes that name one another."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

import portside.archive.read
from portside.archive.read import TakenArchive, read_archive
from portside.errors import InputError
from portside.store import Store


def read(tmp_path: Path, names: int, *, nested: int = 0, times: int = 1) -> TakenArchive:
    """nested: how many indexes stand above the one with the names. times: how often each names the one below it."""
    blobs: dict[str, bytes] = {}

    def put(data: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {"digest": f"sha256:{digest}", "size": len(data)}

    layer = bytes(10240)
    diff_ids = [put(layer)["digest"]]
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}})
    manifest = put(json.dumps({"config": put(config.encode()), "layers": [put(layer)]}).encode())
    rows = [manifest | {"annotations": {"org.opencontainers.image.ref.name": f"x/y:{n}"}} for n in range(names)]
    index: dict[str, Any] = {"schemaVersion": 2, "manifests": rows}
    for _ in range(nested):
        index = {"schemaVersion": 2, "manifests": [put(json.dumps(index).encode())] * times}
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        files = {f"blobs/sha256/{digest}": data for digest, data in blobs.items()}
        for name, data in {"index.json": json.dumps(index).encode(), **files}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return read_archive(tmp_path / "a.tar", Store(tmp_path / "home"))


def test_thousands_of_names_of_one_image(tmp_path: Path) -> None:
    (image,) = read(tmp_path, 3_000).images
    assert image.names[:2] == ("x/y:0", "x/y:1") and len(image.names) == 3_000


def test_indexes_that_name_one_another_a_thousand_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portside.archive.read, "MOST_ROWS", 1000)
    with pytest.raises(InputError, match="it names more than 1000 images"):
        read(tmp_path, 100, nested=2, times=1000)
