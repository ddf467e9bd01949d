"""An overlay2 folder read in place says the same as a tar of it."""

import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from layer_tools import CAPABILITY, EPOCH, XATTR, file, folder, hardlink, index_of, raw, symlink, tar_of

from portside.common.tree import Entry
from portside.errors import InputError
from portside.layers.canonical import canonicalise
from portside.layers.engine_layer import read
from portside.layers.index import Index
from portside.layers.raw import OverlayLayer, RawLayer


@pytest.fixture
def upper(tmp_path: Path) -> Iterator[Path]:
    """An empty folder that can hold whiteouts. An overlay cannot: in a container, memory takes its place."""
    try:
        whiteout(tmp_path / "probe")
        place = None
    except PermissionError:
        place = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=place or tmp_path) as name:
        yield Path(name)


def overlay(upper: Path) -> RawLayer:
    return read(OverlayLayer(upper))


def whiteout(path: Path) -> None:
    os.mknod(path, 0o000 | stat.S_IFCHR, os.makedev(0, 0))


def test_it_gives_the_layer_that_a_tar_gives(upper: Path, tmp_path: Path) -> None:
    parent = index_of(folder("d"), file("d/a"), file("d/b"), file("gone"), folder("kept", 0o755), file("kept/x"))
    os.mkdir(upper / "d")
    os.chmod(upper / "d", 0o755)
    os.setxattr(upper / "d", "user.overlay.opaque", b"y")
    (upper / "d/b").write_bytes(b"new")
    os.utime(upper / "d/b", ns=(7_900_000_000, 7_900_000_000))
    os.chmod(upper / "d/b", 0o4750)
    os.link(upper / "d/b", upper / "link")
    os.symlink("d/b", upper / "sym")
    os.utime(upper / "sym", (9, 9), follow_symlinks=False)
    os.mkfifo(upper / "pipe")
    os.chmod(upper / "pipe", 0o620)
    os.utime(upper / "pipe", (9, 9))
    whiteout(upper / "gone")
    owner = {"uid": os.getuid(), "gid": os.getgid()}
    entries = [
        folder("d", **owner),
        "d/.wh..wh..opq",
        file("d/b", b"new", 0o4750, mtime=7, **owner),
        hardlink("link", "d/b"),
        Entry("sym", "symlink", 0o777, mtime=9, link="d/b", **owner),
        Entry("pipe", "fifo", 0o620, mtime=9, **owner),
        ".wh.gone",
    ]
    expected = canonicalise([raw(tmp_path / "t", *entries)], parent, EPOCH)
    found = canonicalise([overlay(upper)], parent, EPOCH)
    assert found == expected
    assert tar_of(found) == tar_of(expected)
    assert set(found.whiteouts) == {"d/a", "gone"}


def test_names_that_are_no_utf8(upper: Path) -> None:
    name = os.path.join(os.fsencode(upper), b"\xff\xe9")
    with open(name, "wb") as stream:
        stream.write(b"1")
    layer = canonicalise([overlay(upper)], Index.empty(), EPOCH)
    assert [(entry.path, entry.read()) for entry in layer.entries] == [("\udcff\udce9", b"1")]


def test_a_socket_counts_as_nothing(upper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No tar can hold one, so to engines that give tars what lay there stays."""
    monkeypatch.chdir(upper)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as other:
        listener.bind("s")
        os.mkdir("d")
        other.bind("d/new")
        layer = overlay(upper)
    assert (list(layer.entries), layer.whiteouts) == (["d"], set())
    parent = index_of(folder("d"), folder("s"), file("s/kept", b"1"))
    assert canonicalise([layer], parent, EPOCH).entries == ()


def test_a_socket_in_a_folder_that_was_made_again_hides_nothing(upper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in tars of engines that name each path of the folder that went."""
    monkeypatch.chdir(upper)
    os.mkdir("d", 0o755)
    os.setxattr("d", "user.overlay.opaque", b"y")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("d/s")
        layer = overlay(upper)
    owner = {"uid": os.getuid(), "gid": os.getgid()}
    parent = index_of(folder("d", **owner), file("d/gone"), file("d/s", b"1"))
    assert canonicalise([layer], parent, EPOCH).whiteouts == ("d/gone",)


@pytest.mark.parametrize("touched", [False, True])
def test_a_file_that_was_only_copied_up_is_the_one_below(upper: Path, touched: bool) -> None:
    """A link to it is a file of its own, and its links of before stay: engines that compare leave it out of their tars.
    One that was written anew with the same bytes has another time, if only by nanoseconds."""
    for name in ("first", "second"):
        (upper / name).mkdir()
    times = (5_000_000_001, 5_000_000_001)
    (upper / "first/a").write_bytes(b"1")
    os.link(upper / "first/a", upper / "first/b")
    (upper / "second/a").write_bytes(b"1")
    os.link(upper / "second/a", upper / "second/c")
    os.utime(upper / "first/a", ns=times)
    os.utime(upper / "second/a", ns=(5_000_000_002,) * 2 if touched else times)
    layers = [overlay(upper / name) for name in ("first", "second")]
    found = canonicalise(layers, Index.empty(), EPOCH)
    linked = {entry.path: entry.link for entry in found.entries}
    assert linked == ({"a": "", "b": "", "c": "a"} if touched else {"a": "", "b": "a", "c": ""})


def test_of_the_extended_attributes_only_capabilities_stay(upper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (upper / "f").write_bytes(b"")
    values = {"trusted.overlay.origin": b"o", "user.note": b"n", XATTR: CAPABILITY}
    monkeypatch.setattr(os, "listxattr", lambda path, follow_symlinks: list(values))  # setting them takes root's rights
    monkeypatch.setattr(os, "getxattr", lambda path, name, follow_symlinks: values[name])
    assert overlay(upper).entries["f"].xattrs == ((XATTR, CAPABILITY),)


@pytest.mark.parametrize("mark", ["user.overlay.redirect", "user.overlay.metacopy"])
def test_layers_that_keep_a_part_elsewhere(upper: Path, mark: str) -> None:
    (upper / "f").write_bytes(b"")
    os.setxattr(upper / "f", mark, b"/x")
    with pytest.raises(InputError, match="keeps part of it in another layer"):
        overlay(upper)


def test_a_name_that_an_engine_would_take_for_a_removal(upper: Path) -> None:
    (upper / ".wh.x").write_bytes(b"")
    with pytest.raises(InputError, match=r"cannot hold a name that starts with \.wh\."):
        overlay(upper)


def test_a_folder_that_is_not_there(upper: Path) -> None:
    with pytest.raises(InputError, match="cannot read the layer"):
        overlay(upper / "missing")


def test_links_are_text(upper: Path) -> None:
    os.symlink("/does/not/exist", upper / "l")
    assert overlay(upper).entries["l"].link == symlink("l", "/does/not/exist").link
