"""How texts reach a person: with the command that was called, for they say `invoke`, and with nothing in them that a
terminal would obey: paths, messages of servers and the output of programs are somebody else's.
"""

import re
from collections.abc import Iterable

_WORDS = ("help", "TASK", "--help", "--list", "--debug", "--print-completion-script")
_command = "invoke"
_mention = re.compile(r"(?!)")


def set_command(name: str, tasks: Iterable[str]) -> None:
    """From now on `invoke TASK` in texts is `NAME TASK`. tasks: their names."""
    global _command, _mention
    words = "|".join(re.escape(word) for word in sorted({*tasks, *_WORDS}, key=lambda word: (-len(word), word)))
    _command, _mention = name, re.compile(rf"(?<![\w/.-])invoke(?= (?:{words})(?![\w-]))")


def called(text: str) -> str:
    """The text with the commands in it as this person would type them."""
    return text if _command == "invoke" else _mention.sub(_command, text)


_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters (ECMA-48, C0 and C1) but tabs and line ends, those that turn the direction of what follows, and
what is no character."""


def to_person(text: str) -> str:
    """A text as it is printed: see the module. What is not printed stands there as Python writes it, `\\x1b`."""
    return _OBEYED.sub(_written, called(text).replace("\r\n", "\n"))


def _written(match: "re.Match[str]") -> str:
    number = ord(match[0])
    if 0xDC80 <= number <= 0xDCFF:  # a byte that was no text (PEP 383)
        number -= 0xDC00
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
