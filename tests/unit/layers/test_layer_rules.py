"""Every rule of docs/canonical-layer.md, one by one."""

import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from layer_tools import CAPABILITY, EPOCH, XATTR, file, folder, hardlink, index_of, raw, symlink, tar_of

from portside.common.tree import Entry, Tree
from portside.errors import InputError
from portside.layers.canonical import base_index, canonicalise, data_layer
from portside.layers.index import Index
from portside.layers.layer import Layer

NOTHING = Index.empty()


def said(layer: Layer) -> dict[str, str]:
    """path -> kind, 'gone' for whiteouts."""
    return {entry.path: entry.kind for entry in layer.entries} | dict.fromkeys(layer.whiteouts, "gone")


def only(layer: Layer, path: str) -> Entry:
    return next(entry for entry in layer.entries if entry.path == path)


def test_modes_owners_and_capabilities_stay(tmp_path: Path) -> None:
    ping = file("bin/ping", b"x", 0o4755, xattrs=((XATTR, CAPABILITY), ("user.note", b"n")))
    spool = folder("spool", 0o1777, uid=33, gid=5)
    layer = canonicalise([raw(tmp_path / "t", folder("bin"), ping, spool)], NOTHING, EPOCH)
    assert only(layer, "bin/ping").mode == 0o4755
    assert only(layer, "bin/ping").xattrs == ((XATTR, CAPABILITY),)
    assert (only(layer, "spool").mode, only(layer, "spool").uid, only(layer, "spool").gid) == (0o1777, 33, 5)


def test_file_type_bits_in_a_mode_do_not_count(tmp_path: Path) -> None:
    plain = tar_of(canonicalise([raw(tmp_path / "a", file("f", b"x", 0o644))], NOTHING, EPOCH))
    typed = tar_of(canonicalise([raw(tmp_path / "b", file("f", b"x", 0o100644))], NOTHING, EPOCH))
    assert plain == typed


def test_times(tmp_path: Path) -> None:
    entries = [file("old", mtime=5), file("new", mtime=EPOCH + 9), file("ancient", mtime=-9), folder("d", mtime=5)]
    layer = canonicalise([raw(tmp_path / "t", *entries)], NOTHING, EPOCH)
    assert {entry.path: entry.mtime for entry in layer.entries} == {"old": 5, "new": EPOCH, "ancient": 0, "d": EPOCH}


def test_parts_of_a_second_are_cut_off_downwards(tmp_path: Path) -> None:
    info = tarfile.TarInfo("f")
    info.mtime = 7.9
    assert only(canonicalise([raw(tmp_path / "t", info)], NOTHING, EPOCH), "f").mtime == 7


def test_only_the_time_differs_is_no_difference(tmp_path: Path) -> None:
    parent = index_of(file("etc/a", b"1"), file("etc/b", b"1"), folder("etc"), symlink("l", "etc/a"))
    entries = [folder("etc", mtime=3), file("etc/a", b"1", mtime=3), replace(symlink("l", "etc/a"), mtime=3)]
    assert canonicalise([raw(tmp_path / "t", *entries)], parent, EPOCH) == Layer(())


@pytest.mark.parametrize(
    "changed",
    [
        file("etc/a", b"2"),
        file("etc/a", b"1", 0o600),
        file("etc/a", b"1", uid=1),
        file("etc/a", b"1", gid=1),
        file("etc/a", b"1", xattrs=((XATTR, CAPABILITY),)),
        symlink("etc/a", "b"),
        Entry("etc/a", "fifo", 0o644),
        folder("etc/a", 0o644),
    ],
)
def test_everything_else_is_a_difference(tmp_path: Path, changed: Entry) -> None:
    parent = index_of(file("etc/a", b"1"))
    layer = canonicalise([raw(tmp_path / "t", folder("etc"), changed)], parent, EPOCH)
    assert said(layer) == {"etc": "dir", "etc/a": changed.kind}


def test_folders_above_a_change_are_written_as_the_parent_has_them(tmp_path: Path) -> None:
    parent = index_of(folder("srv", 0o700, uid=33), folder("srv/d", 0o710), file("srv/d/old"))
    listed = canonicalise([raw(tmp_path / "a", file("srv/d/new"))], parent, EPOCH)
    assert said(listed) == {"srv": "dir", "srv/d": "dir", "srv/d/new": "file"}
    assert (only(listed, "srv").mode, only(listed, "srv").uid, only(listed, "srv").mtime) == (0o700, 33, EPOCH)
    removed = canonicalise([raw(tmp_path / "b", "srv/d/.wh.old")], parent, EPOCH)
    assert said(removed) == {"srv": "dir", "srv/d": "dir", "srv/d/old": "gone"}
    assert only(removed, "srv/d").mode == 0o710


