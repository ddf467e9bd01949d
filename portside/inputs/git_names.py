"""git's own name for a tree, computed from its files: so a layer proves that it holds the tree which a lock names.

The objects have git's form (`git help hash-object`): a name is the SHA-1 over `TYPE SIZE\\0` and the bytes; a tree's
bytes are `MODE NAME\\0` and the 20 bytes of the name, for everything in its folder, a folder sorted as if `/` ended it.
"""

import hashlib

from portside.common.tree import Entry, Tree, encode_path
from portside.common.values import TreeName
from portside.errors import InputError
from portside.layers.contents import Reader

_FOLDER, _LINK, _PLAIN, _PROGRAM = b"40000", b"120000", b"100644", b"100755"


def empty_folders(tree: Tree) -> list[str]:
    """The folders that hold nothing: git has none, so each of them stands for a submodule."""
    above = {entry.path.rpartition("/")[0] for entry in tree}
    return [entry.path for entry in tree if entry.kind == "dir" and entry.path not in above]


def is_gits_own(path: str) -> bool:
    """Whether git itself refuses a path of a tree: it would write into a repository's own folder."""
    return ".git" in path.lower().split("/")


def tree_name(tree: Tree) -> TreeName:
    """The name (40 hex digits) of the tree object that holds these files and links; reads every file once.

    A file may be executed (a mode with 0100) or not. Raises InputError for what no name can be computed of: the commit
    of a submodule is not in its empty folder.
    """
    if empty := empty_folders(tree):
        raise InputError(f"{empty[0]} is an empty folder, which git does not have")
    rows: dict[str, list[tuple[bytes, bytes, bytes]]] = {"": []}
    with Reader() as reader:
        for entry in tree:
            if entry.kind == "dir":
                continue
            folder, _, name = entry.path.rpartition("/")
            rows.setdefault(folder, []).append((encode_path(name), *_object(entry, reader)))
            while folder := folder.rpartition("/")[0]:
                rows.setdefault(folder, [])
    for folder in sorted(rows.keys() - {""}, key=lambda path: path.count("/"), reverse=True):
        above, _, name = folder.rpartition("/")
        rows[above].append((encode_path(name), _FOLDER, _tree_object(rows[folder])))
    return TreeName(_tree_object(rows[""]).hex())


def _object(entry: Entry, reader: Reader) -> tuple[bytes, bytes]:
    """The mode and the name (20 bytes) of one file or link."""
    if entry.kind == "symlink":
        target = encode_path(entry.link)
        return _LINK, hashlib.sha1(b"blob %d\0" % len(target) + target, usedforsecurity=False).digest()
    if entry.kind != "file" or entry.content is None:
        raise InputError(f"{entry.path} is a {entry.kind}, which git does not have")
    digest = hashlib.sha1(b"blob %d\0" % entry.size, usedforsecurity=False)
    for chunk in reader.chunks(entry.content):
        digest.update(chunk)
    return _PROGRAM if entry.mode & 0o100 else _PLAIN, digest.digest()


def _tree_object(rows: list[tuple[bytes, bytes, bytes]]) -> bytes:
    """The name (20 bytes) of the tree with these rows: name, mode, name of the object."""
    ordered = sorted(rows, key=lambda row: row[0] + b"/" if row[1] == _FOLDER else row[0])
    data = b"".join(b"%b %b\0%b" % (mode, name, digest) for name, mode, digest in ordered)
    return hashlib.sha1(b"tree %d\0" % len(data) + data, usedforsecurity=False).digest()
