"""Tars that no honest engine writes: a clear error, or what the specification says; never a traceback."""

import io
import random
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_tools import EPOCH, change, file, folder, hardlink, raw, symlink, tar_of, trees, write_tar

from portside.common.tree import Entry, Tree
from portside.errors import InputError
from portside.layers.canonical import canonicalise, data_layer
from portside.layers.engine_layer import read
from portside.layers.index import Index
from portside.layers.raw import TarLayer


def info(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    for key, value in fields.items():
        setattr(member, key, value)
    return member


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (info("/etc/passwd"), "no path below the root"),
        (info("a/../../etc/passwd"), "points out of the layer's root"),
        (info(".."), "points out"),
        (info("x" * 4096), "no path below the root"),
        (info("d/.wh."), "no whiteout"),
        (info("d/.wh..."), "no whiteout"),
        (info(".wh.d/file"), "cannot hold a name"),
        (info("l", tarfile.LNKTYPE, linkname="../out"), "points out"),
        (info("l", tarfile.LNKTYPE, linkname="/etc/passwd"), "no path below the root"),
        (info("l", tarfile.LNKTYPE, linkname="later"), "no file before it"),
        (info("l", tarfile.LNKTYPE, linkname="d"), "no file before it"),
        (info("l", tarfile.SYMTYPE, linkname=""), "without a usable target"),
        (info("f", b"V"), "which no engine writes"),
        (info("f", pax_headers={"GNU.sparse.map": "0,0", "GNU.sparse.size": "0"}), "sparse"),
    ],
)
def test_refused(tmp_path: Path, member: tarfile.TarInfo, message: str) -> None:
    with pytest.raises(InputError, match=message):
        raw(tmp_path / "t", folder("d"), member)


def test_a_negative_owner(tmp_path: Path) -> None:
    path = tmp_path / "t"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        tar.addfile(info("f", uid=-5))
    with pytest.raises(InputError, match="negative"):
        read(TarLayer(path))


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, b"V", tarfile.GNUTYPE_SPARSE])
@pytest.mark.parametrize("name", [".wh.gone", ".wh..wh..opq", "./", "f"])
def test_a_negative_size_does_not_lead_back_to_the_same_header(tmp_path: Path, name: str, kind: bytes) -> None:
    path = tmp_path / "t"
    member = info(name, kind)
    member.size = -512
    path.write_bytes(info("first").tobuf() + member.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(InputError):
        read(TarLayer(path))


def test_nothing_lies_below_a_link_or_a_file(tmp_path: Path) -> None:
    for above in (symlink("a", "/etc"), file("a"), Entry("a", "fifo", 0o600)):
        with pytest.raises(InputError, match=f"a/b/c lies below a, which is a {above.kind}"):
            raw(tmp_path / "t", above, file("a/b/c"))


def test_links_of_an_image_may_point_anywhere(tmp_path: Path) -> None:
    layer = raw(tmp_path / "t", symlink("a", "/etc/x"), symlink("b", "../../../y"))
    assert {entry.link for entry in layer.entries.values()} == {"/etc/x", "../../../y"}


def test_the_last_of_several_entries_wins(tmp_path: Path) -> None:
    layer = raw(tmp_path / "t", file("a", b"1"), hardlink("b", "a"), file("a", b"22"), file("./a", b"333"))
    assert layer.entries["a"].read() == b"333"
    assert layer.entries["b"].read() == b"1"
    assert raw(tmp_path / "u", file("a"), info("a", tarfile.CHRTYPE)).entries == {}


def test_names_are_cleaned_and_the_root_is_not_ours(tmp_path: Path) -> None:
    layer = raw(
        tmp_path / "t", folder("./"), folder("./usr//lib/"), file("./usr/./lib/x"), hardlink("y", "./usr/lib/x")
    )
    assert list(layer.entries) == ["usr/lib", "usr/lib/x", "y"]
    assert layer.entries["y"].content is layer.entries["usr/lib/x"].content


def test_whiteouts(tmp_path: Path) -> None:
    names = [".wh.a", "d/.wh.b", ".wh..wh..opq", "d/.wh..wh..opq", ".wh..wh.plnk", ".wh..wh.aufs", ".wh..hidden"]
    layer = raw(tmp_path / "t", *names)
    assert (layer.entries, layer.whiteouts, layer.opaque) == ({}, {"a", "d/b", ".hidden"}, {"", "d"})


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_every_tar_format_gives_one_layer(tmp_path: Path, form: int) -> None:
    path = tmp_path / "t"
    name = "/".join(["d" * 60, "e" * 60, "f\udce9"])
    with tarfile.open(path, "w", format=form, encoding="utf-8", errors="surrogateescape") as tar:
        member = info(name, size=3, uname="somebody", gname="users", mtime=3.0)
        tar.addfile(member, io.BytesIO(b"abc"))
    expected = data_layer(Tree([file(name, b"abc", 0o644, mtime=3)]), EPOCH)
    assert tar_of(canonicalise([read(TarLayer(path))], Index.empty(), EPOCH)) == tar_of(expected)


def test_files_that_are_no_tar(tmp_path: Path) -> None:
    path = tmp_path / "t"
    with pytest.raises(InputError, match="No such file"):
        read(TarLayer(path))
    for data in (b"", b"\x1f\x8b" + bytes(600), b"not a tar" * 100):
        path.write_bytes(data)
        with pytest.raises(InputError, match="not a readable tar"):
            read(TarLayer(path))


def test_a_tar_that_is_damaged_after_its_first_entry(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "t", [file("a", b"x"), file("b", b"y" * 2000)]).path
    whole = path.read_bytes()
    path.write_bytes(whole[:1024] + b"?" + whole[1025:])
    with pytest.raises(InputError, match="damaged at byte 1024"):
        read(TarLayer(path))
    for length in (1024 + 100, 1024 + 512, 1024 + 512 + 1500, 1024 + 512 + 2000):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"damaged|ends in the middle|not a readable tar"):
            read(TarLayer(path))


@settings(max_examples=300)
@given(trees(("a", "é", "N" * 101)), st.randoms(use_true_random=False), st.integers(1, 6))
def test_broken_bytes_give_clear_errors_only(
    tmp_path_factory: pytest.TempPathFactory, tree: Tree, dice: random.Random, errors: int
) -> None:
    data = bytearray(tar_of(data_layer(tree, EPOCH)))
    for _ in range(errors):
        data[dice.randrange(len(data))] = dice.randrange(256)
    path = tmp_path_factory.mktemp("broken") / "t"
    path.write_bytes(data[: dice.choice([len(data), dice.randrange(len(data))])])
    try:
        layer = read(TarLayer(path))
    except InputError:
        return
    canonicalise([layer], Index.empty(), EPOCH)


@settings(max_examples=60)
@given(trees(("a", "b", "é")), st.data())
def test_a_tar_without_its_end_marker_is_whole(
    tmp_path_factory: pytest.TempPathFactory, tree: Tree, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("short") / "t"
    whole = change(Tree([folder("always")]), Tree([*tree, folder("always")]), [""]).tar(path, data)
    with tarfile.open(path) as tar:
        tar.getmembers()
        end = tar.offset
    path.write_bytes(path.read_bytes()[:end])
    assert read(TarLayer(path)) == whole
