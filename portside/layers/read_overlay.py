"""Read an overlay2 layer in place, from the upper folder of its mount (kernel: Documentation/filesystems/overlayfs)."""

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from portside.common.tree import Entry, FileRange, Kind, decode_path
from portside.errors import InputError
from portside.layers.raw import KEPT_XATTRS, RawLayer, check_name

# "user." is what a mount without privileges (userxattr) uses.
_MARKS = ("trusted.overlay.", "user.overlay.")
_ELSEWHERE = ("redirect", "metacopy")
"""Marks that say: the folder's content, or the file's bytes, lie in another layer."""


def read(path: Path) -> RawLayer:
    """Raises InputError as `raw.read` says, and OSError."""
    layer = RawLayer()
    inodes: dict[tuple[int, int], Entry] = {}
    for name, item in _walk(os.fsencode(path), b""):
        _add(layer, inodes, check_name(decode_path(name)), item)
    return layer


def _walk(root: bytes, relative: bytes) -> Iterator[tuple[bytes, "os.DirEntry[bytes]"]]:
    folders = [relative]
    while folders:
        folder = folders.pop()
        with os.scandir(os.path.join(root, folder)) as found:
            # Sorted: of several hard links, the one seen first gives its attributes and its content's path.
            items = sorted(found, key=lambda item: item.name)
        for item in items:
            name = os.path.join(folder, item.name)
            yield name, item
            if item.is_dir(follow_symlinks=False):
                folders.append(name)


def _add(layer: RawLayer, inodes: dict[tuple[int, int], Entry], path: str, item: "os.DirEntry[bytes]") -> None:
    info = item.stat(follow_symlinks=False)
    kind = _kind(info.st_mode)
    if stat.S_ISSOCK(info.st_mode):
        layer.sockets.add(path)  # no tar can hold one, so what lay there stays for every engine that reads a tar
        return
    if kind is None:
        layer.whiteouts.add(path)  # 0/0 devices are whiteouts; other devices hide what lay there
        return
    if kind == "file":
        layer.times[path] = info.st_mtime_ns
    inode = (info.st_dev, info.st_ino)
    if info.st_nlink > 1 and inode in inodes:
        layer.entries[path] = replace(inodes[inode], path=path)
        return
    mtime = info.st_mtime_ns // 1_000_000_000
    if kind == "symlink":
        target = decode_path(os.readlink(item.path))
        entry = Entry(path, kind, 0o777, info.st_uid, info.st_gid, mtime, link=target)
    else:
        xattrs = _xattrs(layer, path, kind, item.path)
        entry = Entry(path, kind, stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid, mtime, xattrs=xattrs)
    if kind == "file":
        content = FileRange(Path(os.fsdecode(item.path)), 0, info.st_size)
        entry = replace(entry, size=info.st_size, content=content)
    if kind != "dir":
        inodes[inode] = entry
    layer.entries[path] = entry


def _kind(mode: int) -> Kind | None:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "dir"
    if stat.S_ISLNK(mode):
        return "symlink"
    return "fifo" if stat.S_ISFIFO(mode) else None


def _xattrs(layer: RawLayer, path: str, kind: Kind, full: bytes) -> tuple[tuple[str, bytes], ...]:
    """The extended attributes that are kept; notes in `layer` what the overlay's own say."""
    names = os.listxattr(full, follow_symlinks=False)
    for mark in _MARKS:
        if any(mark + word in names for word in _ELSEWHERE):
            raise InputError(
                f"{path}: this overlay keeps part of it in another layer (redirect_dir or metacopy)",
                "Let the engine write the layer as a tar instead of reading its folder.",
            )
        opaque = mark + "opaque"
        if kind == "dir" and opaque in names and os.getxattr(full, opaque, follow_symlinks=False) == b"y":
            layer.opaque.add(path)
    return tuple((name, os.getxattr(full, name, follow_symlinks=False)) for name in KEPT_XATTRS if name in names)
