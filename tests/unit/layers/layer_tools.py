"""Trees, engine-like layers and tars for the tests of canonical layers."""

import io
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from random import Random

from hypothesis import strategies as st

from portside.common.tree import Bytes, Entry, Tree
from portside.layers.canonical import data_layer
from portside.layers.engine_layer import read
from portside.layers.index import Index
from portside.layers.layer import Layer
from portside.layers.raw import RawLayer, TarLayer
from portside.layers.writer import write_layer

EPOCH = 1_700_000_000
XATTR = "security.capability"
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
_TYPES = {"file": tarfile.REGTYPE, "dir": tarfile.DIRTYPE, "symlink": tarfile.SYMTYPE, "fifo": tarfile.FIFOTYPE}


def file(path: str, data: bytes = b"", mode: int = 0o644, mtime: int = 0, **more: object) -> Entry:
    return Entry(path, "file", mode, mtime=mtime, size=len(data), content=Bytes(data), **more)  # type: ignore[arg-type]


def folder(path: str, mode: int = 0o755, **more: object) -> Entry:
    return Entry(path, "dir", mode, **more)  # type: ignore[arg-type]


def symlink(path: str, link: str) -> Entry:
    return Entry(path, "symlink", 0o777, link=link)


def hardlink(path: str, link: str) -> Entry:
    return Entry(path, "hardlink", 0, link=link)


def index_of(*entries: Entry) -> Index:
    return Index.of([data_layer(Tree(entries), EPOCH)])


def tar_of(layer: Layer) -> bytes:
    out = io.BytesIO()
    written = write_layer(layer, out)
    assert written.size == len(out.getvalue())
    return out.getvalue()


def member(entry: Entry) -> tarfile.TarInfo:
    """An entry as an engine writes it."""
    info = tarfile.TarInfo(entry.path)
    info.type = tarfile.LNKTYPE if entry.kind == "hardlink" else _TYPES[entry.kind]
    info.mode, info.uid, info.gid, info.mtime = entry.mode, entry.uid, entry.gid, entry.mtime
    info.size = entry.size if entry.kind == "file" else 0
    info.linkname = entry.link
    for name, value in entry.xattrs:
        info.pax_headers["SCHILY.xattr." + name] = value.decode("utf-8", "surrogateescape")
    return info


