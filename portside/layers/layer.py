"""A canonical layer in memory, and what a layer does to the file system below it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from portside.common.tree import Entry


@dataclass(frozen=True, slots=True)
class Layer:
    """A canonical layer: what it adds or replaces, and the paths of its parent that are gone.

    entries: in the order of their paths' bytes, every folder above an entry or a whiteout among them. Files know size
    and sha256. A hard link (`link` is the path of a file earlier in the order) repeats all attributes of its file,
    size and sha256 too, and has no content.
    whiteouts: in the order of their paths' bytes; none of them, and nothing below them, is in `entries`.
    """

    entries: tuple[Entry, ...]
    whiteouts: tuple[str, ...] = ()


def merge(
    below: Mapping[str, Entry],
    entries: Iterable[Entry],
    whiteouts: Collection[str],
    opaque: Collection[str] = (),
    staying: Collection[str] = (),
) -> dict[str, Entry]:
    """What the file system holds after a layer came on top of it; entries of `below` that stay are the same objects.

    staying: paths that an opaque folder does not hide.

    A folder that a layer does not mention although it holds something of it: the one below, or root's with mode 0755.
    """
    new = {entry.path: entry for entry in entries}
    replaced = {path for path, entry in new.items() if entry.kind != "dir" and path in below}
    if whiteouts or opaque or replaced:
        gone: set[str] = set()
        for path in sorted(below):  # a folder before what it holds
            folder = path.rpartition("/")[0]
            hidden = folder in opaque and path not in staying
            if path in whiteouts or folder in gone or hidden or folder in replaced:
                gone.add(path)
        state = {path: entry for path, entry in below.items() if path not in gone}
    else:
        state = dict(below)
    state.update(new)
    for path in new:
        folder = path.rpartition("/")[0]
        while folder and ((above := state.get(folder)) is None or above.kind != "dir"):
            state[folder] = Entry(folder, "dir", 0o755)
            folder = folder.rpartition("/")[0]
    return state
