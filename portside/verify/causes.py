"""Why two builds of one path differ: a likely cause, with what speaks for it, and what to do about it."""

import re

from portside.common.tree import Entry
from portside.diff.files import FileChange
from portside.diff.text import printable
from portside.verify.cause import Cause, Kind, Window
from portside.verify.formats import content_causes
from portside.verify.texts import text_causes

_PARALLEL = re.compile(r"(?:\s-j\s*\d*\b|--jobs\b|xargs\s[^|;&]*-P|\bparallel\b|\bnproc\b|\s&(?:\s|$))")
_SIMPLE: dict[str, tuple[Kind, str]] = {
    "mode": ("umask", "mode {} in one build, {} in the other"),
    "uid": ("owner", "owner {} in one build, {} in the other"),
    "gid": ("owner", "group {} in one build, {} in the other"),
    "mtime": ("time", "its time is {} in one build, {} in the other"),
    "xattrs": ("unknown", "extended attributes {} in one build, {} in the other"),
}


def causes(change: FileChange, instructions: str, window: Window) -> list[Cause]:
    """The causes of one path's difference. instructions: of the part that wrote it; empty for data parts."""
    found: list[Cause] = []
    if {"sha256", "size"} & change.attributes.keys() and change.left and change.right:
        found += [_with_jobs(cause, instructions) for cause in _content(change.left, change.right, window)]
    if "link" in change.attributes and change.left and change.right:
        if change.kinds[0] == "symlink":
            found += text_causes(change.left.link, change.right.link, window)
        elif "sha256" not in change.attributes:
            left, right = change.attributes["link"]
            found.append(Cause("links", f"linked to {left or 'nothing'} in one build, to {right or 'nothing'} else"))
    for name, (left, right) in change.attributes.items():
        if name in _SIMPLE and not (name == "mtime" and found):
            kind, evidence = _SIMPLE[name]
            found.append(Cause(kind, evidence.format(printable(left) or "none", printable(right) or "none")))
    if not found:
        kinds = " and ".join(kind or "nothing" for kind in change.kinds)
        found.append(Cause("unknown", f"{kinds} in the two builds"))
    return found


def _content(left: Entry, right: Entry, window: Window) -> list[Cause]:
    return content_causes(change_bytes(left), change_bytes(right), left.path, window)


LIMIT = 32 << 20
"""Bytes of a file's beginning that are looked at."""


def change_bytes(entry: Entry) -> bytes:
    assert entry.content is not None, entry.path
    pieces, left = [], LIMIT
    with entry.content.open() as stream:
        while left and (piece := stream.read(min(left, 1 << 20))):
            pieces.append(piece)
            left -= len(piece)
    return b"".join(pieces)


def _with_jobs(cause: Cause, instructions: str) -> Cause:
    """Another order out of a step that runs several jobs at once is most likely theirs."""
    jobs = _PARALLEL.search(instructions)
    if cause.kind == "order" and jobs is not None:
        return Cause("parallelism", f"{cause.evidence}; the step runs several jobs at once ({jobs[0].strip()})")
    return cause


def writing_step(path: str, instructions: str) -> str | None:
    """The RUN line that names the file, if exactly one does."""
    name = path.rpartition("/")[2]
    steps = re.split(r"^(?=RUN )", instructions, flags=re.MULTILINE)
    found = [step.strip() for step in steps if step.startswith("RUN ") and re.search(rf"\b{re.escape(name)}\b", step)]
    return found[0] if len(found) == 1 else None
