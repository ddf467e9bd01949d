"""Where weight files lie in an image: nothing else may be there, below them, or hide them on the way to them."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from portside.common.canonical import digest_of
from portside.common.tree import encode_path

KINDS = {"dir": "a folder", "symlink": "a symbolic link", "fifo": "a FIFO", "file": "a file", "hardlink": "a file"}


@dataclass(frozen=True)
class Clash:
    """Something in the way of a weight file. path: where. what: what it is, as in `a file`, or None where it is a
    removal. where: how that lies to the weight file, in words."""

    path: str
    what: str | None
    where: str

    def __str__(self) -> str:
        did = f"has {self.what} at /{self.path}" if self.what else f"removes /{self.path}"
        return f"{did}, {self.where}"


class WeightPlaces:
    """The places of some weight files. Paths are relative to the root, without a leading `/`."""

    def __init__(self, files: Iterable[str]) -> None:
        self._files = sorted(set(files), key=encode_path)
        self._there = frozenset(self._files)
        self._above: dict[str, str] = {}
        for file in self._files:
            for folder in folders_above(file):
                self._above.setdefault(folder, file)

    def __bool__(self) -> bool:
        return bool(self._files)

    @cached_property
    def digest(self) -> str:
        """sha256 (hex) of the places."""
        return digest_of(self._files)

    def clash(self, entries: Iterable[tuple[str, str]], whiteouts: Iterable[str] = ()) -> Clash | None:
        """The first thing that is in the way, None where nothing is. entries: path and kind, as `Entry` has them."""
        for path, kind in entries:
            if kind == "dir" and path in self._above:
                continue
            if (found := self._at(path, KINDS[kind])) is not None:
                return found
        for path in whiteouts:
            if (found := self._at(path, None)) is not None:
                return found
        return None

    def nested(self) -> Clash | None:
        """The first of the files that lies below another of them, None where none does."""
        for path in self._files:
            for folder in folders_above(path):
                if folder in self._there:
                    return _below(path, KINDS["file"], folder)
        return None

    def within(self, folder: str) -> bool:
        """Whether anything in this folder could be in the way."""
        return folder in self._above or self._at(f"{folder}/x", "a file") is not None

    def _at(self, path: str, what: str | None) -> Clash | None:
        if path in self._there:
            return Clash(path, what, "where a weight file lies")
        if path in self._above:
            return Clash(path, what, f"on the way to the weight file /{self._above[path]}")
        for folder in folders_above(path):
            if folder in self._there:
                return _below(path, what, folder)
            if folder not in self._above:
                return None  # nothing further down can be one of the files
        return None


def _below(path: str, what: str | None, file: str) -> Clash:
    return Clash(path, what, f"below the weight file /{file}")


def folders_above(path: str) -> Iterable[str]:
    """The folders above a path, the topmost first."""
    end = path.find("/")
    while end >= 0:
        yield path[:end]
        end = path.find("/", end + 1)
