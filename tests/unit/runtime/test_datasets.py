"""Data sets of run targets: brought when needed, locked when first seen, unpacked once."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest
from runtime_recipes import make_recipe

from portside.config import Config, KeptFolder
from portside.errors import InputError
from portside.lock.bases import DebianBase
from portside.lock.models import Lock, ManualFile
from portside.lock.packages import LockedEnv
from portside.runtime.datasets import data_mounts, pin_data, target_data, unpack_data
from portside.store import Store

RUN = {"targets": {"train": {"description": "d", "command": "c", "data": ["ads"]}}}
RECIPE = make_recipe(run=RUN, data={"ads": {"file": "ads.tar.gz", "origin": "a cloud drive", "to": "glm/Ads"}})


def lock(sha256: str | None = None) -> Lock:
    base = DebianBase(suite="s", architecture="amd64", snapshot="t", epoch=1, debs=(), diff_id="0" * 64, size=1)
    data = {"ads": ManualFile(file="ads.tar.gz", sha256=sha256)}
    return Lock(recipe="glm", epoch=1, requests={}, base=base, env=LockedEnv(), sources={}, weights={}, data=data)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "files").mkdir()
    return Config(home=tmp_path / "home", folders=(tmp_path / "files",))


def bring(config: Config) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        info = tarfile.TarInfo("AdvertiseGen/train.json")
        info.size = 2
        archive.addfile(info, io.BytesIO(b"{}"))
    (config.folders[0] / "ads.tar.gz").write_bytes(out.getvalue())
    return out.getvalue()


def test_a_target_names_what_it_needs() -> None:
    assert target_data(RECIPE, "train") == ("ads",)
    assert target_data(RECIPE, None) == ()


def test_first_sight_locks_and_the_mount_has_the_files(config: Config) -> None:
    data = bring(config)
    store = Store(config.home)
    pinned = pin_data(RECIPE, lock(), ("ads",), store, config)
    assert pinned.data["ads"].sha256 == hashlib.sha256(data).hexdigest()
    assert pinned.data["ads"].size == len(data)
    unpack_data(pinned, ("ads",), store)
    [mount] = data_mounts(RECIPE, pinned, ("ads",), store)
    assert (Path(mount.source) / "train.json").read_bytes() == b"{}"
    assert (mount.target, mount.read_only) == (f"{RECIPE.workspace}/glm/Ads", True)
    before = (Path(mount.source) / "train.json").stat().st_ino
    unpack_data(pinned, ("ads",), store)
    assert (Path(mount.source) / "train.json").stat().st_ino == before


def test_what_is_missing_is_named_with_its_place(config: Config) -> None:
    with pytest.raises(InputError) as caught:
        pin_data(RECIPE, lock(), ("ads",), Store(config.home), config)
    assert "ads.tar.gz: size unknown, sha256 unknown" in caught.value.problem
    assert "a cloud drive" in caught.value.problem
    assert str(config.folders[0]) in (caught.value.solution or "")


def test_other_bytes_than_the_locked_ones_are_refused(config: Config) -> None:
    bring(config)
    with pytest.raises(InputError, match="sha256"):
        pin_data(RECIPE, lock("0" * 64), ("ads",), Store(config.home), config)


def test_an_archive_that_is_left_in_place(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bring(config)
    file = config.folder_paths[0] / "ads.tar.gz"
    config = Config(home=config.home, folders=(KeptFolder(path=file.parent, keep="in place"),))
    store = Store(config.home)
    pinned = pin_data(RECIPE, lock(), ("ads",), store, config)
    sha256 = pinned.data["ads"].sha256
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert not store.inputs.path(sha256).exists()
    unpack_data(pinned, ("ads",), store)
    [mount] = data_mounts(RECIPE, pinned, ("ads",), store)
    assert (Path(mount.source) / "train.json").read_bytes() == b"{}"
    with monkeypatch.context() as patch:
        patch.setattr("portside.store.seen.Seen.read", lambda *args: pytest.fail("it is known"))
        assert pin_data(RECIPE, lock(), ("ads",), Store(config.home), config) == pinned
    file.write_bytes(b"x" * len(data))
    with pytest.raises(InputError, match=f"{file}: its sha256 is .*, the lock says") as caught:
        pin_data(RECIPE, pinned, ("ads",), Store(config.home), config)
    assert "--update ads" in (caught.value.solution or "")
    assert file.read_bytes() == b"x" * len(data)
