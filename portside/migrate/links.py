"""Paths through links inside a tree."""

import posixpath

from portside.common.tree import Entry, Tree

_LIMIT = 40
"""Links followed before a path counts as a loop: what Linux allows."""


def resolve(tree: Tree, path: str) -> Entry | None:
    """The file that `path` names after all links, or None where it leaves the tree, loops or ends nowhere."""
    parts = path.split("/")[::-1]
    here = ""
    links = 0
    while parts:
        part = parts.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not here:
                return None
            here = posixpath.dirname(here)
            continue
        here = f"{here}/{part}" if here else part
        entry = tree.get(here)
        if entry is None or entry.kind not in ("symlink", "hardlink"):
            continue
        links += 1
        if links > _LIMIT or entry.link.startswith("/"):
            return None
        here = posixpath.dirname(here) if entry.kind == "symlink" else ""
        parts += entry.link.split("/")[::-1]
    found = tree.get(here)
    return found if found is not None and found.kind == "file" else None
