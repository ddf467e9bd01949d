"""The store: nothing half-finished is ever visible, wrong bytes are never used, an interrupted transfer continues."""

import hashlib
import multiprocessing
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest

from portside.common.tree import Bytes, Entry, Tree
from portside.errors import InputError, StoreError
from portside.layers.canonical import data_layer
from portside.layers.writer import read_layer, write_layer
from portside.store import Store, files, frame
from portside.store.layout import Blob, Image

DATA = bytes(range(256)) * 4096
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def test_an_input_arrives(store: Store) -> None:
    with store.inputs.receive("x.whl", SHA, len(DATA)) as receiver:
        receiver.write(DATA)
    place = store.inputs.require(SHA, "x.whl")
    assert place.open().read() == DATA
    assert list((store.home / "partial").iterdir()) == []


def test_a_partial_input_is_continued(store: Store) -> None:
    with pytest.raises(KeyboardInterrupt), store.inputs.receive("x", SHA, len(DATA)) as receiver:
        receiver.write(DATA[:1000])
        raise KeyboardInterrupt
    assert store.inputs.locate(SHA) is None
    with store.inputs.receive("x", SHA, len(DATA)) as receiver:
        assert receiver.offset == 1000
        receiver.write(DATA[1000:])
    assert store.inputs.locate(SHA) is not None


@pytest.mark.parametrize("data", [b"wrong" + DATA[5:], DATA[:-1]])
def test_wrong_bytes_are_kept_aside_and_not_used(store: Store, data: bytes) -> None:
    with (
        pytest.raises(InputError, match="the lock says") as caught,
        store.inputs.receive("x.deb", SHA, None) as receiver,
    ):
        receiver.write(data)
    assert store.inputs.locate(SHA) is None
    [aside] = (store.home / "inputs" / "quarantine").iterdir()
    assert aside.read_bytes() == data
    assert str(aside) in str(caught.value)


def test_too_many_bytes_are_refused_at_once(store: Store) -> None:
    with pytest.raises(InputError, match="more than"), store.inputs.receive("x", SHA, 10) as receiver:
        receiver.write(DATA)


def _receive_and_die(home: Path) -> None:
    with Store(home).inputs.receive("x", SHA, len(DATA)) as receiver:
        receiver.write(DATA[:5000])
        receiver._stream.flush()
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_leaves_a_store_that_continues(store: Store) -> None:
    process = multiprocessing.get_context("fork").Process(target=_receive_and_die, args=(store.home,))
    process.start()
    process.join()
    with store.inputs.receive("x", SHA, len(DATA)) as receiver:
        assert receiver.offset == 5000
        receiver.write(DATA[5000:])
    assert store.inputs.require(SHA, "x").open().read() == DATA


def test_two_receivers_of_one_input_take_turns(store: Store) -> None:
    order = []

    def second() -> None:
        with store.inputs.receive("x", SHA, len(DATA)) as receiver:
            order.append(receiver.done)

    with store.inputs.receive("x", SHA, len(DATA)) as receiver:
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.05)
        receiver.write(DATA)
    thread.join()
    assert order == [True]


def test_locks_exclude(store: Store) -> None:
    seen = []

    def other() -> None:
        with Store(store.home).lock("a"):
            seen.append("other")

    with store.lock("a"):
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.05)
        seen.append("mine")
    thread.join()
    assert seen == ["mine", "other"]


def _work_and_die(home: Path) -> None:
    with Store(home).workspace() as folder:
        (folder / "leftover").write_text("x")
        os.kill(os.getpid(), signal.SIGKILL)


def test_workspaces_of_the_dead_are_removed(store: Store) -> None:
    process = multiprocessing.get_context("fork").Process(target=_work_and_die, args=(store.home,))
    process.start()
    process.join()
    assert len(list((store.home / "work").iterdir())) == 1
    with store.workspace() as mine:
        assert [path for path in (store.home / "work").iterdir() if path != mine] == []


def _write_and_die(home: Path) -> None:
    with files.new_file(home) as (stream, _):
        stream.write(DATA)
        os.kill(os.getpid(), signal.SIGKILL)


def test_new_files_of_the_dead_are_removed(store: Store) -> None:
    process = multiprocessing.get_context("fork").Process(target=_write_and_die, args=(store.home,))
    process.start()
    process.join()
    assert len(list((store.home / "partial").iterdir())) == 1
    with files.new_file(store.home) as (_, mine), store.workspace():
        assert list((store.home / "partial").iterdir()) == [mine]


def test_a_workspace_with_read_only_folders_is_removed(store: Store) -> None:
    with store.workspace() as folder:
        (folder / "d").mkdir()
        (folder / "d" / "f").write_text("x")
        (folder / "d").chmod(0o500)
    assert list((store.home / "work").iterdir()) == []


def test_a_home_that_cannot_be_made_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="PORTSIDE_HOME"):
        Store(tmp_path / "file" / "home")


def test_a_damaged_record_is_named(store: Store) -> None:
    store.keep("keys", "k", {"a": 1})
    (store.home / "keys" / "k.json").write_text("{")
    with pytest.raises(StoreError, match="damaged"):
        store.record("keys", "k")


