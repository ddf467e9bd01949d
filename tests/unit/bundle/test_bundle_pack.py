"""Packs of one commit: what git makes of them, and that nothing but that commit gets in."""

import os
import subprocess
from pathlib import Path

import pytest

from portside.bundle.pack import read_pack, write_pack
from portside.common.tree import FileRange
from portside.config import Config
from portside.errors import InputError
from portside.inputs import git
from portside.inputs.git_mirror import Mirror
from portside.inputs.spool import Spool
from portside.lock.sources import LockedGitSource
from portside.store import Store

SIZES = (0, 1, 15, 16, 2047, 2048, 65535, 65536, 200_000)


def run(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments]
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """Two commits; files of sizes at which the encoding changes, a link, a program, equal files."""
    folder = tmp_path / "upstream"
    folder.mkdir()
    run(folder, "init", "--quiet")
    (folder / "old").write_text("history\n")
    run(folder, "add", "--all")
    run(folder, "commit", "--quiet", "--message", "first")
    for size in SIZES:
        (folder / f"f{size}").write_bytes(bytes(n % 251 for n in range(size)))
    (folder / "deep").mkdir()
    (folder / "deep" / "same").write_bytes(b"\0")
    (folder / "deep" / "tool").write_text("#!/bin/sh\n")
    (folder / "deep" / "tool").chmod(0o755)
    (folder / "deep" / "link").symlink_to("tool")
    run(folder, "add", "--all")
    run(folder, "commit", "--quiet", "--message", "second")
    return folder


def locked(folder: Path, store: Store, revision: str = "HEAD") -> LockedGitSource:
    return git.resolve(f"file://{folder}", run(folder, "rev-parse", revision), Config(home=store.home), store)


def packed(source: LockedGitSource, store: Store, path: Path) -> tuple[FileRange, str]:
    with path.open("wb") as out:
        sha256, size = write_pack(source, store, out)
    assert path.stat().st_size == size
    return FileRange(path, 0, size), sha256


def digest(source: LockedGitSource, store: Store) -> str:
    with store.workspace() as folder, Spool(folder) as spool:
        return git.tree(source, store, spool).digest()


def test_git_reads_the_pack_and_it_is_the_commit(upstream: Path, tmp_path: Path) -> None:
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    source = locked(upstream, here)
    pack, sha256 = packed(source, here, tmp_path / "p.pack")
    run(tmp_path, "index-pack", "--fsck-objects", str(pack.path))
    read_pack(source, pack, sha256, there, Config(home=there.home))
    assert digest(source, there) == digest(source, here)
    assert write_pack(source, there, None) == (sha256, pack.size)
    mirror = Mirror(source.url, None, there)
    assert mirror.git("rev-list", source.commit).decode().split() == [source.commit]  # its parents are known to lack
    read_pack(source, pack, sha256, there, Config(home=there.home))  # nothing to do


def test_the_pack_does_not_depend_on_what_else_the_mirror_has(upstream: Path, tmp_path: Path) -> None:
    shallow, whole = Store(tmp_path / "shallow"), Store(tmp_path / "whole")
    source = locked(upstream, shallow)
    mirror = Mirror(source.url, Config(home=whole.home), whole)
    with mirror.locked():
        mirror.fetch_everything()
        mirror.git("repack", "-a", "-d", "-f", "--quiet")
    assert locked(upstream, whole) == source
    assert write_pack(source, whole, None) == write_pack(source, shallow, None)


def test_a_mirror_can_be_fetched_into_afterwards(upstream: Path, tmp_path: Path) -> None:
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    source = locked(upstream, here)
    read_pack(source, *packed(source, here, tmp_path / "p.pack"), there, Config(home=there.home))
    older = locked(upstream, there, "HEAD~1")
    assert older.commit != source.commit and digest(older, there) == digest(locked(upstream, here, "HEAD~1"), here)
    pack, sha256 = packed(older, here, tmp_path / "older.pack")
    read_pack(older, pack, sha256, there, Config(home=there.home))


def test_a_pack_of_something_else_or_with_more_is_refused(upstream: Path, tmp_path: Path) -> None:
    here = Store(tmp_path / "here")
    source, older = locked(upstream, here), locked(upstream, here, "HEAD~1")
    good = packed(source, here, tmp_path / "good.pack")
    other = packed(older, here, tmp_path / "other.pack")
    run(upstream, "repack", "-a", "-d", "--quiet")
    (everything,) = (upstream / ".git" / "objects" / "pack").glob("*.pack")
    for number, (pack, sha256) in enumerate(
        [
            other,
            (other[0], good[1]),
            (FileRange(everything, 0, everything.stat().st_size), good[1]),
            (FileRange(everything, 0, everything.stat().st_size), "0" * 64),
            (FileRange(good[0].path, 0, good[0].size - 100), good[1]),
            (FileRange(good[0].path, 0, 0), good[1]),
        ]
    ):
        there = Store(tmp_path / f"there{number}")
        if pack.path == everything and sha256 == good[1]:
            # More objects than the commit's do no harm, nothing refers to them.
            read_pack(source, pack, sha256, there, Config(home=there.home))
            assert digest(source, there) == digest(source, here)
            continue
        with pytest.raises(InputError):
            read_pack(source, pack, sha256, there, Config(home=there.home))
        assert not Mirror(source.url, None, there).has(source.commit)


def test_links_in_the_mirror_are_not_followed(upstream: Path, tmp_path: Path) -> None:
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    source = locked(upstream, here)
    precious = tmp_path / "precious"
    precious.write_text("precious")
    mirror = Mirror(source.url, None, there)
    with mirror.locked():
        for name in ("objects/pack/tmp_portside.pack", "shallow.portside"):
            (mirror.path / name).parent.mkdir(parents=True, exist_ok=True)
            (mirror.path / name).symlink_to(precious)
    read_pack(source, *packed(source, here, tmp_path / "p.pack"), there, Config(home=there.home))
    assert precious.read_text() == "precious"
    assert digest(source, there) == digest(source, here)
    left = {path.suffix for path in (mirror.path / "objects" / "pack").iterdir() if path.name != "tmp_portside.pack"}
    assert {".pack", ".idx"} <= left <= {".pack", ".idx", ".rev"}


def test_a_missing_object_is_named(upstream: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    source = locked(upstream, store)
    mirror = Mirror(source.url, None, store)
    name = mirror.git("rev-parse", f"{source.commit}:f16").decode().strip()
    (mirror.path / "objects" / name[:2] / name[2:]).unlink()
    with pytest.raises(InputError, match=f"lacks the object {name}"):
        write_pack(source, store, None)
