"""What is written goes nowhere but to its name: not through a link that somebody put beside it, and not by halves."""

import multiprocessing
import os
import secrets
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portside.archive.write import write_archive
from portside.bundle import write as bundle_write
from portside.common import outputs
from portside.common.tree import Tree, file_entry
from portside.errors import InputError, RecipeError, StoreError
from portside.layers.canonical import data_layer
from portside.migrate.folder import migrate_folder
from portside.migrate.rulesets import load as load_ruleset
from portside.store import Store, files
from portside.store.layout import Image
from portside.verify.run import _keep
from portside.verify.verdict import PartVerdict

TREE = Tree([file_entry("a", b"x")])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


@pytest.fixture
def precious(tmp_path: Path) -> Iterator[Path]:
    """A file that somebody wants overwritten; it is as it was at the end of every test."""
    path = tmp_path / "precious"
    path.write_text("precious")
    path.chmod(0o640)
    yield path
    assert path.read_text() == "precious"
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder that others may write to as well."""
    path = tmp_path / "shared"
    path.mkdir()
    return path


def save(store: Store, target: Path) -> None:
    write_archive(Image(b"{}", ()), [], store, target)


def save_gzip(store: Store, target: Path) -> None:
    write_archive(Image(b"{}", ()), [], store, target, "gzip")


def bundle(store: Store, target: Path) -> None:
    bundle_write._write(data_layer(TREE, 0), target, "r")


def lock(store: Store, target: Path) -> None:
    outputs.write_text(target, "{}\n")


def keep_tars(store: Store, target: Path) -> None:
    """What `verify` keeps of a part that differs."""
    blobs = [store.layout.put_blob(data) for data in (b"one", b"two")]
    _keep((PartVerdict("env", "base", "run", (blobs[0], blobs[1])),), store, store, target.parent)


WRITERS = [save, save_gzip, bundle, lock]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("planted", [".x.tar.part", ".x.tar.partial", ".x.tar.new", ".x.tar.tmp", "x.tar"])
def test_links_beside_an_output_and_at_its_place_are_not_followed(
    write: Callable[[Store, Path], None], planted: str, store: Store, shared: Path, precious: Path
) -> None:
    (shared / planted).symlink_to(precious)
    write(store, shared / "x.tar")
    assert not (shared / "x.tar").is_symlink()
    assert sorted(path.name for path in shared.iterdir()) == sorted({planted, "x.tar"})


@pytest.mark.parametrize("name", ["env-base.1.tar", "env-base.2.tar"])
def test_the_tars_that_verify_keeps(name: str, store: Store, shared: Path, precious: Path) -> None:
    (shared / name).symlink_to(precious)
    keep_tars(store, shared / "x")
    assert [(shared / f"env-base.{number}.tar").read_bytes() for number in (1, 2)] == [b"one", b"two"]


@pytest.mark.parametrize("hard", [False, True])
def test_a_name_that_was_guessed_is_not_used(
    hard: bool, shared: Path, precious: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = iter(["guessed", "fresh"])
    monkeypatch.setattr(secrets, "token_hex", lambda count: next(names))
    guessed = shared / ".portside-guessed.part"
    if hard:
        os.link(precious, guessed)
    else:
        guessed.symlink_to(precious)
    outputs.write_text(shared / "x", "new")
    assert (shared / "x").read_text() == "new"
    assert next(names, None) is None


@pytest.mark.parametrize("write", WRITERS)
def test_modes(write: Callable[[Store, Path], None], store: Store, shared: Path) -> None:
    """An archive is the person's own file, as the umask says; bundles and locks are as everywhere."""
    before = os.umask(0o077)
    try:
        write(store, shared / "x.tar")
    finally:
        os.umask(before)
    assert (shared / "x.tar").stat().st_mode & 0o777 == (0o600 if write in (save, save_gzip) else 0o644)


