"""Archives and folders of the project as sources, from the recipe to the layer; all from this machine."""

import bz2
import functools
import gzip
import hashlib
import http.server
import io
import lzma
import os
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from source_project import SourceProject

from portside.config import Config
from portside.errors import InputError, LockError, PortsideError, RecipeError
from portside.fetch.fetcher import Fetcher, fetch
from portside.fetch.manual import require_manual
from portside.inputs import folder_source
from portside.inputs.archives import archive_tree
from portside.inputs.spool import Spool
from portside.lock.file import check_lock, read_lock
from portside.lock.inputs import locked_files
from portside.lock.sources import LockedArchiveSource, LockedFolderSource
from portside.plan.parts import plan
from portside.store import Store

DATE = 1_600_000_000
ONE_TOP = {"top/a": b"a", "top/b/c": b"c"}


def tar_of(files: Mapping[str, bytes], **links: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode = len(data), DATE, 0o755 if data.startswith(b"#!") else 0o600
            archive.addfile(info, io.BytesIO(data))
        for name, target in links.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mtime = tarfile.SYMTYPE, target, DATE
            archive.addfile(info)
    return out.getvalue()


def zip_of(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 9, 13, 12, 26, 40)), data)
    return out.getvalue()


PACKED: dict[str, Callable[[Mapping[str, bytes]], bytes]] = {
    "a.tar": tar_of,
    "a.tar.gz": lambda files: gzip.compress(tar_of(files), mtime=0),
    "a.tar.bz2": lambda files: bz2.compress(tar_of(files)),
    "a.tar.xz": lambda files: lzma.compress(tar_of(files)),
    "a.tar.zst": lambda files: zstandard.compress(tar_of(files)),
    "a.zip": zip_of,
}


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SourceProject:
    monkeypatch.setenv("PORTSIDE_HOME", str(tmp_path / "home"))
    project = SourceProject(tmp_path / "project")
    (tmp_path / "folder").mkdir()
    (project.root / "portside.toml").write_text(f'folders = ["{tmp_path}/folder"]\n')
    return project


def texts(made: SourceProject) -> dict[str, str]:
    return {path: text for path, text in made.files().items() if text != "/"}


@pytest.mark.parametrize("name", PACKED)
def test_every_form_is_read(made: SourceProject, tmp_path: Path, name: str) -> None:
    data = PACKED[name](ONE_TOP)
    (tmp_path / "folder" / name).write_bytes(data)
    made.asks(f"archive: {{file: {name}, origin: somewhere}}")
    source = made.lock().sources["s"]
    assert isinstance(source, LockedArchiveSource)
    assert (source.sha256, source.size, source.epoch) == (hashlib.sha256(data).hexdigest(), len(data), DATE)
    assert texts(made) == {"a": "a", "b/c": "c"}
    assert "strip" not in made.text.replace('"strip": null', "")


@pytest.mark.parametrize(
    ("files", "strip", "found"),
    [
        (ONE_TOP, "", {"a", "b/c"}),
        (ONE_TOP, ", strip: 0", {"top/a", "top/b/c"}),
        ({"x/top/a": b"", "x/top/b/c": b""}, ", strip: 2", {"a", "b/c"}),
        ({"a": b"", "b/c": b""}, "", {"a", "b/c"}),
        ({"only": b""}, "", {"only"}),
        ({"./top/a": b""}, "", {"a"}),
        ({"x/a": b"", "y/b": b""}, ", strip: 1", {"a", "b"}),
    ],
)
def test_folders_in_front_are_left_out(
    made: SourceProject, tmp_path: Path, files: dict[str, bytes], strip: str, found: set[str]
) -> None:
    (tmp_path / "folder/a.tar").write_bytes(tar_of(files))
    made.asks(f"archive: {{file: a.tar, origin: x{strip}}}")
    made.lock()
    assert set(texts(made)) == found


@pytest.mark.parametrize(
    ("data", "strip", "problem"),
    [
        (tar_of(ONE_TOP), ", strip: 2", "top/a is not below 2 folder"),
        (tar_of({"x/a": b"", "y/a": b""}), ", strip: 1", "a comes twice without"),
        (tar_of({}), "", "holds no files"),
        (tar_of({"../a": b""}), "", "not a clean path"),
        (tar_of({"/a": b""}), "", "not a clean path"),
        (tar_of({"t/a": b""}, **{"t/l": "../../x"}), "", "out of the archive"),
        (tar_of({"t/a": b"", "u/b": b""}, **{"t/l": "../u/b"}), ", strip: 1", "out of the archive"),
        (tar_of({"t/a": b""}, **{"t/l": "/etc"}), "", "an absolute path"),
        (tar_of(ONE_TOP)[:1740], "", "end is missing|broken"),
        (gzip.compress(bytes(80 << 20), mtime=0), "", "more than .* bytes come out"),
        (zstandard.compress(tar_of(ONE_TOP))[:40], "", "broken|missing|damaged"),
        (b"no archive at all, and long enough to be none of those" * 20, "", "broken|error page|not"),
    ],
)
def test_hostile_and_broken_ones_are_refused_by_lock(
    made: SourceProject, tmp_path: Path, data: bytes, strip: str, problem: str
) -> None:
    (tmp_path / "folder/a.tar").write_bytes(data)
    made.asks(f"archive: {{file: a.tar, origin: x{strip}}}")
    with pytest.raises(InputError, match=problem) as caught:
        made.lock()
    assert caught.value.solution and not (made.root / "recipes/r.lock").exists()


