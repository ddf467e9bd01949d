"""Archives as an attacker makes them, and broken ones: refused, and before they cost anything."""

import bz2
import gzip
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from members import GOOD, Member, file, folder, pax, sdist, special, symlink, tar_bytes

from portside.errors import InputError
from portside.inputs import archives, unpacked
from portside.inputs.spool import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path) as open_spool:
        yield open_spool


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ([file("/etc/passwd")], "/etc/passwd"),
        ([file("p/../../x")], "p/../../x"),
        ([file("../x")], "../x"),
        ([file("p//x")], "p//x"),
        ([file("p/./x")], "p/./x"),
        ([symlink("p/l", "/etc/passwd")], "an absolute path"),
        ([symlink("p/l", "../x")], "out of the archive"),
        ([symlink("p/a/l", "../../p/x")], "out of the archive"),
        ([symlink("p/up", "a/b"), symlink("p/a/b", "../.."), file("p/x")], "out of the archive"),
        ([symlink("p/deep/d", ".."), symlink("p/l", "deep/d/../x")], "out of the archive"),
        ([symlink("p/a", "b"), symlink("p/b", "a")], "in a circle"),
        ([symlink("p/l", "")], "links to nothing"),
        ([symlink("p/l", "d"), folder("p/d"), file("p/l/x")], "p/l/x leads through p/l"),
        ([file("p/f"), file("p/f/x")], "p/f/x leads through p/f"),
        ([file("p/d/x"), symlink("p/d", "e")], "p/d comes twice"),
        ([file("p/x"), folder("p/x")], "p/x comes twice"),
        ([special("p/h", tarfile.LNKTYPE, "p/none")], "p/h is a hard link to p/none"),
        ([special("p/h", tarfile.LNKTYPE, "/etc/passwd")], "/etc/passwd"),
        ([folder("p/d"), special("p/h", tarfile.LNKTYPE, "p/d")], "p/h is a hard link to p/d"),
        ([symlink("p/l", "x"), special("p/d/h", tarfile.LNKTYPE, "p/l"), symlink("p/l", "../x")], "out of the archive"),
        ([file("p/x"), symlink("p/x", "/etc/passwd")], "an absolute path"),
        ([file("p/d/x"), file("p/d")], "p/d comes twice"),
        ([special("p/rest", b"M")], "another volume"),
        ([special("p/null", tarfile.CHRTYPE)], "p/null is a device"),
        ([special("p/sda", tarfile.BLKTYPE)], "p/sda is a device"),
        ([special("p/pipe", tarfile.FIFOTYPE)], "p/pipe is a device, a FIFO"),
        ([file("p/x"), file("q/x")], "one top folder, this has 2: p, q"),
        ([file("setup.py")], "setup.py is not a folder"),
        ([], "one top folder, this has 0"),
        ([pax("p/x", mtime="inf")], "broken"),
        ([pax("p/x", size="-1")], "p"),
        ([pax("p/x", path="p/../../x")], "p/../../x"),
    ],
)
def test_hostile_tars_are_refused(tmp_path: Path, spool: Spool, members: list[Member], named: str) -> None:
    path = sdist(tmp_path, *members)
    with pytest.raises(InputError) as caught:
        archives.sdist_tree(path, spool)
    assert named in caught.value.problem
    assert "pkg-1.0.tar.gz" in caught.value.problem
    assert caught.value.solution


@pytest.mark.parametrize(
    ("name", "attributes", "named"),
    [
        ("../x", 0, "../x"),
        ("/x", 0, "/x"),
        ("p/l", 0o120777 << 16, "out of the archive"),
        ("p/dev", 0o020666 << 16, "p/dev is a device"),
        ("p/pipe", 0o010666 << 16, "p/pipe is a device, a FIFO"),
    ],
)
def test_hostile_zips_are_refused(tmp_path: Path, spool: Spool, name: str, attributes: int, named: str) -> None:
    path = tmp_path / "pkg-1.0.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = attributes
        archive.writestr(info, "../outside")
    with pytest.raises(InputError, match=r"pkg-1\.0\.zip") as caught:
        archives.sdist_tree(path, spool)
    assert named in caught.value.problem


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, bz2.compress, bytes])
@pytest.mark.parametrize("keep", [0.3, 0.6, 0.85])
def test_a_cut_off_archive_is_refused(
    tmp_path: Path, spool: Spool, compress: Callable[[bytes], bytes], keep: float
) -> None:
    path = tmp_path / "pkg-1.0.tar.x"
    whole = compress(tar_bytes(*(file(f"p/{number}", bytes([number]) * 3000) for number in range(20))))
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(InputError, match=r"pkg-1\.0\.tar\.x"):
        archives.sdist_tree(path, spool)