def test_a_folder_that_no_layer_mentions_is_roots(tmp_path: Path) -> None:
    layer = canonicalise([raw(tmp_path / "t", file("a/b/c"))], NOTHING, EPOCH)
    assert said(layer) == {"a": "dir", "a/b": "dir", "a/b/c": "file"}
    assert (only(layer, "a").mode, only(layer, "a").uid) == (0o755, 0)


def test_whiteouts_only_for_what_the_parent_has(tmp_path: Path) -> None:
    parent = index_of(folder("d"), file("d/a"), file("d/sub/b"))
    layer = canonicalise([raw(tmp_path / "t", ".wh.nothing", "d/.wh.a", "d/.wh.sub", "none/.wh.x")], parent, EPOCH)
    assert said(layer) == {"d": "dir", "d/a": "gone", "d/sub": "gone"}


def test_opaque_folders_become_whiteouts(tmp_path: Path) -> None:
    parent = index_of(folder("d"), file("d/a", b"1"), file("d/b"), file("d/sub/c"))
    layer = canonicalise([raw(tmp_path / "t", folder("d"), "d/.wh..wh..opq", file("d/a", b"1"))], parent, EPOCH)
    assert said(layer) == {"d": "dir", "d/b": "gone", "d/sub": "gone"}
    fresh = canonicalise([raw(tmp_path / "u", folder("new"), "new/.wh..wh..opq")], parent, EPOCH)
    assert said(fresh) == {"new": "dir"}


def test_a_folder_that_becomes_a_file_needs_no_whiteout(tmp_path: Path) -> None:
    parent = index_of(folder("d"), file("d/a"), file("d/sub/b"))
    layer = canonicalise([raw(tmp_path / "t", file("d", b"now a file"))], parent, EPOCH)
    assert said(layer) == {"d": "file"}
    assert list(parent.apply(layer).entries) == ["d"]


def test_a_file_that_becomes_a_folder(tmp_path: Path) -> None:
    parent = index_of(file("d"))
    layer = canonicalise([raw(tmp_path / "t", folder("d"), "d/.wh..wh..opq", file("d/a"))], parent, EPOCH)
    assert said(layer) == {"d": "dir", "d/a": "file"}


def test_a_folder_removed_and_made_again(tmp_path: Path) -> None:
    parent = index_of(folder("d", 0o700), file("d/a"), file("d/b", b"same"), file("d/sub/x"), folder("d/sub"))
    again = [".wh.d", folder("d", 0o755), file("d/b", b"same"), folder("d/sub")]
    layer = canonicalise([raw(tmp_path / "t", *again)], parent, EPOCH)
    assert said(layer) == {"d": "dir", "d/a": "gone", "d/sub": "dir", "d/sub/x": "gone"}


def test_a_moved_folder(tmp_path: Path) -> None:
    parent = index_of(folder("old"), file("old/a", b"1"), folder("old/sub"))
    moved = [".wh.old", folder("new"), "new/.wh..wh..opq", file("new/a", b"1"), folder("new/sub")]
    layer = canonicalise([raw(tmp_path / "t", *moved)], parent, EPOCH)
    assert said(layer) == {"new": "dir", "new/a": "file", "new/sub": "dir", "old": "gone"}


def test_a_folder_replaced_by_a_link_that_the_engine_only_fills(tmp_path: Path) -> None:
    parent = index_of(symlink("lib", "usr/lib"), folder("usr/lib"))
    layer = canonicalise([raw(tmp_path / "t", file("lib/x"))], parent, EPOCH)
    assert said(layer) == {"lib": "dir", "lib/x": "file"}  # what overlayfs shows


def test_several_layers_are_one(tmp_path: Path) -> None:
    parent = index_of(file("a", b"1"))
    first = raw(tmp_path / "1", file("a", b"2"), file("b"), file("c"))
    second = raw(tmp_path / "2", file("a", b"1"), ".wh.b")
    assert said(canonicalise([first, second], parent, EPOCH)) == {"c": "file"}


