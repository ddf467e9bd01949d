"""The command that a person called: texts say `invoke`, and reach whoever called `portside` with that name."""

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
