"""Debian's bookworm as the machine's mirrors have it: resolved, brought, made into a base."""

import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from portside.common.canonical import copy_and_hash
from portside.config import Config
from portside.inputs.debian.base import make_base
from portside.inputs.debian.control import deb_date
from portside.inputs.debian.mirrors import deb_locations
from portside.inputs.debian.resolve import resolve_base, resolve_packages
from portside.lock.bases import DebianBase
from portside.lock.packages import Deb
from portside.net import transfer
from portside.store import Store

WHERE = ("bookworm", "amd64")


def test_bookworm_is_resolved_brought_and_made_the_same_twice(tmp_path: Path) -> None:
    config = Config(home=tmp_path / "home")
    store = Store(config.home)
    debs, snapshot = resolve_base(*WHERE, [], [], (), config, store)
    names = {deb.name for deb in debs}
    assert len(debs) == 96 and {"apt", "base-files", "bash", "dpkg", "libc6", "mount", "tzdata"} <= names
    assert resolve_base(*WHERE, [], debs, (), config, store) == (debs, snapshot)

    added = resolve_packages(["python3", "python3-pip"], debs, *WHERE, [], (), config, store)
    assert {"python3", "python3-pip", "python3.11-minimal"} <= {deb.name for deb in added}
    assert not names & {deb.name for deb in added}

    where = DebianBase(
        suite=WHERE[0], architecture=WHERE[1], snapshot=snapshot, epoch=0, debs=tuple(debs), diff_id="0" * 64, size=0
    )

    def bring(deb: Deb) -> str:
        return transfer.bring(deb.name, deb.sha256, deb.size, deb_locations(deb, where, config), store, "")

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(bring, debs)) == [deb.sha256 for deb in debs]
    files = [(deb, store.inputs.path(deb.sha256)) for deb in debs]
    epoch = max(deb_date(path) for _, path in files)

    digests = []
    for number, umask in enumerate((0o022, 0o077)):
        with store.workspace() as workspace:
            out = tmp_path / f"{number}.tar"
            before = os.umask(umask)
            try:
                make_base(files, *WHERE, epoch, out, workspace, print)
            finally:
                os.umask(before)
        with open(out, "rb") as stream:
            digests.append(copy_and_hash(stream)[0])
    assert digests[0] == digests[1]

    with tarfile.open(tmp_path / "0.tar") as tar:
        members = {member.name: member for member in tar}
    assert max(member.mtime for member in members.values()) <= epoch
    for gone in ("etc/apt/sources.list", "etc/hostname", "etc/machine-id", "var/lib/dpkg/status-old"):
        assert f"./{gone}" not in members
    assert members["./usr/bin/passwd"].mode == 0o4755
