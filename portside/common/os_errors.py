"""What the operating system refuses, as an error that says what to do about it."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from portside.errors import StoreError

FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_BELOW = 16 << 20
_RIGHTS = (errno.EACCES, errno.EPERM)
_REMEDIES = {
    errno.EROFS: "It is on a file system that is mounted read-only: name a folder that can be written to.",
    errno.ENOTDIR: "A part of that path is a file, and no folder: name another.",
    errno.EEXIST: "Something else has that name: remove it, or name another.",
    errno.EISDIR: "It is a folder, where a file is meant: name another.",
    errno.ENAMETOOLONG: "The name, or the whole path, is longer than the file system takes: name a shorter one.",
    errno.ELOOP: "Symbolic links lead in a circle there: look at them with ls -l.",
    errno.EFBIG: "No file may become so large there: look at `ulimit -f`, or take a folder on another file system.",
    errno.EMFILE: "This process may open no more files: raise `ulimit -n`.",
    errno.ENFILE: "The machine has no more open files to give: raise fs.file-max (sysctl), or end what holds them.",
    errno.ENOMEM: "The machine has no memory left: end something else, or give it more.",
    errno.EAGAIN: "The machine gives no more of this now: look at `ulimit -u`, and try again.",
    errno.EIO: "The disk fails to read or write: look at the kernel's log (dmesg), and take another disk.",
    errno.ESTALE: "The server of that file system has lost the file: mount it again.",
    errno.ENOTEMPTY: "Something else puts files there: end it, or name another folder.",
    errno.EBUSY: "Something uses it, such as a mount: end that first.",
    errno.ENOENT: "Look whether something else removes files there, and try again.",
    errno.EXDEV: "It is on another file system than what belongs to it: name a folder on the same one.",
}


def explained(error: OSError, near: Iterable[Path] = ()) -> StoreError:
    """An operating system's refusal for a person. near: folders that may be meant where it names none, the likeliest
    first."""
    place = _place(error)
    near = [*near, Path(tempfile.gettempdir())]
    if error.errno in FULL:
        return no_space(full_disk(place, near))
    reason = error.strerror or str(error) or type(error).__name__
    return StoreError(f"{place}: {reason}" if place else reason, remedy(error, place))


def remedy(error: OSError, place: Path | None = None) -> str:
    """What a person can do about it. place: what it is about, where the error does not say."""
    place = _place(error) or place
    if error.errno in FULL:
        return no_space(full_disk(place, [])).solution or ""
    if error.errno in _RIGHTS:
        return _rights(place)
    return _REMEDIES.get(error.errno or 0, "PORTSIDE_DEBUG=1 in front of the command shows where it happened.")


def no_space(path: Path) -> StoreError:
    """path: a file or folder on the disk that is full."""
    return StoreError(f"no space left on the disk of {path}", "Free some, run `invoke clean`, or move PORTSIDE_HOME.")


def full_disk(place: Path | None, near: Iterable[Path]) -> Path:
    """The place whose disk is full, of that which an error names and of others: a write that fails names no file."""
    candidates = [path for path in (place, *near) if path is not None]
    found = [(free, path) for path in candidates if (free := _free(path)) is not None]
    full = [path for free, path in found if free < _FULL_BELOW]
    if full:
        return full[0]
    return min(found, key=lambda pair: pair[0])[1] if found else Path()


def _free(path: Path) -> int | None:
    """The bytes that are free on a path's disk; 0 where it takes no more files."""
    there = next((above for above in (path, *path.parents) if above.exists()), None)
    try:
        if there is None:
            return None
        state = os.statvfs(there)
    except OSError:
        return None
    return 0 if state.f_files and not state.f_favail else shutil.disk_usage(there).free


def _place(error: OSError) -> Path | None:
    name = error.filename if error.filename2 is None else error.filename2
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    return Path(name) if isinstance(name, str) and name else None


def _rights(place: Path | None) -> str:
    if place is None:
        return "This user may not do that: look at the rights (ls -l)."
    there: Path | None = None
    for path in (place, *place.parents):
        try:
            owner = path.stat().st_uid
        except OSError:
            continue
        there = path
        break
    if there is None:
        return "This user may not do that: look at the rights (ls -l)."
    if owner == os.geteuid():
        return f"Give yourself the right: chmod u+rwX {there}"
    return f"{there} belongs to {_name(owner)}, and this is {_name(os.geteuid())}: ask them, or name a folder of yours."


def _name(uid: int) -> str:
    import pwd

    try:
        return f"the user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"the user number {uid}"
