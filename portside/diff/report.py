"""A comparison for people and as JSON."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from portside.common.progress import human_bytes
from portside.diff.compare import ImageDiff, Values
from portside.diff.files import FileChange
from portside.diff.sides import Side
from portside.diff.text import printable, text_diff

TEXTS = 12
"""Files whose texts are shown to a person."""
TEXT_LINES = 16


def as_json(made: ImageDiff) -> dict[str, Any]:
    """The object that `diff --json` prints; docs/reproducibility.md describes it."""
    return {
        "same": made.same,
        "left": _side(made.left),
        "right": _side(made.right),
        "common_layers": made.common_layers,
        "files": [
            change_as_json(change) | {"text": text_diff(change.left, change.right, 200)} for change in made.files
        ],
        "packages": {kind: _pairs(values) for kind, values in made.packages.items()},
        "config": _pairs(made.config),
    }


def change_as_json(change: FileChange) -> dict[str, Any]:
    """One path, without its text."""
    row: dict[str, Any] = {"path": change.path, "change": change.change}
    row["kind"] = change.kinds[1] or change.kinds[0]
    row["attributes"] = _pairs(change.attributes)
    return row


def _side(side: Side) -> dict[str, Any]:
    return {"name": side.name, "kind": side.kind, "id": f"sha256:{side.id}"}


def _pairs(values: Any) -> dict[str, list[str | None]]:
    return {name: list(pair) for name, pair in values.items()}


def as_lines(made: ImageDiff, limit: int) -> list[str]:
    """What a person reads. limit: lines in each group of files; 0 shows all."""
    lines = [f"--- {_heading(made.left)}", f"+++ {_heading(made.right)}"]
    if made.same:
        return [*lines, "no difference in files, packages and config"]
    if made.config:
        lines += ["", "config", *_value_lines(made.config, limit)]
    for kind, values in made.packages.items():
        if values:
            lines += ["", f"{kind} packages", *_value_lines(values, limit)]
    for change in ("added", "removed", "changed"):
        chosen = [item for item in made.files if item.change == change]
        if chosen:
            lines += ["", f"{len(chosen)} {'path' if len(chosen) == 1 else 'paths'} {change}"]
            rows = list(_changed_lines(chosen) if change == "changed" else folded(chosen))
            lines += _few(rows, limit)
    return lines


def _heading(side: Side) -> str:
    return f"{side.name}  {side.kind} sha256:{side.id[:12]}"


def _value_lines(values: Values, limit: int) -> list[str]:
    rows = []
    for name, (left, right) in values.items():
        if left is None or right is None:
            rows.append(f"  {'+' if left is None else '-'} {name} {right if left is None else left}")
        else:
            rows.append(f"    {name} {left} -> {right}")
    return _few([printable(row) for row in rows], limit)


def folded(changes: Sequence[FileChange]) -> Iterator[str]:
    """Paths that came or went, with one line for a folder and everything below it."""
    folder = None
    below: list[FileChange] = []
    for change in changes:
        if folder is not None and change.path.startswith(f"{folder.path}/"):
            below.append(change)
            continue
        yield from _folder_line(folder, below)
        folder, below = (change, []) if "dir" in change.kinds else (None, [])
        if folder is None:
            yield f"    {printable(change.path)}{_size(change)}"
    yield from _folder_line(folder, below)


def _folder_line(folder: FileChange | None, below: Sequence[FileChange]) -> Iterator[str]:
    if folder is not None:
        size = sum(entry.size for change in below if (entry := change.right or change.left) and entry.kind == "file")
        inside = f"  {len(below)} paths below, {human_bytes(size)}" if below else ""
        yield f"    {printable(folder.path)}/{inside}"


def _size(change: FileChange) -> str:
    entry = change.right or change.left
    if entry is None:
        return "  removed by the layer"
    return f"  {human_bytes(entry.size)}" if entry.kind == "file" else f"  {entry.kind}"


def _changed_lines(changes: Iterable[FileChange]) -> Iterator[str]:
    shown = 0
    for change in changes:
        text = text_diff(change.left, change.right, TEXT_LINES) if shown < TEXTS else []
        shown += bool(text)
        # One row, so that a limit never cuts a text off its path.
        yield "\n".join([f"    {printable(change.path)}  {attributes_line(change)}", *(f"        {t}" for t in text)])


def attributes_line(change: FileChange) -> str:
    parts = []
    for name, (left, right) in change.attributes.items():
        if name == "sha256":
            left, right = left[:12], right[:12]
        parts.append(f"{name} {printable(left) or 'none'} -> {printable(right) or 'none'}")
    return ", ".join(parts)


def _few(rows: list[str], limit: int) -> list[str]:
    if not limit or len(rows) <= limit:
        return rows
    return [*rows[:limit], f"    … and {len(rows) - limit} more; --limit 0 shows all"]