def test_one_that_is_missing_is_told_with_its_place(made: SourceProject, tmp_path: Path) -> None:
    made.asks("archive: {file: a.zip, origin: the vendor}")
    with pytest.raises(InputError, match=r"a\.zip") as caught:
        made.lock()
    assert f"{tmp_path}/folder/a.zip" in str(caught.value)
    (tmp_path / "folder/a.zip").write_bytes(zip_of(ONE_TOP))
    lock = made.lock()
    # Gone from the store and the folder: it is listed with the vendor's other files.
    (tmp_path / "folder/a.zip").rename(tmp_path / "a.zip")
    config = Config(home=tmp_path / "empty", folders=(tmp_path / "folder",))
    with pytest.raises(InputError, match=r"a\.zip: .* bytes(.|\n)*from the vendor"):
        require_manual(made.project.recipe("r"), lock, Store(config.home), config)
    require_manual(made.project.recipe("r"), lock, Store(config.home), config, last="env", parts=[])
    (tmp_path / "a.zip").rename(tmp_path / "folder/a.zip")
    part = plan(made.project.recipe("r"), lock)
    for job in Fetcher(Store(config.home), config).jobs(part.layer("sources").parts[0], part):
        job()
    assert Store(config.home).inputs.verified(locked_files(lock)[0].pin()[0]) is not None


@pytest.mark.parametrize("pin", ['sha256: "' + "1" * 64 + '"', "size: 7"])
def test_what_is_pinned_holds(made: SourceProject, tmp_path: Path, pin: str) -> None:
    (tmp_path / "folder/a.zip").write_bytes(zip_of(ONE_TOP))
    made.asks(f"archive: {{file: a.zip, origin: x, {pin}}}")
    with pytest.raises(InputError):
        made.lock()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "www").mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "www"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


def test_by_url_it_stays_until_it_is_updated(made: SourceProject, tmp_path: Path, server: str) -> None:
    (tmp_path / "www/a.tar.gz").write_bytes(PACKED["a.tar.gz"]({"t/a": b"one"}))
    made.asks(f'archive: {{file: a.tar.gz, url: "{server}/a.tar.gz"}}')
    made.lock()
    before = made.text
    assert server not in before.replace(f'"url": "{server}/a.tar.gz"', "")
    (tmp_path / "www/a.tar.gz").write_bytes(PACKED["a.tar.gz"]({"t/a": b"two"}))
    made.lock()
    assert made.text == before and texts(made) == {"a": "one"}
    made.lock("s")
    assert texts(made) == {"a": "two"}
    made.asks(f'archive: {{file: a.tar.gz, url: "{server}/gone.tar.gz"}}')
    with pytest.raises(InputError, match="gone"):
        made.lock()


def test_an_edited_lock_contradicts(made: SourceProject, tmp_path: Path) -> None:
    (tmp_path / "folder/a.zip").write_bytes(zip_of(ONE_TOP))
    made.asks("archive: {file: a.zip, origin: x, strip: 1}")
    lock = made.lock()
    source = lock.sources["s"]
    assert isinstance(source, LockedArchiveSource)
    edited = lock.model_copy(update={"sources": {"s": source.model_copy(update={"strip": 0, "file": "b.zip"})}})
    with pytest.raises(LockError, match=r"archive\.file(.|\n)*archive\.strip: the recipe says 1, the lock 0"):
        check_lock(made.project.recipe("r"), edited)


MEMBERS = st.dictionaries(
    st.lists(st.sampled_from(["a", "b", "..", ".", "", "t"]), min_size=1, max_size=4).map("/".join),
    st.binary(max_size=8),
    max_size=5,
)


@settings(max_examples=60)
@given(MEMBERS, st.sampled_from([None, 0, 1, 2]), st.sampled_from([tar_of, zip_of]), st.integers(0, 4000))
def test_any_archive_is_clean_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    files: dict[str, bytes],
    strip: int | None,
    pack: Callable[[Mapping[str, bytes]], bytes],
    cut: int,
) -> None:
    folder = tmp_path_factory.mktemp("any")
    data = pack(files)
    (folder / "a").write_bytes(data[: max(0, len(data) - cut)] if cut > 3000 else data)
    with Spool(folder) as spool:
        try:
            tree = archive_tree(folder / "a", spool, strip, "a")
        except InputError as error:
            assert error.solution
            return
        for entry in tree:
            assert not {"", ".", ".."} & set(entry.path.split("/"))
            assert entry.kind == "dir" or entry.read() in files.values()


# Folders of the project


