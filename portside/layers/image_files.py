"""The files of an image as a program in it would see them, read out of its layers; no engine is asked."""

import stat
from collections.abc import Iterable, Mapping

from portside.common.tree import Entry, decode_path
from portside.errors import InputError
from portside.layers.engine_layer import read
from portside.layers.layer import merge
from portside.layers.raw import LayerSource

LINKS = 40
"""How many symbolic links a path may lead through, as in Linux (path_resolution(7))."""


class ImageFiles:
    """Paths are absolute. Links are followed inside the image, and never lead out of it."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        """entries: by path, relative to the root, without a hard link."""
        self._entries = entries
        self._names: dict[str, set[str]] | None = None

    @classmethod
    def of(cls, layers: Iterable[LayerSource]) -> "ImageFiles":
        """layers: lowest first. Contents stay where they are. Raises InputError for a layer that cannot be read."""
        state: dict[str, Entry] = {}
        for source in layers:
            layer = read(source)
            state = merge(state, layer.entries.values(), layer.whiteouts, layer.opaque)
        return cls(state)

    def resolve(self, path: str) -> str | None:
        """The path without any link, `/` for the root; None where nothing is, or links lead in a circle."""
        done: list[str] = []
        waiting = path.split("/")[::-1]
        links = 0
        while waiting:
            part = waiting.pop()
            if part in ("", "."):
                continue
            if part == "..":
                done[-1:] = []
                continue
            entry = self._entries.get("/".join([*done, part]))
            if entry is None or (waiting and entry.kind not in ("dir", "symlink")):
                return None
            if entry.kind == "symlink":
                links += 1
                if links > LINKS:
                    return None
                waiting += entry.link.split("/")[::-1]
                done = [] if entry.link.startswith("/") else done
            else:
                done.append(part)
        return f"/{'/'.join(done)}"

    def entry(self, path: str) -> Entry | None:
        """What is there, links followed; None for nothing, and for the root."""
        resolved = self.resolve(path)
        return None if resolved is None else self._entries.get(resolved[1:])

    def is_file(self, path: str) -> bool:
        return (entry := self.entry(path)) is not None and entry.kind == "file"

    def is_folder(self, path: str) -> bool:
        resolved = self.resolve(path)
        return resolved == "/" or (resolved is not None and self._entries[resolved[1:]].kind == "dir")

    def is_program(self, path: str) -> bool:
        """Whether it is a file that may be executed."""
        entry = self.entry(path)
        return entry is not None and entry.kind == "file" and bool(entry.mode & (stat.S_IXUSR | stat.S_IXGRP))

    def names(self, path: str) -> list[str]:
        """What a folder holds, sorted; nothing where there is no folder."""
        if self._names is None:
            self._names = {}
            for known in self._entries:
                folder, _, name = known.rpartition("/")
                self._names.setdefault(folder, set()).add(name)
        resolved = self.resolve(path)
        return sorted(self._names.get(resolved[1:], ())) if resolved is not None else []

    def data(self, path: str, limit: int) -> bytes | None:
        """A file's bytes; None where no file is. Raises InputError for one of more than `limit` bytes."""
        entry = self.entry(path)
        if entry is None or entry.kind != "file" or entry.content is None:
            return None
        if entry.content.size > limit:
            raise InputError(f"{path} has {entry.content.size} bytes, and no more than {limit} are read of such a file")
        return entry.read()

    def text(self, path: str, limit: int = 4 << 20) -> str | None:
        """A file as text; bytes that are no UTF-8 are surrogate escapes. Else as `data`."""
        data = self.data(path, limit)
        return None if data is None else decode_path(data)
