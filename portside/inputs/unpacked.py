"""The members of an archive on their way to becoming a tree: every path and link is checked as it comes."""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import TypeVar

from portside.common.tree import Entry, Tree, check_path
from portside.errors import InputError

MOST_ENTRIES = 200_000
_MOST_LINKS = 40
"""Symlinks followed for one path before it counts as a circle, as Linux does."""


_Member = TypeVar("_Member")


def counted(members: Iterable[_Member]) -> Iterator[_Member]:
    """The members of an archive. Raises InputError for more than any real one has."""
    for count, member in enumerate(members):
        if count >= MOST_ENTRIES:
            raise InputError(f"more than {MOST_ENTRIES} members")
        yield member


class Unpacked:
    """Takes members in the archive's order, with the names the archive gives them; `tree` checks the whole.

    Of files and links of one name the last counts, as where they are unpacked: so `tar --append` changes a file. Every
    method raises InputError for a name that is not a clean path, that a folder has where a file comes or the other way
    round, or that leads through something that is not a folder.
    """

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def folder(self, name: str, mtime: int) -> None:
        path = self._clean(name)
        if path is None:
            return
        old = self._entries.get(path)
        if old is None or old.kind != "dir":
            self._add(Entry(path, "dir", 0o755, mtime=mtime))

    def file(self, entry: Entry) -> None:
        self._add(dataclasses.replace(entry, path=self._named(entry.path)))

    def symlink(self, name: str, target: str, mtime: int) -> None:
        if not target or "\0" in target:
            raise InputError(f"{name} links to nothing")
        self._add(Entry(self._named(name), "symlink", 0o777, mtime=mtime, link=target))

    def hardlink(self, name: str, target: str, mtime: int) -> None:
        path, other = self._named(name), self._entries.get(self._named(target))
        if other is None or other.kind == "dir":
            raise InputError(f"{name} is a hard link to {target}, which is no file before it in the archive")
        self._add(dataclasses.replace(other, path=path, mtime=mtime))

    def tree(self, strip: int | None) -> Tree:
        """Everything, without `strip` folders in front of each path; None: without the one that holds it all, if there
        is one. Raises InputError for a file that is in no such folder, and for a link that leads out."""
        tops = {path.partition("/")[0] for path in self._entries}
        if strip is None:
            strip = int(len(tops) == 1 and all(self._entries[top].kind == "dir" for top in tops & self._entries.keys()))
        tree = Tree()
        for path, entry in self._entries.items():
            parts = path.split("/")[strip:]
            inner = "/".join(parts)
            if not parts:
                if entry.kind != "dir":
                    raise InputError(f"{path} is not below {strip} folder(s), which are to be left out")
            elif (old := tree.get(inner)) is None:
                tree.put(dataclasses.replace(entry, path=inner))
            elif (old.kind, entry.kind) != ("dir", "dir"):
                raise InputError(f"{inner} comes twice without the {strip} folder(s) in front")
        if not any(True for _ in tree):
            raise InputError("it holds no files")
        return self._linked(tree)

    def tree_of_sdist(self) -> Tree:
        """Everything below the one top folder. Raises InputError for a link that leaves it."""
        tops = {path.partition("/")[0] for path in self._entries}
        if len(tops) != 1:
            raise InputError(f"an sdist has one top folder, this has {len(tops)}: {', '.join(sorted(tops)[:5])}")
        (top,) = tops
        if top in self._entries and self._entries[top].kind != "dir":
            raise InputError(f"{top} is not a folder")
        return self._linked(Tree(self._entries.values()).below(top))

    def _linked(self, tree: Tree) -> Tree:
        """The tree, if no link leads out of it."""
        for entry in tree:
            if entry.kind == "symlink":
                self._check_link(tree, entry)
        return tree

    def _clean(self, name: str) -> str | None:
        """The path without a leading `./` and a trailing slash; None for the root itself."""
        path = name.rstrip("/") if name != "/" else name
        while path.startswith("./"):
            path = path[2:]
        return None if path == "." else check_path(path)

    def _named(self, name: str) -> str:
        path = self._clean(name)
        if path is None:
            raise InputError(f"{name!r} is not the name of a file")
        return path

    def _add(self, entry: Entry) -> None:
        if (old := self._entries.get(entry.path)) is not None and "dir" in (old.kind, entry.kind):
            raise InputError(f"{entry.path} comes twice, once as a folder")
        parent = entry.path.rpartition("/")[0]
        while parent:
            above = self._entries.get(parent)
            if above is None:
                # Known from now on as a folder, so that nothing else can take its place later.
                self._entries[parent] = Entry(parent, "dir", 0o755, mtime=entry.mtime)
            elif above.kind != "dir":
                raise InputError(f"{entry.path} leads through {parent}, which is not a folder")
            else:
                break
            parent = parent.rpartition("/")[0]
        self._entries[entry.path] = entry

    def _check_link(self, tree: Tree, link: Entry) -> None:
        """Follow a symlink as a kernel would, inside the tree only."""
        at = link.path.split("/")[:-1]
        left = link.link.split("/")[::-1]
        followed = 1
        if link.link.startswith("/"):
            raise InputError(f"{link.path} links to {link.link}, an absolute path")
        while left:
            part = left.pop()
            if part in ("", "."):
                continue
            if part == "..":
                if not at:
                    raise InputError(f"{link.path} links to {link.link}, out of the archive")
                at.pop()
                continue
            at.append(part)
            step = tree.get("/".join(at))
            if step is not None and step.kind == "symlink":
                followed += 1
                if followed > _MOST_LINKS:
                    raise InputError(f"{link.path} links to {link.link}, links in a circle")
                if step.link.startswith("/"):
                    raise InputError(f"{step.path} links to {step.link}, an absolute path")
                at.pop()
                left.extend(step.link.split("/")[::-1])
