"""Small text files, side by side."""

import difflib
from collections.abc import Iterator

from portside.common.tree import Entry

LIMIT = 64 << 10
"""Bytes of a file that is still shown as text."""
WIDTH = 300
"""Characters of a line that are compared, and shown, as one: what differs in a file of one line would not be seen."""
LINES = 2000
"""Lines of a file that is still compared line by line: difflib takes quadratic time."""


def text_of(entry: Entry | None, limit: int = LIMIT) -> str | None:
    """A small text file's content, a link's target; None for everything else."""
    if entry is None:
        return None
    if entry.kind == "symlink":
        return entry.link
    if entry.kind != "file" or entry.content is None or entry.size > limit:
        return None
    try:
        text = entry.read().decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def text_diff(left: Entry | None, right: Entry | None, most: int) -> list[str]:
    """A unified diff of at most `most` lines, with a last line that says how many are left out; empty for no texts."""
    a, b = text_of(left), text_of(right)
    if a is None or b is None or a == b:
        return []
    before, after = _pieces(a), _pieces(b)
    if max(len(before), len(after)) > LINES:
        return []
    lines = list(_unified(before, after)) or ["(only line ends differ)"]
    return lines if len(lines) <= most else [*lines[:most], f"… {len(lines) - most} more lines"]


def _pieces(text: str) -> list[str]:
    out: list[str] = []
    for line in text.splitlines():
        starts = range(0, max(len(line), 1), WIDTH)
        out += [line[at : at + WIDTH] + ("…" if at + WIDTH < len(line) else "") for at in starts]
    return out


def _unified(before: list[str], after: list[str]) -> Iterator[str]:
    for line in difflib.unified_diff(before, after, n=1, lineterm=""):
        if not line.startswith(("--- ", "+++ ")) or line[4:].strip():
            yield printable(line)


def printable(text: str) -> str:
    """What may be sent to a terminal: no control characters, no bytes that are no UTF-8."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        char if char.isprintable() or char == "\t" else char.encode("unicode_escape").decode() for char in text
    )