def write_tar(path: Path, entries: Iterable[Entry | tarfile.TarInfo | str]) -> TarLayer:
    """A tar as an engine writes it; a string is an empty file of that name (whiteouts)."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape") as tar:
        for entry in entries:
            if isinstance(entry, str):
                info = tarfile.TarInfo(entry)
                info.mode = 0
                tar.addfile(info)
            elif isinstance(entry, tarfile.TarInfo):
                tar.addfile(entry)
            elif entry.kind == "file":
                tar.addfile(member(entry), io.BytesIO(entry.read()))
            else:
                tar.addfile(member(entry))
    return TarLayer(path)


def raw(path: Path, *entries: Entry | tarfile.TarInfo | str) -> RawLayer:
    return read(write_tar(path, entries))


# Random trees and the many ways in which engines say the same change.

LINK = "link"


def trees(names: Sequence[str]) -> st.SearchStrategy[Tree]:
    """Out of lists of all paths and nodes: drawn piece by piece, they would cost more than what they are for."""
    depths = [st.sampled_from(["/".join(path) for path in product(names, repeat=depth)]) for depth in (1, 2, 3)]
    modes = (0o644, 0o755, 0o4755, 0o1777)
    nodes = st.one_of(
        st.sampled_from([file("-", *rest, uid=uid) for *rest, uid in product((b"", b"1", b"2"), modes, (0, 33))]),
        st.sampled_from([folder("-", mode) for mode in modes]),
        st.sampled_from([symlink("-", "a"), symlink("-", "../b")]),
        st.just(Entry("-", "fifo", 0o600)),
        st.sampled_from([hardlink("-", str(number)) for number in range(10)]),
    )
    return st.dictionaries(st.one_of(*depths), nodes, max_size=10).map(_plausible)


def _plausible(drawn: dict[str, Entry]) -> Tree:
    """A tree of what was drawn: nothing below files; hard links point at files."""
    tree = Tree()
    for path, node in sorted(drawn.items()):
        above = [path[:i] for i, char in enumerate(path) if char == "/"]
        if all(name not in tree or tree[name].kind == "dir" for name in above) and node.kind != "hardlink":
            tree.put(replace(node, path=path))
            tree = tree.with_folders()
    files = [entry.path for entry in tree.files()]
    for path, node in sorted(drawn.items()):
        parent = path.rpartition("/")[0]
        free = path not in tree and (not parent or (parent in tree and tree[parent].kind == "dir"))
        if node.kind == "hardlink" and free and files:
            tree.put(hardlink(path, files[int(node.link) % len(files)]))
    return tree


@dataclass
class Change:
    """One raw layer in the making."""

    entries: list[Entry] = field(default_factory=list)
    whiteouts: list[str] = field(default_factory=list)
    opaque: list[str] = field(default_factory=list)

    def tar(self, path: Path, shuffle: "st.DataObject") -> RawLayer:
        """Through a real tar, in a drawn order; of hard links, the first in that order is the file."""
        marks = [f"{parent}/.wh..wh..opq".lstrip("/") for parent in self.opaque]
        marks += ["/".join([*name.split("/")[:-1], ".wh." + name.split("/")[-1]]) for name in self.whiteouts]
        order = [*self.entries, *marks]
        Random(shuffle.draw(st.integers(0, 1 << 32))).shuffle(order)
        first: dict[str, str] = {}
        members: list[Entry | str] = []
        for item in order:
            if isinstance(item, Entry) and item.kind == "file":
                target = first.setdefault(item.link or item.path, item.path)
                item = replace(item, link="") if target == item.path else hardlink(item.path, target)
            members.append(item)
        return raw(path, *members)


def resolved(tree: Tree) -> dict[str, Entry]:
    """Hard links as files that name their group in `link`, which no other file has."""
    out = {}
    for entry in tree:
        if entry.kind == "hardlink":
            entry = replace(tree[entry.link], path=entry.path, link=entry.link)
        elif any(other.kind == "hardlink" and other.link == entry.path for other in tree):
            entry = replace(entry, link=entry.path)
        out[entry.path] = entry
    return out


def change(old: Tree, new: Tree, opaque: Iterable[str] = (), everything: bool = False) -> Change:
    """The change from `old` to `new` as an engine may say it: with opaque folders, with unchanged entries."""
    before, after = resolved(old), resolved(new)
    opaque = [path for path in opaque if not path or (path in after and after[path].kind == "dir")]

    def group(entries: dict[str, Entry], path: str) -> list[str]:
        return [name for name, entry in entries.items() if entry.link and entry.link == entries[path].link]

    def same(path: str) -> bool:
        if path not in before or before[path].kind != after[path].kind:
            return False
        a, b = before[path], after[path]
        if a.kind != "file":
            return a == b
        return replace(a, link=b.link) == b and a.read() == b.read() and group(before, path) == group(after, path)

    def hidden(path: str) -> bool:
        return any(not top or path.startswith(top + "/") for top in opaque)

    # A file that is made anew below an opaque folder brings its other links along, or it would be linked no more.
    anew = {name for path in after if hidden(path) for name in (path, *group(after, path))}
    listed = {path for path in after if everything or not same(path) or path in anew}
    result = Change(opaque=opaque)
    still = {"", *(path for path in after if after[path].kind == "dir")}
    gone = [path for path in before if path not in after and not hidden(path)]
    result.whiteouts = [path for path in gone if path.rpartition("/")[0] in still]
    for path in [*listed, *result.whiteouts]:
        while path := path.rpartition("/")[0]:
            listed.add(path)
    result.entries = [after[path] for path in sorted(listed)]
    return result
