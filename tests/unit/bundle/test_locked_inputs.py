"""What a lock names, each once."""

import pytest

from portside.errors import LockError
from portside.lock.bases import ArchiveBase, ArchiveLayer, DebianBase, LockedBase
from portside.lock.inputs import base_files, base_layers, git_sources, locked_files
from portside.lock.models import Lock, LockedWeightFile, LockedWeights
from portside.lock.packages import Deb, LockedEnv, PackageSet
from portside.lock.sources import LockedGitSource

DEB = Deb(name="d", version="1", architecture="amd64", path="pool/d.deb", size=3, sha256="d" * 64)
VENDOR = ArchiveBase(
    file="vendor.tar",
    architecture="amd64",
    layers=tuple(ArchiveLayer(diff_id=digit * 64, size=number) for number, digit in enumerate("bcb")),
)


def lock(base: LockedBase = VENDOR, *, sha256: str | None = "e" * 64) -> Lock:
    source = LockedGitSource(epoch=0, url="https://example.org/r.git", commit="1" * 40, tree="2" * 40)
    files = (LockedWeightFile(path="a", size=5, sha256=sha256), LockedWeightFile(path="same", size=5, sha256=sha256))
    return Lock(
        recipe="r",
        epoch=0,
        requests={},
        base=base,
        env=LockedEnv(sets=(PackageSet(recipe="r", epoch=0, debs=(DEB,)),)),
        sources={"one": source, "two": source},
        weights={"w": LockedWeights(epoch=0, files=files)},
    )


def test_every_input_is_named_once() -> None:
    assert [(file.sha256[0], file.size) for file in locked_files(lock())] == [("d", 3), ("e", 5)]
    assert len(git_sources(lock())) == 1


def test_a_vendors_layer_that_occurs_twice_is_named_once() -> None:
    assert [file.sha256[0] for file in base_layers(lock())] == ["b", "c"]
    assert base_files(lock()) == []


def test_a_debian_base_is_a_layer_and_its_debs() -> None:
    base = DebianBase(
        suite="s", architecture="amd64", snapshot="20200101T000000Z", epoch=0, debs=(DEB,), diff_id="a" * 64, size=9
    )
    assert [(file.sha256[0], file.size) for file in base_layers(lock(base))] == [("a", 9)]
    assert [file.title for file in base_files(lock(base))] == ["d 1"]


def test_an_input_without_a_hash_is_refused() -> None:
    with pytest.raises(LockError, match="no sha256 for a"):
        locked_files(lock(sha256=None))
