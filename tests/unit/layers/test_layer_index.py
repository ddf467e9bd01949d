"""What an image's file system holds."""

import gzip
from pathlib import Path

import pytest
from layer_tools import CAPABILITY, EPOCH, XATTR, file, folder, hardlink, index_of, raw

from portside.common.tree import Entry, Tree
from portside.errors import StoreError
from portside.layers.canonical import base_index, data_layer
from portside.layers.index import Index
from portside.layers.layer import Layer


def test_apply() -> None:
    base = index_of(folder("d"), file("d/a"), file("d/b"), file("x"))
    top = data_layer(Tree([file("d", b"file now")]), EPOCH)
    assert list(base.apply(top).entries) == ["d", "x"]
    assert list(base.apply(Layer((), ("d",))).entries) == ["x"]
    assert list(base.apply(Layer((), ("d/a",))).entries) == ["d", "d/b", "x"]
    assert Index.of([data_layer(Tree([file("x")]), EPOCH), top]) == index_of(file("d", b"file now"), file("x"))
    assert all(entry.content is None for entry in base)


def test_links_whose_file_goes_stay_together() -> None:
    base = index_of(file("a", b"1"), hardlink("b", "a"), hardlink("c", "a"), file("z", b"2"), hardlink("zz", "z"))
    for top in (Layer((), ("a",)), data_layer(Tree([file("a", b"other")]), EPOCH)):
        after = base.apply(top)
        assert [(e.path, e.kind, e.link) for e in after if e.path != "a"] == [
            ("b", "file", ""),
            ("c", "hardlink", "b"),
            ("z", "file", ""),
            ("zz", "hardlink", "z"),
        ]
        assert after.get("b").sha256 == base.get("a").sha256  # type: ignore[union-attr]
    both = base.apply(data_layer(Tree([file("a", b"new"), hardlink("b", "a")]), EPOCH))
    assert [(e.path, e.kind, e.link) for e in both][:3] == [
        ("a", "file", ""),
        ("b", "hardlink", "a"),
        ("c", "file", ""),
    ]


def test_dump_is_the_same_for_the_same_index() -> None:
    entries = [file("b", b"1", xattrs=((XATTR, CAPABILITY),)), file("a"), file("new\nline"), file("\udcff")]
    assert index_of(*entries).dump() == index_of(*reversed(entries)).dump()
    assert Index.load(index_of(*entries).dump()) == index_of(*entries)
    assert Index.load(Index.empty().dump()) == Index.empty()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        gzip.compress(b"{}", mtime=0),
        gzip.compress(b'["portside index",0]', mtime=0),
        index_of(file("a")).dump()[:-9],
    ],
)
def test_files_that_are_no_index(data: bytes) -> None:
    with pytest.raises(StoreError, match="not an index"):
        Index.load(data)


def test_the_index_of_a_base_keeps_everything(tmp_path: Path) -> None:
    low = raw(tmp_path / "1", folder("tmp", 0o1777), file("etc/hosts", b"h", mtime=EPOCH + 5), file("gone"))
    high = raw(tmp_path / "2", ".wh.gone", file("a", b"1"), hardlink("b", "a"))
    found = base_index([low, high])
    assert [(e.path, e.kind) for e in found] == [
        ("a", "file"),
        ("b", "hardlink"),
        ("etc", "dir"),
        ("etc/hosts", "file"),
        ("tmp", "dir"),
    ]
    hosts = found.get("etc/hosts")
    assert isinstance(hosts, Entry)
    assert (hosts.mtime, len(hosts.sha256), hosts.content) == (EPOCH + 5, 64, None)
