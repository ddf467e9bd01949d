"""The template's code, kept where Python keeps that of modules: compiling it is a tenth of a task's start."""

import pickle
import sys
from contextlib import suppress
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket

from portside.common.outputs import write_bytes
from portside.errors import StoreError


class Compiled(jinja2.BytecodeCache):
    """A folder for the code of templates, which counts for the same source, options, Python and Jinja alone.

    Where nobody may write, and where Python is told to keep no code, a template is compiled by every process.
    options: those of Jinja's environment that the code depends on.
    """

    def __init__(self, folder: Path, options: object) -> None:
        self._folder = folder
        self._options = f"{options}"

    def get_source_checksum(self, source: str) -> str:
        return super().get_source_checksum(f"{self._options}\n{source}")

    def _path(self, bucket: Bucket) -> Path:
        return self._folder / f"{bucket.key}.{sys.implementation.cache_tag}.jinja-{jinja2.__version__}"

    def load_bytecode(self, bucket: Bucket) -> None:
        try:
            with self._path(bucket).open("rb") as kept:
                bucket.load_bytecode(kept)
        except (OSError, EOFError, ValueError, TypeError, AttributeError, pickle.UnpicklingError):
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        if not sys.dont_write_bytecode:
            with suppress(OSError, StoreError):
                self._folder.mkdir(exist_ok=True)
                write_bytes(self._path(bucket), bucket.bytecode_to_string())
