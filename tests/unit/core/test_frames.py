"""Blobs that are made of a kept file when they are read: the same bytes as ever, and never those of another file."""

import fcntl
import hashlib
import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portside.common.tree import Bytes, Entry, Tree
from portside.errors import DamagedError, InputError
from portside.layers.canonical import data_layer
from portside.layers.engine_layer import read
from portside.layers.layer import Layer
from portside.layers.writer import read_layer, single_file_frame, write_layer
from portside.store import Store, frame
from portside.store.clone import FICLONE
from portside.store.layout import Blob
from portside.store.records import seen_record
from portside.store.seen import COARSE, TICK, Seen

DATA = bytes(range(256)) * 4096
SHA = hashlib.sha256(DATA).hexdigest()
KEY = "e" * 64
LONG = "/".join(["a" * 60] * 5)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def layer_of(data: bytes, path: str = "w/big.bin") -> Layer:
    sha256 = hashlib.sha256(data).hexdigest()
    return data_layer(Tree([Entry(path, "file", 0o644, size=len(data), sha256=sha256, content=Bytes(data))]), 7)


def anywhere(path: Path) -> bool:
    return True


def take(store: Store, file: Path, layer: Layer) -> Blob:
    """Use a person's file in place as a frame."""
    with frame.receive(store, KEY, layer, anywhere) as sink, file.open("rb") as source:
        assert sink.take(file, source)
    return noted(store)


def noted(store: Store) -> Blob:
    record = store.record("keys", KEY)
    assert record is not None
    return Blob(record["diff_id"], record["size"])


def kept(tmp_path: Path, data: bytes = DATA) -> Path:
    path = tmp_path / "models" / "big.bin"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


@settings(deadline=None, max_examples=25)
@given(
    size=st.sampled_from([0, 1, 511, 512, 513, 1024, 70_001]),
    path=st.sampled_from(["b", "w/big.bin", "gewichte/größe.bin", "模型/权重.bin", f"{LONG}/x.bin", "w/\udcff.bin"]),
    start=st.integers(0, 80_000),
    length=st.integers(0, 80_000),
    in_place=st.booleans(),
)
def test_the_bytes_are_those_of_the_written_layer(
    size: int, path: str, start: int, length: int, in_place: bool
) -> None:
    data = (DATA * 2)[:size]
    layer = layer_of(data, path)
    out = BytesIO()
    written = write_layer(layer, out)
    with tempfile.TemporaryDirectory() as folder:
        store, file = Store(Path(folder, "home")), Path(folder, "some file")
        file.write_bytes(data)
        if in_place:
            blob = take(store, file, layer)
        else:
            with frame.receive(store, KEY, layer) as sink:
                sink.write(data)
            blob = Blob(written.diff_id, written.size)
        assert (blob.digest, blob.size) == (written.diff_id, written.size)
        assert store.layout.has(blob.digest, blob.size) and store.layout.file(blob.digest) is None
        assert store.layout.open(blob).read() == out.getvalue()
        tar = store.layout.tar(blob.digest)
        assert tar.content.size == written.size
        assert tar.content.part(start, length).open().read() == out.getvalue()[start : start + length]
        assert read_layer(tar).entries[-1] == layer.entries[-1]
        assert not (store.home / "oci").exists()


def test_more_than_a_header_can_say(store: Store, tmp_path: Path) -> None:
    """9 GiB that are not read: a hole."""
    file = tmp_path / "sparse.bin"
    with file.open("wb") as out:
        out.truncate(9 << 30)
    layer = data_layer(Tree([Entry("w/big.bin", "file", 0o644, size=9 << 30, sha256=SHA)]), 7)
    head, tail = single_file_frame(layer)
    assert b" size=9663676416\n" in head
    store.inputs.seen.note(file, SHA, file.stat())
    store.inputs.note_in_place(SHA, file, 9 << 30)
    store.layout.keep_frame("f" * 64, frame_record(head, 9 << 30, tail))
    tar = store.layout.tar("f" * 64)
    assert tar.content.size == store.layout.size("f" * 64) == len(head) + (9 << 30) + len(tail)
    entry = read(tar).entries["w/big.bin"]
    assert entry.size == 9 << 30 and entry.content is not None
    assert entry.content == store.inputs.locate(SHA)
    assert tar.content.part(0, len(head)).open().read() == head
    assert tar.content.part(len(head) + (9 << 30) - 512, 512 + len(tail)).open().read() == bytes(512 + len(tail))