def test_need_space_says_how_much(store: Store) -> None:
    with pytest.raises(StoreError, match="TiB are needed"):
        files.need_space(store.home, 1 << 60)


def put_layer(store: Store, tree: Tree) -> Blob:
    with store.layout.new_blob() as blob:
        written = write_layer(data_layer(tree, 0), blob.stream)
        blob.commit(written.diff_id)
    return Blob(written.diff_id, written.size)


def test_images_in_the_layout(store: Store) -> None:
    blob = put_layer(
        store,
        Tree([Entry("f", "file", 0o644, size=3, sha256=hashlib.sha256(b"abc").hexdigest(), content=Bytes(b"abc"))]),
    )
    image = Image(b"{}", (blob,))
    store.layout.put_image("r:env", image)
    store.layout.put_image("r:env", image)
    store.layout.put_image("q:env", image)
    assert store.layout.refs() == ["q:env", "r:env"]
    assert store.layout.image("r:env") == image
    assert store.layout.image("nothing:here") is None
    version = store.layout.path / "oci-layout"
    right, written = version.read_bytes(), version.stat().st_ino
    store.layout.put_image("p:env", image)
    assert version.stat().st_ino == written, "it stands there already"
    version.write_bytes(b'{"imageLayoutVersion"')
    store.layout.put_image("r:env", image)
    assert version.read_bytes() == right == b'{"imageLayoutVersion":"1.0.0"}\n'


def test_a_frame_is_the_layer_itself(store: Store) -> None:
    layer = data_layer(Tree([Entry("w/big.bin", "file", 0o644, size=len(DATA), sha256=SHA)]), 7)
    with pytest.raises(KeyboardInterrupt), frame.receive(store, "k", layer) as sink:
        sink.restart()
        sink.write(DATA[:70000])
        raise KeyboardInterrupt
    with frame.receive(store, "k", layer) as sink:
        assert sink.offset == 70000
        sink.write(DATA[70000:])
    diff_id = store.record("keys", "k")["diff_id"]
    tar = store.layout.tar(diff_id)
    entries = read_layer(tar).entries
    assert [(e.path, e.sha256) for e in entries] == [("w", ""), ("w/big.bin", SHA)]
    place = store.inputs.require(SHA, "big.bin")
    assert place.path == store.inputs.path(SHA) == tar.path
    assert place.open().read() == DATA
    assert store.layout.file(diff_id) is None
    assert hashlib.sha256(tar.content.open().read()).hexdigest() == diff_id
    with frame.receive(store, "k", layer) as sink:
        assert sink.done


def test_a_frame_of_wrong_bytes_is_kept_aside(store: Store) -> None:
    layer = data_layer(Tree([Entry("w/big.bin", "file", 0o644, size=len(DATA), sha256=SHA)]), 7)
    with pytest.raises(InputError, match="the lock says"), frame.receive(store, "k", layer) as sink:
        sink.write(b"x" * len(DATA))
    assert store.record("keys", "k") is None
    assert store.inputs.locate(SHA) is None
    assert len(list((store.home / "inputs" / "quarantine").iterdir())) == 1


def test_a_receiver_that_waited_does_not_touch_what_was_published(store: Store) -> None:
    """Nobody knows the hash yet: the second receiver cannot see that the first one brought the same."""

    def second() -> None:
        with store.inputs.receive("x", None, None) as receiver:
            receiver.write(b"other")

    with store.inputs.receive("x", None, None) as receiver:
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.05)
        receiver.write(DATA)
    thread.join()
    assert store.inputs.require(SHA, "x").open().read() == DATA
    assert store.inputs.require(hashlib.sha256(b"other").hexdigest(), "x").open().read() == b"other"


def test_an_input_that_changed_in_the_store_is_not_used(tmp_path: Path) -> None:
    with Store(tmp_path / "home").inputs.receive("x.whl", SHA, len(DATA)) as receiver:
        receiver.write(DATA)
    store = Store(tmp_path / "home")
    path = store.inputs.path(SHA)
    path.chmod(0o644)
    path.write_bytes(b"y" + DATA[1:])
    with pytest.raises(InputError, match="not in the store"):
        store.inputs.require(SHA, "x.whl")
    [aside] = (store.home / "inputs" / "quarantine").iterdir()
    assert aside.read_bytes()[:1] == b"y"
    with store.inputs.receive("x.whl", SHA, len(DATA)) as receiver:
        assert not receiver.done
        receiver.write(DATA)
    assert store.inputs.require(SHA, "x.whl").open().read() == DATA


def test_a_scratch_folder_may_go_while_it_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its holder gives the lock up, then removes it: in between it looks abandoned to another thread."""
    store = Store(tmp_path)
    leaving = tmp_path / "work" / "leaving"
    leaving.mkdir(parents=True)
    (leaving / "file").touch()
    is_dir = Path.is_dir

    def and_gone(path: Path) -> bool:
        found = is_dir(path)
        if path == leaving:
            shutil.rmtree(leaving, ignore_errors=True)
        return found

    monkeypatch.setattr(Path, "is_dir", and_gone)
    with store.workspace() as folder:
        assert sorted((tmp_path / "work").iterdir()) == [folder]
