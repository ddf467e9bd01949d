"""The second build's conditions differ from the first one's, whatever those are, and share nothing but inputs."""

import hashlib
import os
from pathlib import Path

import pytest

from portside.common.tree import Tree, file_entry
from portside.lock.bases import DebianBase
from portside.lock.models import Lock, LockedWeightFile, LockedWeights
from portside.lock.packages import LockedEnv
from portside.store import Store
from portside.verify.conditions import INPUT_TIME, other_conditions, put_reversed
from portside.verify.scratch import scratch_store


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"TZ": "Pacific/Kiritimati", "LC_ALL": "C"},
        {"LANG": "C.UTF-8", "LC_TIME": "de_DE.UTF-8", "PYTHONHASHSEED": "0"},
    ],
)
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_every_condition_is_another(environment: dict[str, str], umask: int) -> None:
    old = os.umask(umask)
    try:
        conditions = other_conditions(environment)
        assert os.umask(umask) == umask  # looking did not change it
    finally:
        os.umask(old)
    assert conditions.umask != umask
    new = conditions.environment({"PATH": "/bin", **environment})
    assert new["PATH"] == "/bin" and "LC_TIME" not in new
    assert new["TZ"] != environment.get("TZ") and new["PYTHONHASHSEED"] == "random"
    assert new["LC_ALL"] == new["LANG"] != (environment.get("LC_ALL") or environment.get("LANG"))


def test_inputs_of_a_step_have_another_time_and_are_copies(tmp_path: Path) -> None:
    source = tmp_path / "source"
    Tree([file_entry("a", b"1"), file_entry("debs/b", b"2")]).write_to(source)
    put_reversed(Tree(Tree.from_folder(source).files()), tmp_path / "context")
    for name in ("a", "debs/b"):
        target = tmp_path / "context" / name
        assert target.read_bytes() == (source / name).read_bytes()
        assert target.stat().st_mtime == INPUT_TIME != (source / name).stat().st_mtime
        assert target.stat().st_ino != (source / name).stat().st_ino


def test_a_scratch_store_has_the_inputs_and_nothing_else(tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    data = b"weights"
    digest = hashlib.sha256(data).hexdigest()
    with store.inputs.receive("w", digest, len(data)) as receiver:
        receiver.write(data)
    base, other = store.layout.put_blob(b"the base"), store.layout.put_blob(b"another layer")
    store.keep("keys", "k", {"diff_id": other})
    locked = DebianBase(
        suite="s", architecture="amd64", snapshot="20200101T000000Z", epoch=0, debs=(), diff_id=base, size=8
    )
    weights = LockedWeights(epoch=0, files=(LockedWeightFile(path="w", size=len(data), sha256=digest),))
    lock = Lock(recipe="r", epoch=0, requests={}, base=locked, env=LockedEnv(), sources={}, weights={"w": weights})
    scratch, can_make = scratch_store(lock, store, tmp_path / "scratch", [base])
    assert not can_make
    place = scratch.inputs.require(digest, "w")
    assert place.path.samefile(store.inputs.path(digest)) and place.path != store.inputs.path(digest)
    assert scratch.layout.has(base, 8) and not scratch.layout.has(other, 13)
    assert scratch.record("keys", "k") is None
