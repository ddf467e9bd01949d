"""Read an engine's layer tar (GNU, ustar or PAX) without trusting it."""

import math
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from portside.common import foreign_tar
from portside.common.tree import Entry, Kind, Ranged, encode_path
from portside.errors import InputError
from portside.layers.raw import KEPT_XATTRS, OPAQUE, WHITEOUT, RawLayer, Tar, TarLayer, check_name

XATTR = "SCHILY.xattr."
"""The PAX keyword prefix under which Go's archive/tar, and so every engine, writes extended attributes."""
BLOCK = tarfile.BLOCKSIZE
PATH_MAX = 4096
META = WHITEOUT + WHITEOUT
"""Book-keeping of the AUFS driver; apart from the opaque marker it means nothing in a layer."""

_MODES = (0, 0o400, 0o444, 0o600)
"""What whiteouts have: containerd and drivers that compare trees write 0, overlay drivers 0600, AUFS 0444."""

# TarInfo.isfile, .isdir and the like cost more than the rest of the loop.
_KINDS: dict[bytes, Kind] = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
    tarfile.DIRTYPE: "dir",
    tarfile.SYMTYPE: "symlink",
    tarfile.FIFOTYPE: "fifo",
    tarfile.LNKTYPE: "hardlink",
}


def read(source: Tar) -> RawLayer:
    """Raises InputError as `raw.read` says, and OSError."""
    layer = RawLayer()
    path, content = source.path, source.content
    try:
        with (
            path.open("rb") if isinstance(source, TarLayer) else content.open() as stream,
            foreign_tar.open_tar(stream) as tar,
        ):
            for member in tar_members(tar):
                if member.offset_data + (member.size if member.isreg() else 0) > content.size:
                    raise InputError.about(path, f"it ends in the middle of {member.name}")
                _add(layer, member, content)
            _check_end(path, tar.offset, content)
    except (tarfile.TarError, ValueError, OverflowError, MemoryError, RecursionError, EOFError) as error:
        raise InputError.about(path, f"it is not a readable tar: {error}") from error
    _check_folders(layer.entries)
    return layer


def tar_members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members of an uncompressed tar. Raises ReadError for a negative size: tarfile would step back by it, and
    read the same headers for ever."""
    for member in foreign_tar.members(tar):
        if tar.offset < member.offset_data:
            raise tarfile.ReadError(f"{member.name} has a negative size")
        yield member


def _check_end(path: Path, offset: int, content: Ranged) -> None:
    """tarfile stops silently at a damaged header: see that it stopped at the end."""
    with content.part(offset, max(0, min(BLOCK, content.size - offset))).open() as stream:
        block = stream.read()
    if block.count(0) != len(block) or len(block) % BLOCK or offset > content.size:
        raise InputError.about(path, f"it is damaged at byte {offset}")


def _add(layer: RawLayer, member: tarfile.TarInfo, tar: Ranged) -> None:
    path = _clean(member.name)
    if not path:
        return  # the root folder itself belongs to the engine
    folder, _, name = path.rpartition("/")
    if name.startswith(WHITEOUT):
        check_name(folder)
        if not _is_whiteout(member, name):
            layer.misnamed.add(path)
        if name == OPAQUE:
            layer.opaque.add(folder)
        elif not name.startswith(META):
            gone = name[len(WHITEOUT) :]
            if gone in ("", ".", ".."):
                raise InputError(f"{member.name!r} is no whiteout of anything")
            layer.whiteouts.add(f"{folder}/{gone}" if folder else gone)
        return
    check_name(folder)
    if member.type in (tarfile.CHRTYPE, tarfile.BLKTYPE):
        layer.entries.pop(path, None)
        layer.whiteouts.add(path)
        return
    layer.entries[path] = _entry(layer, member, path, tar)


def _is_whiteout(member: tarfile.TarInfo, name: str) -> bool:
    """Whether an engine may have written this as a whiteout: an empty file (with AUFS one of its links), and, where it
    is not its folder's mark, with one of the modes that engines give it. An empty file of such a mode that a step made
    looks the same."""
    empty = member.isreg() and member.size == 0
    if name == OPAQUE or name.startswith(META):
        return empty and name == OPAQUE
    links = member.type == tarfile.LNKTYPE and WHITEOUT in member.linkname
    return links or (empty and stat.S_IMODE(member.mode) in _MODES)


def _entry(layer: RawLayer, member: tarfile.TarInfo, path: str, tar: Ranged) -> Entry:
    kind = _KINDS.get(member.type)
    if kind is None or member.sparse is not None:
        what = "a sparse file" if kind else f"of type {member.type!r}"
        raise InputError(f"{path} is {what}, which no engine writes", "Make the tar again without --sparse.")
    if kind == "hardlink":
        target = layer.entries.get(_clean(member.linkname))
        if target is None or target.kind == "dir":
            raise InputError(f"{path} is a hard link to {member.linkname!r}, which is no file before it in the layer")
        return replace(target, path=path)
    if member.uid < 0 or member.gid < 0 or member.size < 0:
        raise InputError(f"{path} has a negative owner or size")
    mtime = math.floor(member.mtime)
    if kind == "symlink":
        if not member.linkname or "\0" in member.linkname:
            raise InputError(f"{path} is a symbolic link without a usable target")
        return Entry(path, kind, 0o777, member.uid, member.gid, mtime, link=member.linkname)
    mode = stat.S_IMODE(member.mode)
    xattrs = tuple(
        (name, encode_path(member.pax_headers[XATTR + name]))
        for name in KEPT_XATTRS
        if XATTR + name in member.pax_headers
    )
    if kind == "file":
        content = tar.part(member.offset_data, member.size)
        return Entry(path, kind, mode, member.uid, member.gid, mtime, member.size, xattrs=xattrs, content=content)
    return Entry(path, kind, mode, member.uid, member.gid, mtime, xattrs=xattrs)


def _clean(name: str) -> str:
    """'./usr//bin/' -> 'usr/bin', the root -> ''; InputError for what points out of the root."""
    if name.startswith("/") or "\0" in name or len(name) >= PATH_MAX:
        raise InputError(f"{name[:200]!r} is no path below the root")
    parts = name.split("/")
    if ".." in parts:
        raise InputError(f"{name!r} points out of the layer's root")
    if "" in parts or "." in parts:
        return "/".join(part for part in parts if part not in ("", "."))
    return name


def _check_folders(entries: dict[str, Entry]) -> None:
    """Nothing may lie below a file or a symbolic link: unpacking would follow the link."""
    seen: set[str] = set()
    for path in entries:
        folder = path.rpartition("/")[0]
        while folder and folder not in seen:
            seen.add(folder)
            above = entries.get(folder)
            if above is not None and above.kind != "dir":
                raise InputError(f"{path} lies below {folder}, which is a {above.kind} in the same layer")
            folder = folder.rpartition("/")[0]
