"""Why two builds of one path differ: a likely cause, with what speaks for it, and what to do about it."""

import re
from dataclasses import dataclass
from typing import Literal

from portside.diff.files import FileChange
from portside.diff.text import printable
from portside.tree import Entry

Kind = Literal["time", "order", "parallelism", "locale", "random", "path", "host", "umask", "owner", "links", "unknown"]

ADVICE: dict[Kind, str] = {
    "time": "Write $SOURCE_DATE_EPOCH, which every step has, instead of the clock: date -u -d @$SOURCE_DATE_EPOCH; "
    "or leave the time out.",
    "order": "Sort before writing: sort, sorted(…), find … | LC_ALL=C sort; hash tables and folders have no order.",
    "parallelism": "Let the step run one job at a time, or sort what its jobs write.",
    "locale": "Set LC_ALL=C for the command that sorts or formats.",
    "random": "Give the program a fixed seed, or let it make the value when the container starts, not in the build.",
    "path": "Do not write names of temporary folders: use a fixed folder, relative paths, or a path prefix map.",
    "host": "Do not write the host name: it is the engine's, and another on every engine.",
    "umask": "Set modes in the step itself: chmod, install -m.",
    "owner": "Set the owner in the step itself: chown, install -o -g.",
    "links": "Make the hard links in a fixed order, or copy instead.",
    "unknown": "Keep both builds and look at them: invoke verify --keep DIR, then invoke diff of the tars in it.",
}


@dataclass(frozen=True)
class Cause:
    """A likely cause. evidence: what speaks for it, for a person."""

    kind: Kind
    evidence: str


@dataclass(frozen=True)
class Window:
    """When the two builds ran, seconds since 1970: no earlier than `first`, no later than `last`."""

    first: int
    last: int

    def __contains__(self, seconds: float) -> bool:
        return self.first <= seconds <= self.last


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
            from portside.verify.texts import text_causes

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
    from portside.verify.formats import content_causes

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