def test_a_tar_that_ends_between_two_members_is_refused(tmp_path: Path, spool: Spool) -> None:
    path = tmp_path / "p.tar"
    path.write_bytes(tar_bytes(file("p/x", b"y" * 512))[:1024])
    with pytest.raises(InputError, match="its end is missing"):
        archives.sdist_tree(path, spool)


def test_a_broken_header_is_not_taken_for_the_end(tmp_path: Path, spool: Spool) -> None:
    data = bytearray(tar_bytes(file("p/x"), file("p/y")))
    data[1024 + 150] ^= 1
    path = tmp_path / "p.tar"
    path.write_bytes(data)
    with pytest.raises(InputError, match="at byte 1024"):
        archives.sdist_tree(path, spool)


@pytest.mark.parametrize("data", [b"", b"\x1f\x8b", b"PK\x03\x04", b"BZh9", b"\xfd7zXZ\0", b"<html>", bytes(5000)])
def test_something_else_than_an_archive(tmp_path: Path, spool: Spool, data: bytes) -> None:
    path = tmp_path / "pkg-1.0.tar.gz"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"pkg-1\.0\.tar\.gz"):
        archives.sdist_tree(path, spool)


def test_a_bomb_is_stopped_at_the_limit(tmp_path: Path, spool: Spool) -> None:
    path = sdist(tmp_path, file("p/zeros", bytes(archives.SMALLEST_LIMIT + 1)))
    assert path.stat().st_size < archives.SMALLEST_LIMIT / archives.MOST_GROWTH
    with pytest.raises(InputError, match="bytes come out"):
        archives.sdist_tree(path, spool)
    assert spool.size <= archives.SMALLEST_LIMIT


def test_a_zip_bomb_is_stopped_at_the_limit(tmp_path: Path, spool: Spool) -> None:
    path = tmp_path / "pkg-1.0.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"p/{number}", bytes(archives.SMALLEST_LIMIT // 2))
    with pytest.raises(InputError, match="bytes come out"):
        archives.sdist_tree(path, spool)


def test_too_many_members(tmp_path: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked, "MOST_ENTRIES", 10)
    assert len(archives.sdist_tree(sdist(tmp_path, *(file(f"p/{number}") for number in range(10))), spool)) == 10
    with pytest.raises(InputError, match="more than 10 members"):
        archives.sdist_tree(sdist(tmp_path, *(file(f"p/{number}") for number in range(11))), spool)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_a_giant_extension_header_is_refused_before_it_is_read(tmp_path: Path, spool: Spool, kind: bytes) -> None:
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = kind, 1 << 40
    path = tmp_path / "pkg-1.0.tar.gz"
    path.write_bytes(gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(2048)))
    for use in (lambda: archives.sdist_tree(path, spool), lambda: archives.newest_date(path)):
        with pytest.raises(InputError, match="an extension header of"):
            use()


def test_a_size_that_leads_far_out_is_refused_at_once(tmp_path: Path, spool: Spool) -> None:
    path = sdist(tmp_path, pax("p/x", size="99999999999999999999"))
    for use in (lambda: archives.sdist_tree(path, spool), lambda: archives.newest_date(path)):
        with pytest.raises(InputError, match="p/x has a size of"):
            use()


def test_bad_data_of_any_compression_is_an_error_of_the_file(tmp_path: Path) -> None:
    data = bytearray(bz2.compress(bytes(range(256)) * 400))
    data[60] ^= 0xFF
    path = tmp_path / "p.tar.bz2"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"p\.tar\.bz2 is broken"):
        archives.newest_date(path)


def test_an_encrypted_member_is_refused(tmp_path: Path, spool: Spool) -> None:
    path = tmp_path / "pkg-1.0.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("p/x", b"data")
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="encrypted"):
        archives.sdist_tree(path, spool)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 10**6), value=st.integers(0, 255), compressed=st.booleans())
def test_a_flipped_byte_gives_a_tree_or_a_clear_error(
    tmp_path: Path, position: int, value: int, compressed: bool
) -> None:
    sparse = {"GNU.sparse.map": "0,512,4096,0", "GNU.sparse.size": "4096"}
    later = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "600"}
    holes = [(pax("pkg-1.0/s", **sparse)[0], bytes(512)), (pax("pkg-1.0/t", **later)[0], b"1\n0\n1\nx".ljust(513))]
    for member, content in holes:
        member.size = len(content)
    data = bytearray(tar_bytes(*GOOD, *holes))
    data = bytearray(gzip.compress(bytes(data), mtime=0)) if compressed else data
    data[position % len(data)] = value
    path = tmp_path / "pkg-1.0.tar"
    path.write_bytes(data)
    with Spool(tmp_path) as spool:
        try:
            tree = archives.sdist_tree(path, spool)
        except InputError as error:
            assert "pkg-1.0.tar" in error.problem
        else:
            assert all(".." not in entry.path.split("/") for entry in tree)
