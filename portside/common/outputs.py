"""Files that get their name when they are complete: written beside it under a name that nobody can foresee.

Whoever may write to the same folder could put a link at a name that is known beforehand, and the bytes would go where
it leads. So a file is made anew (O_EXCL, O_NOFOLLOW), and what is at its final name, a link as well, is replaced.
"""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from portside.common.os_errors import remedy
from portside.errors import PortsideError, StoreError

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def output(target: Path, mode: int | None, kind: type[PortsideError] = StoreError) -> Iterator[BinaryIO]:
    """A new file to write to; at the end of the block it is synced and becomes `target`, unless the block failed.

    mode: of the file, whatever the umask is; None: 0666 as the umask leaves it. kind: of the error that is raised where
    the file cannot be written. A kill leaves `.portside-RANDOM.part` beside `target`, and never half a target.
    """
    try:
        with _new_file(target.parent, 0o666 if mode is None else 0o600) as (stream, path):
            yield stream
            stream.flush()
            if mode is not None:
                os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
            path.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise kind(
            f"{target} cannot be written: {error.strerror or error}",
            remedy(error, target),
        ) from None


def write_bytes(target: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace a small file at once: a reader sees the old bytes or the new ones. Raises StoreError."""
    with output(target, mode) as stream:
        stream.write(data)


def write_text(target: Path, text: str) -> None:
    """As `write_bytes`, in UTF-8, with line ends as they are and mode 0644."""
    write_bytes(target, text.encode("utf-8"))


def sync_folder(folder: Path) -> None:
    """Let the names in a folder last. Some file systems of other machines cannot be asked for that."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


@contextmanager
def _new_file(folder: Path, mode: int) -> Iterator[tuple[BinaryIO, Path]]:
    while True:
        path = folder / f".portside-{secrets.token_hex(8)}.part"
        try:
            handle = os.open(path, _NEW, mode)
            break
        except FileExistsError:
            continue
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream, path
    finally:
        path.unlink(missing_ok=True)  # what is complete has another name by now