def test_hard_links_first_path_is_the_file(tmp_path: Path) -> None:
    entries = [file("z", b"1", 0o4755, uid=7, mtime=4), hardlink("a", "z"), hardlink("m", "./z"), file("other", b"1")]
    layer = canonicalise([raw(tmp_path / "t", *entries)], NOTHING, EPOCH)
    assert said(layer) == {"a": "file", "m": "hardlink", "other": "file", "z": "hardlink"}
    link = only(layer, "z")
    assert (link.link, link.mode, link.uid, link.mtime, link.content) == ("a", 0o4755, 7, 4, None)
    assert (link.size, link.sha256) == (1, only(layer, "a").sha256)


def test_a_link_to_a_file_of_the_parent_becomes_a_file(tmp_path: Path) -> None:
    parent = index_of(file("base", b"1"))
    for name, entries in {
        "up": [file("base", b"1"), hardlink("new", "base"), hardlink("new2", "base")],
        "down": [file("new", b"1"), hardlink("base", "new"), hardlink("new2", "new")],
    }.items():
        layer = canonicalise([raw(tmp_path / name, *entries)], parent, EPOCH)
        assert said(layer) == {"new": "file", "new2": "hardlink"}
        assert only(layer, "new2").link == "new"


def test_breaking_a_link_of_the_parent_is_no_difference(tmp_path: Path) -> None:
    parent = index_of(file("a", b"1"), hardlink("b", "a"))
    assert canonicalise([raw(tmp_path / "t", file("b", b"1"))], parent, EPOCH) == Layer(())


def test_a_linked_symbolic_link_or_pipe_becomes_its_own(tmp_path: Path) -> None:
    entries = [symlink("a", "x"), hardlink("b", "a"), Entry("p", "fifo", 0o600), hardlink("q", "p")]
    layer = canonicalise([raw(tmp_path / "t", *entries)], NOTHING, EPOCH)
    assert said(layer) == {"a": "symlink", "b": "symlink", "p": "fifo", "q": "fifo"}
    assert only(layer, "b").link == "x"


def test_devices_are_dropped_and_hide_what_was_there(tmp_path: Path) -> None:
    parent = index_of(file("null"), file("d/x"))
    devices = []
    for name, kind in (("null", tarfile.CHRTYPE), ("d", tarfile.BLKTYPE), ("fresh", tarfile.CHRTYPE)):
        info = tarfile.TarInfo(name)
        info.type, info.devmajor, info.devminor = kind, 1, 3
        devices.append(info)
    layer = canonicalise([raw(tmp_path / "t", *devices)], parent, EPOCH)
    assert said(layer) == {"d": "gone", "null": "gone"}


def test_order_is_that_of_the_paths_bytes(tmp_path: Path) -> None:
    names = ["a/z", "a-b", "a", "a.b", "é", "z", "\udcff", "\uffff", "Z"]
    entries = [folder(name) if name == "a" else file(name) for name in names]
    layer = canonicalise([raw(tmp_path / "t", *entries)], NOTHING, EPOCH)
    assert [entry.path for entry in layer.entries] == ["Z", "a", "a-b", "a.b", "a/z", "z", "é", "\uffff", "\udcff"]


def test_left_out_paths_are_neither_added_nor_changed_nor_removed(tmp_path: Path) -> None:
    parent = index_of(
        file("etc/hosts", b"base"), file("var/log/dpkg.log", b"1"), file("var/log/gone.log"), folder("tmp")
    )
    entries = [
        file("etc/hosts", b"engine"),
        file("var/log/dpkg.log", b"2"),
        "var/log/.wh.gone.log",
        folder("var/log/nginx", 0o750, uid=33),
        file("var/log/nginx/access.log"),
        file("tmp/x"),
        file("inputs/y.deb"),
        ".wh.tmp",
        file("usr/kept"),
    ]
    layer = canonicalise([raw(tmp_path / "t", *entries)], parent, EPOCH, mounts=["/inputs"])
    assert said(layer) == {"usr": "dir", "usr/kept": "file", "var": "dir", "var/log": "dir", "var/log/nginx": "dir"}


def test_left_out_paths_go_with_a_folder_that_goes(tmp_path: Path) -> None:
    parent = index_of(file("var/log/dpkg.log"), file("var/cache/apt/x"))
    removed = canonicalise([raw(tmp_path / "a", ".wh.var")], parent, EPOCH)
    assert said(removed) == {"var": "gone"}
    remade = canonicalise([raw(tmp_path / "b", folder("var"), "var/.wh..wh..opq", folder("var/log"))], parent, EPOCH)
    assert said(remade) == {"var": "dir", "var/cache": "gone"}
    assert "var/log/dpkg.log" in parent.apply(remade)