def frame_record(head: bytes, size: int, tail: bytes) -> Any:
    import base64

    return {"head": base64.b64encode(head).decode(), "file": SHA, "size": size, "tail": len(tail)}


def overwritten(path: Path) -> None:
    """Other bytes of the same size, with the time of before."""
    before = path.stat()
    with path.open("r+b") as stream:
        stream.write(b"other")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path: Path) -> None:
    before = path.stat()
    new = path.with_name("new")
    new.write_bytes(b"other" + DATA[5:])
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    new.rename(path)


def truncated(path: Path) -> None:
    os.truncate(path, 1000)


def removed(path: Path) -> None:
    path.unlink()


CHANGES = [overwritten, replaced, truncated, removed]


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changed_in_place_is_no_blob(store: Store, tmp_path: Path, change: Callable[[Path], None]) -> None:
    file, layer = kept(tmp_path), layer_of(DATA)
    blob = take(store, file, layer)
    store.layout.check(blob)
    change(file)
    assert store.inputs.locate(SHA) is None and store.layout.size(blob.digest) is None
    for attempt in (lambda: store.layout.open(blob), lambda: store.layout.tar(blob.digest)):
        with pytest.raises(DamagedError, match=f"{file}, which the store uses in place, ") as caught:
            attempt()
        assert "--update" in str(caught.value.solution)
    assert frame.make(store, KEY, layer) is False
    with pytest.raises(InputError, match=f"big.bin: {file}, which the store uses in place, ") as refused:
        store.inputs.require(SHA, "big.bin")
    assert "Put the file back" in str(refused.value.solution)
    assert change is removed or file.exists(), "a person's file is left alone"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(DATA)
    assert store.inputs.require(SHA, "big.bin").path == file
    store.layout.check(blob)


@pytest.mark.parametrize("change", [overwritten, truncated])
def test_a_file_that_changes_while_it_is_streamed(store: Store, tmp_path: Path, change: Callable[[Path], None]) -> None:
    file = kept(tmp_path)
    blob = take(store, file, layer_of(DATA))
    got = 0
    with pytest.raises(DamagedError, match=f"its sha256 is .*; {file}"), store.layout.open(blob) as stream:
        assert stream.read(512)
        change(file)
        while data := stream.read(1 << 16):
            got += len(data)
    assert got + 512 < blob.size, "nobody has all of the wrong bytes"


def test_a_file_that_was_only_touched_is_read_again_and_used(store: Store, tmp_path: Path) -> None:
    file, layer = kept(tmp_path), layer_of(DATA)
    blob = take(store, file, layer)
    file.chmod(0o600)
    assert not store.layout.has(blob.digest, blob.size)
    assert frame.make(store, KEY, layer)
    store.layout.check(blob)


def test_a_kept_file_that_was_damaged_is_put_aside_by_who_reads_it(store: Store) -> None:
    layer = layer_of(DATA)
    with frame.receive(store, KEY, layer) as sink:
        sink.write(DATA)
    blob = noted(store)
    path = store.inputs.path(SHA)
    path.chmod(0o644)
    overwritten(path)
    with pytest.raises(DamagedError, match="it is put aside at"):
        store.layout.check(blob)
    assert not path.exists() and not store.layout.has(blob.digest, blob.size)
    [aside] = (store.home / "inputs" / "quarantine").iterdir()
    assert aside.read_bytes() == b"other" + DATA[5:]