def test_what_fails_leaves_what_was_there(shared: Path) -> None:
    (shared / "x").write_text("before")
    with pytest.raises(KeyboardInterrupt), outputs.output(shared / "x", 0o644) as stream:
        stream.write(b"half")
        raise KeyboardInterrupt
    assert {path.name: path.read_text() for path in shared.iterdir()} == {"x": "before"}


@pytest.mark.parametrize(("write", "kind"), [(save, InputError), (bundle, StoreError), (lock, StoreError)])
def test_a_place_that_cannot_be_written(
    write: Callable[[Store, Path], None], kind: type[Exception], store: Store, shared: Path
) -> None:
    (shared / "x.tar").mkdir()
    with pytest.raises(kind, match=r"x\.tar cannot be written: Is a directory"):
        write(store, shared / "x.tar")
    assert [path.name for path in shared.iterdir()] == ["x.tar"]


def _write_and_die(target: Path) -> None:
    with outputs.output(target, 0o644) as stream:
        stream.write(b"half")
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_kill_leaves_the_target_as_it_was(shared: Path) -> None:
    (shared / "x").write_text("before")
    process = multiprocessing.get_context("fork").Process(target=_write_and_die, args=(shared / "x",))
    process.start()
    process.join()
    assert (shared / "x").read_text() == "before"
    assert len(list(shared.glob(".portside-*.part"))) == 1
    outputs.write_text(shared / "x", "after")
    assert (shared / "x").read_text() == "after"


def test_a_tree_is_written_through_no_link(shared: Path, precious: Path, tmp_path: Path) -> None:
    (shared / "a").symlink_to(precious)
    with pytest.raises(FileExistsError):
        TREE.write_to(shared)
    (tmp_path / "elsewhere").mkdir()
    (shared / "deep").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        Tree([file_entry("deep/b", b"x")]).write_to(shared)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_reports_of_a_migration_that_find_something_in_their_way(
    shared: Path, precious: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody puts a link into the folder after it was found empty."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "m.py").write_text("import torch\n")
    monkeypatch.setattr("portside.migrate.folder._check_places", lambda *places: None)
    for name in ("report.json", "report.md", "report.html"):
        (shared / name).symlink_to(precious)
    migrate_folder(source, load_ruleset("mlu"), "precise", shared)
    assert not (shared / "report.json").is_symlink()
    (shared / "m.py").unlink()
    (shared / "m.py").symlink_to(precious)
    with pytest.raises(RecipeError, match="cannot be written"):
        migrate_folder(source, load_ruleset("mlu"), "precise", shared)


# In the store, where it is shared: names that are known beforehand


@pytest.mark.parametrize("place", ["locks/a", "partial/input-" + "a" * 64])
@pytest.mark.parametrize("planted", ["link", "dangling", "folder", "pipe"])
def test_what_is_in_the_way_of_a_file_of_the_store(
    place: str, planted: str, store: Store, precious: Path, tmp_path: Path
) -> None:
    path = store.home / place
    path.parent.mkdir()
    if planted in ("link", "dangling"):
        path.symlink_to(precious if planted == "link" else tmp_path / "nothing")
    elif planted == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises(StoreError, match=f"{path} is no file of the store's own"):
        if place.startswith("locks"):
            with store.lock("a"):
                pass
        else:
            with store.inputs.receive("x", "a" * 64, 5) as receiver:
                receiver.write(b"12345")
    assert not (tmp_path / "nothing").exists()


def test_a_partial_file_with_another_name_is_begun_anew(store: Store, precious: Path) -> None:
    path = store.home / "partial" / "x"
    path.parent.mkdir()
    os.link(precious, path)
    with files.partial_file(path) as stream:
        assert stream.read() == b""
        stream.write(b"new")
    assert path.read_text() == "new"


def test_logs(store: Store, precious: Path) -> None:
    (store.home / "logs").mkdir()
    (store.home / "logs" / "r-env-packages.log").symlink_to(precious)
    kept = store.keep_log("r-env-packages", "it failed\n")
    assert kept == store.home / "logs" / "r-env-packages.log"
    assert kept.read_text() == "it failed\n"
