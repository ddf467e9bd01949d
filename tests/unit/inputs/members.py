"""Members of tars, and archives of them."""

import calendar
import gzip
import io
import tarfile
from pathlib import Path

import zstandard

from portside.common.tree import Tree

Member = tuple[tarfile.TarInfo, bytes]
DATE = calendar.timegm((2023, 3, 29, 17, 0, 0))


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


def zstd(data: bytes) -> bytes:
    """Two frames behind one that is to be skipped, as pzstd writes them."""
    one = zstandard.ZstdCompressor()
    half = len(data) // 2
    return b"\x50\x2a\x4d\x18\4\0\0\0abcd" + one.compress(data[:half]) + one.compress(data[half:])


GOOD = (
    folder("pkg-1.0/"),
    file("pkg-1.0/setup.py", b"setup()", 0o600),
    file("pkg-1.0/bin/run", b"#!/bin/sh", 0o4711),
    file("pkg-1.0/a/shared", b"shared", 0o666),
    symlink("pkg-1.0/a/link", "../setup.py"),
    symlink("pkg-1.0/dangling", "a/nothing"),
    special("pkg-1.0/b/hard", tarfile.LNKTYPE, "pkg-1.0/a/shared"),
)
