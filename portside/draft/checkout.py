"""The files of a repository, to be looked at: every read is bounded, whatever somebody has put there."""

import posixpath
import re
from collections.abc import Iterator
from functools import cached_property

from portside.common.globs import matches
from portside.common.tree import Entry, Tree
from portside.errors import InputError

LARGEST = 1 << 20
"""Bytes of a file that is read; code and documents of people have some ten thousand."""
MOST_FILES = 20_000
"""Files of one kind that are looked at; the shallowest come first."""
_LONGEST_LINE = 4096
"""Characters of a line that are kept: what is longer was written by a program."""
_LONGEST_PATH = 400

VENDORED = re.compile(
    r"(^|/)(third_?party|vendor|externals?|submodules|node_modules|site-packages|\.git|deprecated|_deprecated)/", re.I
)
"""Folders with the code of others, or with what nobody uses any more."""
ASIDE = re.compile(
    r"(^|/)(tests?|testing|unittests?|benchmarks?|docs?|\.github|\.circleci|ci|notebooks?|examples?|playground)/", re.I
)
"""Folders whose files are no part of the program."""


class Checkout:
    """name: of the source in the recipe."""

    def __init__(self, name: str, tree: Tree) -> None:
        self.name = name
        self.tree = tree
        self._texts: dict[str, str | None] = {}

    @cached_property
    def paths(self) -> list[str]:
        """The paths of all files that can be named in a recipe, the shallowest first, then sorted; links are followed
        by nobody."""
        found = [entry.path for entry in self.tree if entry.kind == "file" and _is_plain(entry.path)]
        return sorted(found, key=lambda path: (path.count("/"), path))

    @cached_property
    def links(self) -> list[Entry]:
        return [entry for entry in self.tree if entry.kind == "symlink"]

    def named(self, *globs: str) -> list[str]:
        """The files that a glob matches, whatever its case; see `paths` for the order."""
        lower = [glob.lower() for glob in globs]
        return [path for path in self.paths if matches(lower, path.lower())][:MOST_FILES]

    def has(self, path: str) -> bool:
        entry = self.tree.get(path)
        return entry is not None and entry.kind == "file"

    def resolved(self, path: str) -> str:
        """A path whose last part may be a link to another file of the repository."""
        for _ in range(8):
            entry = self.tree.get(path)
            if entry is None or entry.kind != "symlink":
                break
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), entry.link))
        return path

    def folder(self, path: str) -> bool:
        """Whether there is a folder of that path with something in it."""
        return path in self._folders

    @cached_property
    def _folders(self) -> frozenset[str]:
        found: set[str] = set()
        for path in self.paths:
            above = posixpath.dirname(path)
            while above and above not in found:
                found.add(above)
                above = posixpath.dirname(above)
        return frozenset(found)

    def text(self, path: str) -> str | None:
        """A file's text; None where there is none, where it is larger than LARGEST, or where it holds no text."""
        if path not in self._texts:
            self._texts[path] = self._read(self.resolved(path))
        return self._texts[path]

    def lines(self, path: str) -> Iterator[tuple[int, str]]:
        """The lines of a file with their numbers, from 1."""
        for number, line in enumerate((self.text(path) or "").split("\n"), 1):
            yield number, line[:_LONGEST_LINE].rstrip("\r")

    def _read(self, path: str) -> str | None:
        entry = self.tree.get(path)
        if entry is None or entry.kind != "file" or entry.size > LARGEST:
            return None
        try:
            data = entry.read()
        except (InputError, OSError):
            return None
        for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
            if data.startswith(mark):
                return data.decode(encoding, "replace")
        return None if b"\0" in data[:8192] else data.decode("utf-8", "replace")


def _is_plain(path: str) -> bool:
    """Whether a recipe and a shell line can hold a path as it is."""
    return len(path) <= _LONGEST_PATH and re.fullmatch(r"[^\x00-\x1f\x7f\"'\\$`\ud800-\udfff]+", path) is not None
