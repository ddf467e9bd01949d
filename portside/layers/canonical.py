"""From what an engine, or we ourselves, put into a layer to the one canonical layer; docs/canonical-layer.md."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from portside.common.canonical import CHUNK
from portside.common.tree import Entry, Tree, check_path, encode_path
from portside.errors import InputError
from portside.layers.contents import with_hashes
from portside.layers.index import Index
from portside.layers.layer import Layer, merge
from portside.layers.raw import KEPT_XATTRS, RawLayer, check_name
from portside.layers.volatile import left_out

EPOCH_MAX = 0o77777777777
"""The latest time, in seconds since 1970, that a tar header holds without an extension: the year 2242."""


def canonicalise(layers: Sequence[RawLayer], parent: Index, epoch: int, *, mounts: Sequence[str] = ()) -> Layer:
    """The canonical layer for what an engine put on top of `parent`.

    layers: the engine's, lowest first. parent: empty for an image's lowest layer. epoch: seconds since 1970.
    mounts: container paths that inputs were mounted at.
    The result depends on the two file systems only, not on how the engine's layers say it. Raises InputError where
    something has a name that engines take for a removal.
    """
    for path in sorted(path for layer in layers for path in layer.misnamed):
        check_name(path)
    below = parent.entries
    state = _merged(layers, below)
    is_left_out = left_out(mounts, lowest=not below)

    def leave_out(path: str) -> bool:
        entries = [entry for entry in (state.get(path), below.get(path)) if entry is not None]
        return is_left_out(path, any(entry.kind == "dir" for entry in entries))

    new = [entry for path, entry in state.items() if entry is not below.get(path) and not leave_out(path)]
    kept = {entry.path: entry for entry in with_hashes(new) if not _same(entry, below.get(entry.path))}
    whiteouts = {path for path in below if path not in state and _is_folder(state, path.rpartition("/")[0])}
    whiteouts = {path for path in whiteouts if not leave_out(path)}
    for path in (*kept, *whiteouts):
        # An engine that unpacks a path without its folders makes them anew, with other modes and owners.
        while (path := path.rpartition("/")[0]) and path not in kept:
            kept[path] = state[path]
    return _layer(_clamped(_linked(kept), epoch), whiteouts)


def base_index(layers: Sequence[RawLayer]) -> Index:
    """The index of an image whose layers stay as they are: nothing is left out, no time is clamped."""
    entries = {entry.path: entry for entry in with_hashes(_merged(layers, {}).values())}
    linked = _linked(entries)
    return Index(replace(entry, content=None) for entry in linked)


def data_layer(tree: Tree, epoch: int) -> Layer:
    """The layer that holds `tree`: missing folders are added as root's with mode 0755, times are clamped to `epoch`.

    A file needs its content, or else its size and sha256 (such a layer can be described, not written).
    Raises InputError where the tree is none: something below a file, a hard link to nothing, a name no layer can hold.
    """
    tree = tree.with_folders()
    groups: dict[str, list[Entry]] = defaultdict(list)
    plain: list[Entry] = []
    hashed = {entry.path: entry for entry in with_hashes(tree)}
    for entry in hashed.values():
        check_name(check_path(entry.path))
        folder = entry.path.rpartition("/")[0]
        if folder and hashed[folder].kind != "dir":
            raise InputError(f"{entry.path} lies below {folder}, which is a {hashed[folder].kind}")
        if entry.kind in ("file", "hardlink"):
            file = hashed.get(entry.link) if entry.kind == "hardlink" else entry
            if file is None or file.kind != "file":
                raise InputError(f"{entry.path} is a hard link to {entry.link!r}, which is no file of the same tree")
            xattrs = tuple(sorted(pair for pair in file.xattrs if pair[0] in KEPT_XATTRS))
            if not file.sha256:
                raise InputError(f"{file.path} has neither content nor sha256")
            groups[file.path].append(replace(file, path=entry.path, xattrs=xattrs))
        else:
            plain.append(entry)
    return _layer(_clamped([*plain, *_grouped(groups.values())], epoch))


def layer_of(raw: RawLayer) -> Layer:
    """A layer tar of our own, read back: nothing is merged, left out or clamped."""
    if raw.opaque:
        raise InputError("a canonical layer has no opaque folders")
    entries = {entry.path: entry for entry in with_hashes(raw.entries.values())}
    return _layer(_linked(entries), raw.whiteouts)


def _merged(layers: Sequence[RawLayer], below: Mapping[str, Entry]) -> dict[str, Entry]:
    state = dict(below)
    times: dict[str, int] = {}
    for layer in layers:
        unchanged = {path for path, time in layer.times.items() if _is_copied_up(path, time, layer, state, times)}
        entries = [entry for path, entry in layer.entries.items() if path not in unchanged]
        state = merge(state, entries, layer.whiteouts, layer.opaque, layer.sockets)
        times |= layer.times
    return state


def _is_copied_up(path: str, time: int, layer: RawLayer, state: Mapping[str, Entry], times: Mapping[str, int]) -> bool:
    """Whether a file of an overlay is what an earlier step left, to the nanosecond: overlayfs copies a file up when it
    is linked or opened for writing, and engines that compare before they write a tar leave it out.

    Of two files of the same bytes and attributes that one step wrote anew the time differs, so it is none.
    """
    entry, old = layer.entries[path], state.get(path)
    if times.get(path) != time or old is None or path in layer.whiteouts or _is_hidden(path, layer):
        return False
    if replace(old, content=entry.content) != entry or old.content is None or entry.content is None:
        return False
    with old.content.open() as before, entry.content.open() as now:
        while (piece := now.read(CHUNK)) == before.read(CHUNK):
            if not piece:
                return True
    return False


def _is_hidden(path: str, layer: RawLayer) -> bool:
    """Whether the layer removes what lay at a path below."""
    while path:
        path = path.rpartition("/")[0]
        if path in layer.opaque or path in layer.whiteouts:
            return True
    return False


def _is_folder(state: Mapping[str, Entry], path: str) -> bool:
    return not path or ((entry := state.get(path)) is not None and entry.kind == "dir")


def _same(entry: Entry, old: Entry | None) -> bool:
    """Equal but for the time, and for what else the path is linked to: copying a file up breaks its links."""
    if old is None:
        return False
    if old.kind == "hardlink":
        old = replace(old, kind="file", link="")
    return replace(old, mtime=entry.mtime) == entry


def _linked(entries: Mapping[str, Entry]) -> list[Entry]:
    """Entries of a raw layer, where shared content says what is linked, with `hardlink` entries for it."""
    groups: dict[int, list[Entry]] = defaultdict(list)
    plain: list[Entry] = []
    for entry in entries.values():
        if entry.kind == "file":
            groups[id(entry.content)].append(entry)
        else:
            plain.append(entry)
    return [*plain, *_grouped(groups.values())]


def _grouped(groups: Iterable[list[Entry]]) -> Iterable[Entry]:
    """Each group: files that are one; the first path in order is the file, the others become links to it."""
    for group in groups:
        file, *links = sorted(group, key=lambda entry: encode_path(entry.path))
        yield file
        yield from (replace(file, path=link.path, kind="hardlink", link=file.path, content=None) for link in links)


def _clamped(entries: Iterable[Entry], epoch: int) -> Iterable[Entry]:
    if not 0 <= epoch <= EPOCH_MAX:
        raise ValueError(f"no epoch: {epoch}")
    for entry in entries:
        yield replace(entry, mtime=epoch if entry.kind == "dir" else max(0, min(entry.mtime, epoch)))


def _layer(entries: Iterable[Entry], whiteouts: Iterable[str] = ()) -> Layer:
    in_order = sorted(entries, key=lambda entry: encode_path(entry.path))
    return Layer(tuple(in_order), tuple(sorted(whiteouts, key=encode_path)))
