"""The tree that patch steps work on: each step sees what the steps before it left."""

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from portside.common.globs import is_literal, matches
from portside.common.tree import Bytes, Entry, Tree, file_entry
from portside.errors import InputError


@dataclass(frozen=True, slots=True)
class FileEdit:
    """What a step does to one path.

    data: the file's new bytes, or None if the path goes. mode: new permission bits, or None to keep them (0644
    for a new file). origin: the path whose entry (mode, times) a renamed or copied file starts from.
    """

    path: str
    data: bytes | None
    mode: int | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class SourceFolders:
    """The folders that the recipe's sources have in the workspace.

    migrated: by the name of each source that is migrated, the folder of what comes of it; the source stays as it is.
    others: the names of those that are not: steps change them where they are, and only those that they call by name.
    """

    migrated: Mapping[str, str] = field(default_factory=dict)
    others: Collection[str] = ()


class Workspace:
    """A copy of a tree. A hard link is a file of its own here; it stays a link while no step touches its bytes."""

    def __init__(self, tree: Tree, sources: SourceFolders = SourceFolders()) -> None:
        self.tree = tree.copy()
        self.sources = sources
        self._below = Counter(folder for entry in tree for folder in _above(entry.path))
        """How many entries there are below each path that has any."""
        self._has_links = any(entry.kind == "hardlink" for entry in tree)

    def not_patched(self, path: str) -> str | None:
        """Why no step changes this path, where a source that stays as it is is the reason."""
        name = path.partition("/")[0]
        if (folder := self.sources.migrated.get(name)) is None:
            return None
        return f"it is in a source that is not patched: {name} stays as it is, what is patched is {folder}"

    def why_missing(self, path: str) -> str | None:
        """What a person is told of a path or glob that is none of this tree's, where that is the reason."""
        name = path.partition("/")[0]
        if not is_literal(name) and self.sources.others:
            known = ", ".join(sorted(self.sources.others))
            return f"a source that is not migrated ({known}) is reached by its name alone, not by {name!r}"
        return self.not_patched(path)

    def matches(self, globs: Sequence[str], path: str) -> bool:
        return reaches(globs, path, self.sources.others)

    def is_file(self, path: str) -> bool:
        entry = self.tree.get(path)
        return entry is not None and entry.kind in ("file", "hardlink")

    def select(self, globs: Sequence[str]) -> list[str]:
        """The files that match, in the order of their paths' bytes; links to other paths are never followed."""
        return [e.path for e in self.tree if e.kind in ("file", "hardlink") and self.matches(globs, e.path)]

    def entry(self, path: str) -> Entry:
        """The file at a path; for a hard link, its file's entry under the link's name."""
        entry = self.tree[path]
        seen = {path}
        while entry.kind == "hardlink":
            if entry.link in seen or entry.link not in self.tree:
                raise InputError(f"{path} is a hard link to {entry.link}, which is no file of the tree")
            seen.add(entry.link)
            entry = self.tree[entry.link]
        if entry.kind != "file":
            raise InputError(f"{path} is a hard link to {entry.path}, which is no file")
        return dataclasses.replace(entry, path=path)

    def read(self, path: str) -> bytes:
        return self.entry(path).read()

    def obstacle(self, path: str) -> str | None:
        """Why no file can be written at `path`, or None: a link or a file on the way, a link or a folder there."""
        for folder in _above(path):
            above = self.tree.get(folder)
            if above is not None and above.kind != "dir":
                return f"{above.path} is a {_word(above)}, not a folder"
        there = self.tree.get(path)
        if there is not None and there.kind not in ("file", "hardlink"):
            return f"{path} is a {_word(there)}"
        if there is None and self._below[path]:
            return f"{path} is a folder"
        return None

    def commit(self, edits: Iterable[FileEdit]) -> None:
        """Carry out the edits of one step; origins are looked up in the tree as it was before all of them."""
        edits = list(edits)
        self._separate({edit.path for edit in edits})
        before = {path: self.tree.get(path) for edit in edits for path in (edit.origin, edit.path) if path}
        for edit in edits:
            if edit.data is None:
                self._remove(edit.path)
        for edit in edits:
            if edit.data is None:
                continue
            old = before[edit.origin or edit.path]
            new = file_entry(edit.path, edit.data)
            if old is not None:
                new = dataclasses.replace(
                    old, path=edit.path, size=new.size, sha256=new.sha256, content=Bytes(edit.data)
                )
            if edit.path not in self.tree:
                self._below.update(_above(edit.path))
            self.tree.put(new if edit.mode is None else dataclasses.replace(new, mode=edit.mode))

    def _remove(self, path: str) -> None:
        if self._below[path]:
            gone = [entry.path for entry in self.tree if f"{entry.path}/".startswith(f"{path}/")]
        else:
            gone = [path] if path in self.tree else []
        for name in gone:
            self.tree.discard(name)
            self._below.subtract(_above(name))

    def _separate(self, paths: set[str]) -> None:
        """Make files of their own of the hard links that share bytes with one of `paths`."""
        if not self._has_links:
            return
        for entry in list(self.tree):
            if entry.kind == "hardlink" and (entry.path in paths or entry.link in paths):
                self.tree.put(self.entry(entry.path))


def reaches(globs: Sequence[str], path: str, others: Collection[str]) -> bool:
    """Whether one of a step's globs matches the path. others: sources that are not migrated, into which only a glob
    goes that begins with the source's name: one that was written for migrated trees means nothing else."""
    name = path.partition("/")[0]
    return matches([glob for glob in globs if glob.partition("/")[0] == name] if name in others else globs, path)


def _above(path: str) -> Iterator[str]:
    """The folders that a path is in, from the top."""
    parts = path.split("/")
    return ("/".join(parts[:end]) for end in range(1, len(parts)))


def _word(entry: Entry) -> str:
    return {"symlink": "symbolic link", "fifo": "FIFO", "dir": "folder"}.get(entry.kind, "file")
