"""A temporary file that holds the bytes of many files, so that a tree of any size needs little memory."""

import hashlib
import tempfile
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from portside.common.canonical import CHUNK
from portside.common.tree import FileRange
from portside.common.values import Sha256
from portside.errors import InputError
from portside.store.files import store_errors


class Spool:
    """Contents appended one after the other; what `append` gives is valid until the block ends. For one thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> "Spool":
        with store_errors(self._folder):
            self._stream = tempfile.NamedTemporaryFile(dir=self._folder, prefix="spool-")
        self.path = Path(self._stream.name)
        self.size = 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def append(self, source: BinaryIO, limit: int | None = None) -> tuple[FileRange, Sha256]:
        """Take in everything `source` has; gives the content and its sha256 (hex).

        Raises InputError as soon as more than `limit` bytes come.
        """
        digest = hashlib.sha256()
        start = self.size
        with store_errors(self._folder):
            while chunk := source.read(CHUNK):
                if limit is not None and self.size - start + len(chunk) > limit:
                    raise InputError(f"more than {limit} bytes come out")
                self._stream.write(chunk)
                digest.update(chunk)
                self.size += len(chunk)
            self._stream.flush()
        return FileRange(self.path, start, self.size - start), Sha256(digest.hexdigest())
