"""Locks of other people and records of the store that somebody edited: refused in words, and no path leads out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile import Canary, dump, mutations, replaced, ways
from hypothesis import given, settings
from hypothesis import strategies as st

from portside.common.values import FileName, Sha256, Size
from portside.errors import LockError, StoreError
from portside.lock.file import dump_lock, read_lock
from portside.lock.inputs import base_layers, git_sources, locked_files
from portside.lock.models import Lock
from portside.store import Store
from portside.store.layout import Blob, Image

ROOT = Path(__file__).resolve().parents[3]
LOCKS = [ROOT / "recipes" / f"{name}.lock" for name in ("minilm", "chatglm")]
HEX = "ab" * 32


@pytest.fixture
def canary(tmp_path: Path) -> Canary:
    return Canary(tmp_path / "outside")


def shortened(value: Any) -> Any:
    """A lock with two items of each list: as many kinds of places, and far fewer of them."""
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    return [shortened(item) for item in value[:2]] if isinstance(value, list) else value


def check_lock(lock: Lock, home: Path) -> None:
    """Whatever becomes a path has a type that leads nowhere else."""
    for file in [*locked_files(lock), *base_layers(lock)] if not lock.unpinned() else base_layers(lock):
        assert isinstance(file.sha256, Sha256) and type(file.size) is Size
        assert (home / file.sha256).parent == home
    for source in git_sources(lock):
        assert not source.url.startswith("-") and "ext::" not in source.url
    names = [lock.recipe, *lock.sources, *lock.weights, *lock.data]
    names += [wheel.file for s in lock.env.sets if s.python for wheel in (*s.python.wheels, *s.python.manual)]
    assert all((home / name).parent == home and FileName(name) == name for name in names)


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_any_lock(path: Path, tmp_path: Path, canary: Canary) -> None:
    good = shortened(json.loads(path.read_bytes()))
    place = tmp_path / "x.lock"

    @given(mutations(good, canary.path))
    def attempt(value: Any) -> None:
        place.write_bytes(dump(value))
        try:
            lock = read_lock(place)
        except LockError as error:
            assert str(place) in error.problem and error.solution
            return
        assert lock is not None
        check_lock(lock, tmp_path)
        dump_lock(lock)

    attempt()


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.lock")), ids=lambda path: path.stem)
def test_every_lock_of_today_is_read_and_stays(path: Path) -> None:
    lock = read_lock(path)
    assert lock is not None
    check_lock(lock, ROOT)
    assert dump_lock(lock) == path.read_text()


@pytest.mark.parametrize("new", [b"[" * 200_000, b'{"format": ' + b"9" * 5000 + b"}", b"\xff", b'"\\ud800"'])
def test_locks_that_are_no_json_of_any_use(new: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.lock").write_bytes(new)
    with pytest.raises(LockError):
        read_lock(tmp_path / "x.lock")


def test_an_epoch_that_no_tar_holds(tmp_path: Path) -> None:
    good = json.loads(LOCKS[0].read_bytes())
    for epoch in (-1, 1 << 40, True, 1.5, "1"):
        (tmp_path / "x.lock").write_bytes(dump({**good, "epoch": epoch}))
        with pytest.raises(LockError, match="epoch"):
            read_lock(tmp_path / "x.lock")


# The store's own records


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with one of each record."""
    store = Store(tmp_path / "home")
    blob = Blob(store.layout.put_blob(b"layer"), Size(5))
    store.layout.put_image("r:env", Image(b"{}", (blob,)))
    store.keep("keys", HEX, {"diff_id": blob.digest, "size": 5, "details": {"patches": []}})
    store.keep("packed", f"{HEX}-gzip", {"digest": HEX, "size": 5})
    store.keep("built", "r", {"env/base": {"diff_id": HEX}})
    store.note_checkout(tmp_path)
    store.inputs.note_in_blob(HEX, blob.digest, 0, 5)
    return store


RECORDS: dict[str, Callable[[Store], object]] = {
    f"keys/{HEX}.json": lambda store: store.record("keys", HEX),
    f"packed/{HEX}-gzip.json": lambda store: store.record("packed", f"{HEX}-gzip"),
    "built/r.json": lambda store: store.record("built", "r"),
    "checkouts": lambda store: store.checkouts(),
    f"inputs/sha256/{HEX}.json": lambda store: store.inputs.locate(HEX),
    "oci/index.json": lambda store: (store.layout.refs(), store.layout.image("r:env")),
    "oci/blobs/sha256": lambda store: store.layout.image("r:env"),
}
"""How each is read. A folder stands for the one record in it: of the blobs, the manifest."""


def the_file(store: Store, name: str) -> Path:
    path = store.home / name
    if not path.is_dir():
        return path
    [found] = [file for file in path.iterdir() if name == "checkouts" or b"schemaVersion" in file.read_bytes()]
    return found


@pytest.mark.parametrize("name", RECORDS)
def test_any_record(name: str, store: Store, canary: Canary) -> None:
    path = the_file(store, name)
    good = json.loads(path.read_bytes())
    assert RECORDS[name](store)

    @settings(max_examples=60)
    @given(st.one_of(mutations(good, canary.path), st.sampled_from([None, 5, [], {}, "x"])))
    def attempt(value: Any) -> None:
        path.chmod(0o644)
        path.write_bytes(dump(value))
        try:
            RECORDS[name](store)
        except StoreError as error:
            assert error.solution
        canary.check()

    attempt()


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_that_leads_elsewhere(name: str, store: Store, canary: Canary) -> None:
    """Each place of each record, one after the other."""
    path = the_file(store, name)
    good = json.loads(path.read_bytes())
    path.chmod(0o644)
    for way in ways(good):
        path.write_bytes(dump(replaced(good, way, f"sha256:{canary.path}")))
        try:
            RECORDS[name](store)
        except StoreError:
            continue
        assert way[-1] in ("root", "mediaType", "schemaVersion", "diff_id", "annotations", REF) or "details" in way
    canary.check()


REF = "org.opencontainers.image.ref.name"
