"""Two builds of one part: every path that differs, and why."""

import re
from collections.abc import Sequence
from pathlib import Path

from portside.common.canonical import copy_and_hash
from portside.diff.files import FileChange, FileSystem, compare
from portside.diff.text import text_diff
from portside.errors import InputError
from portside.layers.engine_layer import read
from portside.layers.raw import Tar, TarLayer
from portside.verify.cause import Cause, Window
from portside.verify.causes import causes, writing_step
from portside.verify.texts import text_causes
from portside.verify.verdict import Evidence

_TEXT_LINES = 200


def differences(first: Path | Tar, second: Path | Tar, instructions: str, window: Window) -> list[Evidence]:
    """The findings for two layer tars of other diff IDs; at least one. instructions: of the part, empty if none.

    Raises InputError for a tar that is no layer.
    """
    changes = compare(_files(first), _files(second), times=True)
    renamed = _renamed(changes, window)
    found = []
    for change in changes:
        why = [renamed[change.path]] if change.path in renamed else causes(change, instructions, window)
        # Now: the second build's files are gone when somebody reads the verdict.
        text = tuple(text_diff(change.left, change.right, _TEXT_LINES))
        found.append(Evidence(change.path, change, tuple(why), writing_step(change.path, instructions), text))
    return found or [_same_files(first)]


def _files(source: Path | Tar) -> FileSystem:
    raw = read(_tar(source))
    return FileSystem(raw.entries, frozenset(raw.whiteouts))


def _same_files(source: Path | Tar) -> Evidence:
    """The diff IDs differ and the files do not: the kept blob is not what its name says."""
    first = _tar(source)
    path = first.path
    with first.content.open() as stream:
        digest, _ = copy_and_hash(stream)
    if digest == path.name or not isinstance(first, TarLayer):
        raise InputError(f"{path} holds the same files as its second build in another tar: please report this")
    evidence = f"the store's blob {path.name[:12]} is damaged: its sha256 is {digest[:12]}; remove it and build again"
    return Evidence(str(path), None, (Cause("unknown", evidence),), None)


def _tar(source: Path | Tar) -> Tar:
    return TarLayer(source) if isinstance(source, Path) else source


def _renamed(changes: Sequence[FileChange], window: Window) -> dict[str, Cause]:
    """Paths that only one build has, where the other has one of a like name: tmp3k2a and tmp9x1c, log-1 and log-2."""
    gone = [change.path for change in changes if change.change == "removed"]
    new = [change.path for change in changes if change.change == "added"]
    found: dict[str, Cause] = {}
    for left in gone:
        right = next((path for path in new if path not in found and _pattern(path) == _pattern(left)), None)
        if right is None:
            continue
        cause = text_causes(left, right, window)[0]
        if cause.kind == "unknown":
            cause = Cause("random", f"'{left}' in one build, '{right}' in the other")
        found[left] = found[right] = Cause(cause.kind, f"the name itself differs: {cause.evidence}")
    return found


def _pattern(path: str) -> str:
    """The path with everything that may be a number or random characters masked."""
    return re.sub(r"[A-Za-z_]*\d[A-Za-z0-9_]*|(?<=[._-])[A-Za-z0-9]{6,12}(?=$|[./])", "*", path)
