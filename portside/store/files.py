"""How files get into the store: written aside, synced, renamed. A kill at any moment leaves only scratch files."""

import errno
import fcntl
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from portside.common.canonical import canonical_json
from portside.common.os_errors import explained, remedy
from portside.common.outputs import sync_folder
from portside.common.progress import human_bytes
from portside.common.values import FileName
from portside.errors import StoreError

Value = TypeVar("Value")

NEW = "new-"
"""What the names of scratch files begin with; partial transfers, which are continued, have other names."""

RESERVE = 256 << 20
"""Bytes that Portside leaves free on the store's disk."""


def make_folder(path: Path) -> None:
    """Make a folder of the store, and those above it, which others may not write to whatever the umask is."""
    try:
        _make(path)
    except OSError as error:
        raise StoreError(
            f"the store at {path} cannot be made: {error.strerror}",
            f"{remedy(error, path)} Or set PORTSIDE_HOME to a folder you may write to.",
        ) from None


def _make(path: Path) -> None:
    if not path.is_dir():
        if path.parent != path:
            _make(path.parent)
        path.mkdir(mode=0o755, exist_ok=True)


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn a full disk or missing rights into an error that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise explained(error, [path]) from None
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StoreError(
                f"no right to write {path}: {error.strerror}", f"{remedy(error, path)} Or set PORTSIDE_HOME."
            ) from None
        if error.errno in (errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.ENAMETOOLONG, errno.EIO):
            raise explained(error, [path]) from None
        raise


def need_space(path: Path, size: int) -> None:
    """Raise StoreError unless the disk of `path` takes `size` more bytes."""
    free = shutil.disk_usage(path).free
    if free < size + RESERVE:
        raise StoreError(
            f"{human_bytes(size)} are needed at {path}, {human_bytes(free)} are free",
            "Free some, run `invoke clean`, or move PORTSIDE_HOME.",
        )


@contextmanager
def lock(home: Path, name: FileName, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """An exclusive lock among processes; the kernel lets go of it when its holder dies.

    waiting: called once if another holds it.
    """
    path = home / "locks" / name
    with store_errors(path):
        _make(path.parent)
        handle = _open_own(path)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _open_own(path: Path, mode: int = 0o644) -> int:
    """Open a file of the store whose name is known beforehand, made if missing.

    Raises StoreError for what somebody else put there: a symbolic link, or something that is no file at all.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise _in_the_way(path) from None
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise _in_the_way(path)
    return handle


def _in_the_way(path: Path) -> StoreError:
    return StoreError(f"{path} is no file of the store's own", f"Look who put it there, and remove it: rm -r {path}")


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except FileNotFoundError:
        return False


@contextmanager
def partial_file(path: Path) -> Iterator[BinaryIO]:
    """The partial file at `path`, made if missing, open for reading and writing, and this process's alone.

    Who waited for the lock may hold a file that its owner published or put aside meanwhile: then it is opened anew.
    """
    with store_errors(path):
        _make(path.parent)
        while True:
            handle = _open_own(path, 0o600)
            with os.fdopen(handle, "r+b") as stream:
                fcntl.flock(handle, fcntl.LOCK_EX)
                if not _is_at(handle, path):
                    continue
                if os.fstat(handle).st_nlink > 1:
                    path.unlink()  # its other name may be anybody's file
                    continue
                yield stream
                return


def publish(temporary: Path, final: Path, mode: int = 0o444) -> None:
    """Give a complete file its final name: sync, set its mode, rename, sync the folder."""
    with store_errors(final):
        _make(final.parent)
        handle = os.open(temporary, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fsync(handle)
            os.fchmod(handle, mode)
        finally:
            os.close(handle)
        temporary.replace(final)
        sync_folder(final.parent)


@contextmanager
def new_file(home: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A scratch file on the store's disk, held by a lock; removed at the end unless it was published."""
    folder = home / "partial"
    with store_errors(folder):
        _make(folder)
        while True:
            handle, name = tempfile.mkstemp(dir=folder, prefix=NEW)
            path = Path(name)
            with os.fdopen(handle, "wb") as stream:
                fcntl.flock(handle, fcntl.LOCK_EX)
                if not _is_at(handle, path):
                    continue  # another process took it for abandoned before it was locked
                try:
                    yield stream, path
                finally:
                    # A published file has another name by now.
                    path.unlink(missing_ok=True)
                return


@contextmanager
def scratch(home: Path) -> Iterator[Path]:
    """A scratch folder, held by a lock; folders whose holder died are removed on the way."""
    parent = home / "work"
    with store_errors(parent):
        _make(parent)
        _remove_abandoned(home)
        path = Path(tempfile.mkdtemp(dir=parent))
        holder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with store_errors(path):
            yield path
    finally:
        os.close(holder)
        remove_folder(path)


def remove_folder(path: Path) -> None:
    """Remove a folder and everything in it, read-only folders (a migrated tree may have some) included."""

    def make_writable(function: Any, name: str, info: Any) -> None:
        del info
        with suppress(FileNotFoundError):
            Path(name).parent.chmod(0o700)
            function(name)

    shutil.rmtree(path, onerror=make_writable)


def _remove_abandoned(home: Path) -> None:
    """Remove scratch folders and files whose process is dead: nobody holds their lock any more."""
    for path in [*sorted((home / "work").glob("*")), *sorted((home / "partial").glob(f"{NEW}*"))]:
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            # A folder between mkdtemp and flock of another process is empty: leave empty ones alone.
            if not path.is_dir():
                path.unlink(missing_ok=True)
            else:
                with suppress(FileNotFoundError):  # its holder is just removing it
                    if any(path.iterdir()):
                        remove_folder(path)
        finally:
            os.close(handle)


def read_json(path: Path, read: Callable[[Any], Value]) -> Value | None:
    """What `read` makes of the JSON value in a file, or None where there is no such file.

    Raises StoreError for a damaged file, and for one of which `read` raises ValueError, KeyError or TypeError.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return read(json.loads(data))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise StoreError(f"{path} is damaged", f"Remove it: rm {path}") from None


def write_json(home: Path, path: Path, value: Any) -> None:
    with new_file(home) as (stream, temporary):
        stream.write(canonical_json(value) + b"\n")
        stream.flush()
        publish(temporary, path, 0o644)