def test_the_lowest_layer_brings_the_folders_that_are_left_out_later(tmp_path: Path) -> None:
    entries = [
        folder("tmp", 0o1777),
        file("tmp/x"),
        folder("dev"),
        folder("dev/pts"),
        folder("var/tmp", 0o1777),
        file("etc/hosts"),
        folder("var/cache/apt"),
        folder("var/cache/apt/archives"),
    ]
    layer = canonicalise([raw(tmp_path / "t", *entries)], NOTHING, EPOCH, mounts=["/var/cache"])
    assert said(layer) == {"dev": "dir", "etc": "dir", "tmp": "dir", "var": "dir", "var/tmp": "dir"}
    assert only(layer, "tmp").mode == 0o1777
    again = [folder("tmp", 0o755), folder("proc"), file("usr")]
    above = canonicalise([raw(tmp_path / "u", *again)], NOTHING.apply(layer), EPOCH)
    assert said(above) == {"usr": "file"}


def test_a_log_that_becomes_a_folder_is_no_log(tmp_path: Path) -> None:
    parent = index_of(folder("var/log"), file("var/log/x"), folder("var/log/y"), file("var/log/y/z"))
    layer = canonicalise([raw(tmp_path / "t", folder("var/log/x"), file("var/log/y"))], parent, EPOCH)
    assert said(layer) == {"var": "dir", "var/log": "dir", "var/log/x": "dir", "var/log/y": "file"}


def test_data_layers() -> None:
    tree = Tree([file("w/s/model", b"1", mtime=EPOCH + 1), hardlink("w/a", "w/s/model"), folder("w/s", 0o700)])
    layer = data_layer(tree, EPOCH)
    assert said(layer) == {"w": "dir", "w/a": "file", "w/s": "dir", "w/s/model": "hardlink"}
    assert only(layer, "w").mode == 0o755
    assert {entry.mtime for entry in layer.entries} == {EPOCH}
    assert only(layer, "w/a").read() == b"1"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([file("a"), file("a/b")], "lies below"),
        ([hardlink("a", "b")], "hard link to 'b'"),
        ([folder("d"), hardlink("a", "d")], "hard link to 'd'"),
        ([file("d/.wh.a")], "cannot hold a name"),
        ([file("../a")], "not a clean path"),
        ([replace(file("a"), content=None)], "neither content nor sha256"),
    ],
)
def test_trees_that_are_no_layer(entries: list[Entry], message: str) -> None:
    with pytest.raises(InputError, match=message):
        data_layer(Tree(entries), EPOCH)


@pytest.mark.parametrize(
    "made",
    [
        file("d/.wh.a", b"not empty", 0o600),
        file("d/.wh.a", mode=0o644),
        folder("d/.wh.a"),
        symlink("d/.wh.a", "b"),
        file("d/.wh..wh.a", mode=0),
        file("d/.wh..wh..opq", b"not empty"),
        folder("d/.wh..wh..opq"),
    ],
    ids=str,
)
def test_what_a_step_gives_the_name_of_a_removal_is_an_error(tmp_path: Path, made: Entry) -> None:
    """Where the tar shows that no engine has written it; a vendor's layers, which stay as they are, may have it."""
    layer = raw(tmp_path / "t", folder("d"), made)
    with pytest.raises(InputError, match=r"d/\.wh\..*: a layer cannot hold a name that starts with \.wh\."):
        canonicalise([raw(tmp_path / "u", folder("e")), layer], index_of(folder("d"), file("d/a")), EPOCH)
    base_index([layer])


@pytest.mark.parametrize("mode", [0, 0o600, 0o444])
def test_removals_as_engines_write_them(tmp_path: Path, mode: int) -> None:
    layer = raw(tmp_path / "t", folder("d"), file("d/.wh.a", mode=mode))
    assert said(canonicalise([layer], index_of(folder("d"), file("d/a")), EPOCH)) == {"d": "dir", "d/a": "gone"}


def test_an_epoch_that_no_header_holds() -> None:
    for epoch in (-1, 8**11):
        with pytest.raises(ValueError, match="no epoch"):
            data_layer(Tree([file("a")]), epoch)
