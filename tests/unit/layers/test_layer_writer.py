"""The writer against the standard library's reader, and every case of the extended headers."""

import hashlib
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from layer_tools import CAPABILITY, EPOCH, XATTR, file, folder, hardlink, symlink, tar_of, trees

from portside.common.tree import Entry, FileRange, Tree
from portside.errors import InputError
from portside.layers.canonical import data_layer
from portside.layers.layer import Layer
from portside.layers.writer import layer_size, read_layer, single_file_frame, write_layer

KINDS = {b"0": "file", b"1": "hardlink", b"2": "symlink", b"5": "dir", b"6": "fifo"}


def layer(*entries: Entry) -> Layer:
    return data_layer(Tree(entries), EPOCH)


def opened(data: bytes) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(data), mode="r:", encoding="utf-8", errors="surrogateescape")


def extensions(data: bytes) -> list[dict[str, str]]:
    return [dict(member.pax_headers) for member in opened(data)]


@settings(max_examples=100)
@given(trees(("a", "b", "-x", "é", "\udcff", "N" * 99, "M" * 100, "new\nline")))
def test_the_standard_library_reads_what_was_written(tree: Tree) -> None:
    written = data_layer(tree, EPOCH)
    data = tar_of(written)
    assert layer_size(written) == len(data)
    tar = opened(data)
    members = tar.getmembers()
    assert [member.name for member in members] == [entry.path for entry in written.entries]
    for member, entry in zip(members, written.entries, strict=True):
        found = (KINDS[member.type], member.mode, member.uid, member.gid, member.mtime, member.linkname)
        assert found == (entry.kind, entry.mode, entry.uid, entry.gid, entry.mtime, entry.link)
        assert (member.uname, member.gname) == ("", "")
        if entry.kind == "file":
            stream = tar.extractfile(member)
            assert stream is not None
            assert stream.read() == entry.read()


def test_names_up_to_100_bytes_need_no_extension() -> None:
    assert extensions(tar_of(layer(file("n" * 100), folder("d" * 99), symlink("l", "t" * 100)))) == [{}, {}, {}]
    assert extensions(tar_of(layer(file("n" * 101)))) == [{"path": "n" * 101}]
    assert extensions(tar_of(layer(folder("d" * 100)))) == [{"path": "d" * 100 + "/"}]
    assert extensions(tar_of(layer(symlink("l", "t" * 101)))) == [{"linkpath": "t" * 101}]
    assert extensions(tar_of(layer(symlink("l", "é")))) == [{"linkpath": "é"}]
    assert extensions(tar_of(layer(file("é")))) == [{"path": "é"}]


def test_a_record_counts_its_own_length() -> None:
    for length in range(101, 1100):
        (records,) = extensions(tar_of(layer(file("x" * length))))
        assert records == {"path": "x" * length}


def test_large_owners() -> None:
    assert extensions(tar_of(layer(file("a", uid=2097151, gid=2097151)))) == [{}]
    data = tar_of(layer(file("a", uid=2097152, gid=2**32 - 2)))
    assert extensions(data) == [{"gid": str(2**32 - 2), "uid": "2097152"}]
    member = opened(data).getmembers()[0]
    assert (member.uid, member.gid) == (2097152, 2**32 - 2)


def test_sizes_from_8_gib_on() -> None:
    for size, records in ((8**11 - 1, {}), (8**11, {"size": str(8**11)})):
        big = Entry("a", "file", 0o644, size=size, sha256="0" * 64)
        prefix, suffix = single_file_frame(layer(big))
        assert layer_size(layer(big)) == len(prefix) + size + len(suffix)
        member = opened(prefix).next()
        assert member is not None
        assert (member.size, member.pax_headers) == (size, records)


def test_capabilities_are_on_every_link_too() -> None:
    # An engine that unpacks a hard link sets the owner once more, and Linux then takes capabilities away.
    data = tar_of(layer(file("a", xattrs=((XATTR, CAPABILITY),)), hardlink("b", "a")))
    assert [member.type for member in opened(data)] == [tarfile.REGTYPE, tarfile.LNKTYPE]
    value = CAPABILITY.decode("utf-8", "surrogateescape")
    assert extensions(data) == [{"SCHILY.xattr." + XATTR: value}] * 2


def test_a_whiteout_is_an_empty_file_of_nobody() -> None:
    (member,) = opened(tar_of(Layer((), ("gone",)))).getmembers()
    found = (member.name, member.type, member.mode, member.uid, member.gid, member.mtime, member.size)
    assert found == (".wh.gone", tarfile.REGTYPE, 0, 0, 0, 0, 0)
    (records,) = extensions(tar_of(Layer((), ("é",))))
    assert records == {"path": ".wh.é"}


def test_whiteouts_stand_where_their_name_belongs() -> None:
    entries = (folder("d"), file("d/-", sha256="0" * 64), file("d/b", sha256="0" * 64))
    assert opened(tar_of(Layer(entries, ("d/a",)))).getnames() == ["d", "d/-", "d/.wh.a", "d/b"]


def test_nothing_at_all() -> None:
    assert write_layer(Layer(()), None).diff_id == hashlib.sha256(bytes(1024)).hexdigest()


def test_a_frame_and_a_content_are_the_layer() -> None:
    for data in (b"", b"x", b"y" * 512):
        whole = layer(folder("w", 0o700), file("w/s/model.bin", data))
        described = layer(folder("w", 0o700), replace(whole.entries[-1], content=None))
        prefix, suffix = single_file_frame(described)
        assert prefix + data + suffix == tar_of(whole)


def test_a_frame_has_one_file_at_its_end() -> None:
    for entries in ([], [folder("a")], [file("a"), file("b")], [file("a"), folder("b")]):
        with pytest.raises(ValueError, match="only file"):
            single_file_frame(layer(*entries))


def test_contents_that_changed(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"12345")
    entry = Entry("f", "file", 0o644, size=5, sha256="0" * 64, content=FileRange(path, 0, 5))
    assert len(tar_of(Layer((entry,)))) == 2048
    path.write_bytes(b"123")
    with pytest.raises(InputError, match="became shorter"):
        write_layer(Layer((entry,)), None)
    for content in (None, FileRange(path, 0, 3)):
        with pytest.raises(InputError, match="missing or has changed"):
            write_layer(Layer((replace(entry, content=content),)), None)


def test_times_and_owners_that_are_not_canonical() -> None:
    for entry in (folder("a", mtime=-1), folder("a", mtime=8**11), folder("a", uid=-1)):
        with pytest.raises(ValueError, match="not canonical"):
            write_layer(Layer((entry,)), None)


def test_reading_a_tar_that_another_program_wrote(tmp_path: Path) -> None:
    path = tmp_path / "t"
    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo("a"))
    with pytest.raises(InputError, match="not a canonical layer"):
        read_layer(path)
    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo("d/.wh..wh..opq"))
    with pytest.raises(InputError, match="opaque"):
        read_layer(path)