def counting(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are read to be hashed."""
    files: list[Path] = []
    original = Seen.read

    def wrapper(self: Seen, path: Path, *args: Any) -> Any:
        files.append(path)
        return original(self, path, *args)

    monkeypatch.setattr(Seen, "read", wrapper)
    return files


def test_a_note_of_the_same_tick_is_not_trusted(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, seen = kept(tmp_path), store.inputs.seen
    files = counting(monkeypatch)
    changed = file.stat().st_ctime_ns
    with monkeypatch.context() as patch:
        patch.setattr("portside.store.seen.time.time_ns", lambda: changed + 1)
        patch.setattr("portside.store.seen.time.sleep", lambda seconds: None)
        for _ in range(2):
            assert seen.hash(file, "big.bin") == (SHA, len(DATA))
        known = seen.noted(file)
        assert known is not None and not known.settled
    assert files == [file, file]
    for _ in range(2):  # the tick is over: read once more, and trusted from then on
        assert seen.hash(file, "big.bin") == (SHA, len(DATA))
    assert files == [file, file, file]


@pytest.mark.parametrize(("ctime", "wait"), [(7_000_000_123, TICK), (7_000_000_000, COARSE)])
def test_the_clock_of_a_file_system_may_have_whole_seconds(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ctime: int, wait: int
) -> None:
    file = kept(tmp_path)
    store.inputs.seen.read(file, "big.bin")
    record = store.inputs.seen.record(file)
    assert record is not None
    record["identity"]["ctime_ns"] = ctime
    monkeypatch.setattr("portside.store.seen.identity_of", lambda info: record["identity"])
    for noted_ns, trusted in ((ctime + wait, True), (ctime + wait - 1, False), (ctime - 10, False)):
        changed = seen_record({**record, "noted_ns": noted_ns})
        monkeypatch.setattr(store.inputs.seen, "record", lambda path, changed=changed: changed)
        known = store.inputs.seen.noted(file)
        assert known is not None and known.settled == trusted


def test_a_damaged_note_is_none(store: Store, tmp_path: Path) -> None:
    file = kept(tmp_path)
    store.inputs.seen.read(file, "big.bin")
    [record] = (store.home / "seen").iterdir()
    record.write_text('{"path": "/x"}')
    assert store.inputs.seen.noted(file) is None
    assert store.inputs.seen.hash(file, "big.bin") == (SHA, len(DATA))


def test_a_path_may_hold_any_bytes(store: Store, tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"a % b\xff\xc3\xa9\n.bin")
    file.write_bytes(DATA)
    take(store, file, layer_of(DATA))
    assert store.inputs.in_place(SHA) == file
    place = store.inputs.locate(SHA)
    assert place is not None and place.path == file


def test_a_clone_is_taken_where_the_file_system_has_them(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def ioctl(target: int, request: int, source: int) -> int:
        assert request == FICLONE
        calls.append(os.pwrite(target, os.pread(source, len(DATA), 0), 0))
        return 0

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    file = kept(tmp_path)
    layer = layer_of(DATA)
    with frame.receive(store, KEY, layer) as sink, file.open("rb") as source:
        assert sink.take(file, source)
    assert calls == [len(DATA)]
    file.unlink()
    store.layout.check(noted(store))


@pytest.mark.parametrize("moment", ["copying", "published", "framed"])
def test_a_kill_at_any_moment(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    layer = layer_of(DATA)

    def die(*args: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def work() -> None:
        if moment != "copying":
            monkeypatch.setattr(store.layout, "keep_frame", die) if moment == "published" else None
            monkeypatch.setattr(store, "keep", die)
        with frame.receive(store, KEY, layer) as sink:
            sink.write(DATA[:600_000])
            if moment == "copying":
                sink._stream.flush()
                die()
            sink.write(DATA[600_000:])

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert store.record("keys", KEY) is None
    assert (store.inputs.locate(SHA) is not None) == (moment != "copying")
    before = store.inputs.path(SHA).stat().st_ino if moment != "copying" else None
    with frame.receive(store, KEY, layer) as sink:
        assert sink.done == (moment != "copying")
        if not sink.done:
            assert sink.offset == 600_000
            sink.write(DATA[600_000:])
    store.layout.check(noted(store))
    assert before in (None, store.inputs.path(SHA).stat().st_ino), "it was not written again"
    assert list((store.home / "partial").iterdir()) == []