@pytest.fixture
def folder(made: SourceProject) -> Path:
    path = made.root / "code/model"
    (path / "sub").mkdir(parents=True)
    (path / "run.sh").write_text("#!/bin/sh\n")
    (path / "run.sh").chmod(0o777)
    (path / "sub/x").write_text("x")
    (path / "sub/x").chmod(0o600)
    (path / "link").symlink_to("sub/x")
    (path / "empty").mkdir()
    for unwanted in (".git/config", "sub/.git/HEAD", "sub/__pycache__/x.pyc"):
        (path / unwanted).parent.mkdir(parents=True)
        (path / unwanted).write_text("no")
    made.asks("folder: code/model")
    return path


def test_a_folder_is_what_a_checkout_of_it_has(made: SourceProject, folder: Path) -> None:
    source = made.lock().sources["s"]
    before = made.text
    assert isinstance(source, LockedFolderSource)
    assert texts(made) == {"run.sh": "#!/bin/sh\n", "sub/x": "x", "link": "-> sub/x"}
    # Another checkout: other times, other modes by another umask, no empty folder.
    (folder / "sub/x").chmod(0o664)
    (folder / "run.sh").chmod(0o700)
    os.utime(folder / "sub/x", (1, 1))
    (folder / "empty").rmdir()
    (folder / "sub/__pycache__/y.pyc").write_text("no")
    (made.root / "recipes/r.lock").unlink()
    made.lock()
    assert made.text == before
    with made.project.store.workspace() as work, Spool(work) as spool:
        tree = folder_source.tree(source, made.project.store, spool)
        assert {entry.path: entry.mode for entry in tree.files()} == {"run.sh": 0o755, "sub/x": 0o644}
        assert {entry.mtime for entry in tree} == {source.epoch}


@pytest.mark.parametrize("change", ["content", "mode", "new", "gone", "link"])
def test_what_changed_after_the_lock_is_said(made: SourceProject, folder: Path, change: str) -> None:
    made.lock()
    if change == "content":
        (folder / "sub/x").write_text("y")
    elif change == "mode":
        (folder / "sub/x").chmod(0o755)
    elif change == "new":
        (folder / "z").touch()
    elif change == "gone":
        (folder / "sub/x").unlink()
    else:
        (folder / "link").unlink()
        (folder / "link").symlink_to("run.sh")
    lock = read_lock(made.root / "recipes/r.lock")
    assert lock is not None
    with pytest.raises(LockError, match=r"other files of the project:\n  sources\.s: its files have changed") as caught:
        made.project.lock(made.project.recipe("r"))
    assert "invoke lock --recipe r" in str(caught.value.solution)
    made.lock()
    again = made.project.lock(made.project.recipe("r"))
    assert again.sources["s"].identity != lock.sources["s"].identity


def test_the_store_is_enough_and_so_is_the_project(made: SourceProject, folder: Path, tmp_path: Path) -> None:
    lock = made.lock()
    recipe, source = made.project.recipe("r"), lock.sources["s"]
    empty = Config(home=tmp_path / "empty")
    part = plan(recipe, lock)
    for job in Fetcher(Store(empty.home), empty, offline=True).jobs(part.layer("sources").parts[0], part):
        job()
    assert folder_source.is_here(source, Store(empty.home))
    folder.rename(tmp_path / "away")
    made.project.lock(recipe)
    assert texts(made)["sub/x"] == "x"  # as on a machine with a bundle
    with pytest.raises(InputError, match="neither in the project nor in the store"):
        folder_source.bring(source, Fetcher(Store(tmp_path / "third"), empty, root=made.root))
    assert [file.size for file in locked_files(lock)] == [source.size]  # type: ignore[attr-defined]


def test_a_layer_of_it_from_elsewhere_proves_itself(made: SourceProject, folder: Path) -> None:
    source, store = made.lock().sources["s"], made.project.store
    with store.workspace() as work, Spool(work) as spool:
        tree = folder_source.tree(source, store, spool).with_folders()
        layer = folder_source.in_layer(source, folder_source.out_of_layer(tree))
        assert folder_source.proof(source, layer) is None
        layer.remove("sub/x")
        with pytest.raises(InputError, match="the lock says"):
            folder_source.proof(source, layer)


@pytest.mark.parametrize(
    ("asked", "problem"),
    [("nothing", "no folder nothing"), ("code/model/run.sh", "no folder"), ("out", "leads out"), ("bare", "no files")],
)
def test_a_folder_that_cannot_be_one(
    made: SourceProject, folder: Path, tmp_path: Path, asked: str, problem: str
) -> None:
    (made.root / "out").symlink_to(tmp_path / "folder")
    (made.root / "bare").mkdir()
    made.asks(f"folder: {asked}")
    with pytest.raises(RecipeError, match=problem):
        made.lock()


def test_a_fifo_in_a_folder(made: SourceProject, folder: Path) -> None:
    os.mkfifo(folder / "fifo")
    with pytest.raises(PortsideError, match="fifo"):
        made.lock()


def test_all_of_a_plan_is_fetched(made: SourceProject, folder: Path, tmp_path: Path) -> None:
    lock = made.lock()
    part = plan(made.project.recipe("r"), lock)
    config = Config(home=tmp_path / "empty")
    fetch(part, Fetcher(Store(config.home), config, lenient=True))
    assert folder_source.is_here(lock.sources["s"], Store(config.home))
