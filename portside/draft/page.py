"""A recipe's text: YAML that every version of YAML reads alike, with a comment behind each line, or above it."""

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 118
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./+=<>!~@-]*(?: [A-Za-z0-9_./+=<>!~@-]+)*")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n", "none"}


def scalar(value: str | int | bool) -> str:
    """A text, number or truth value, in quotes where some YAML would read something else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return re.sub("[\x7f-\x9f\u2028\u2029\ufeff]", lambda found: f"\\u{ord(found[0]):04x}", quoted)


def flow(value: Any) -> str:
    """Any value in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    text = scalar(value)
    return (
        json.dumps(value, ensure_ascii=False)
        if isinstance(value, str) and re.search(r"[,=<>!]", text) and text == value
        else text
    )


def plain_comment(text: str) -> str:
    """Text of a repository as a comment can hold it: one line, without what ends lines or steers terminals."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]", " ", text).split())[:500]


class Page:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, indent: int, text: str, comment: str = "") -> None:
        """A line; its comment stands behind it where both fit, else above it."""
        lead, comment = "  " * indent, plain_comment(comment)
        if comment and len(lead) + len(text) + len(comment) + 4 > WIDTH:
            self.note(indent, comment)
            comment = ""
        self.lines.append(f"{lead}{text}{f'  # {comment}' if comment else ''}")

    def note(self, indent: int, text: str) -> None:
        """A comment alone, over as many lines as it takes."""
        lead = "  " * indent
        mark = "? " if text.startswith("? ") else ""
        width = max(40, WIDTH - len(lead) - 2)
        for row in textwrap.wrap(plain_comment(text), width, break_long_words=False, break_on_hyphens=False):
            self.lines.append(f"{lead}# {row}" if row.startswith(mark) or not mark else f"{lead}#   {row}")

    def gap(self) -> None:
        if self.lines and self.lines[-1]:
            self.lines.append("")

    @property
    def text(self) -> str:
        return "\n".join(self.lines).rstrip("\n") + "\n"
