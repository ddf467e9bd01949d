"""A command as the image's shell gets it."""

import re
import shlex

_PROGRAM = re.compile(r"[A-Za-z0-9_./+-]+")
_REDIRECTIONS = frozenset([">", ">>", "<", ">&", "<&"])
_OF_SHELL = frozenset(
    [
        ".", ":", "[", "!", "{", "}", "alias", "bg", "break", "case", "cd", "command", "continue", "do", "done",
        "echo", "elif", "else", "esac", "eval", "exec", "exit", "export", "false", "fc", "fg", "fi", "for",
        "function", "getopts", "hash", "if", "in", "jobs", "kill", "let", "local", "printf", "pwd", "read",
        "readonly", "return", "select", "set", "shift", "source", "test", "then", "time", "times", "trap", "true",
        "type", "ulimit", "umask", "unalias", "unset", "until", "wait", "while",
    ]
)  # fmt: skip
"""What a shell does by itself (POSIX, dash, bash), or may."""


def shell_line(command: str) -> str:
    """The line for `/bin/sh -c`: a single program takes the shell's place, by `exec`.

    A signal to the container reaches its first process alone. dash, which is `sh` on Debian and Ubuntu, stays in place
    and hands none on; a program that is to save its work would be killed without a word. Several commands stay as they
    are: only a person can say which of them the signal is for.
    """
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError:  # an open quote: the shell says what it thinks of it
        return command
    if "\n" in command or "`" in command or not words:
        return command
    if any(set(word) <= set("();<>|&") and word not in _REDIRECTIONS for word in words if word):
        return command
    if not _PROGRAM.fullmatch(words[0]) or words[0] in _OF_SHELL:
        return command
    return f"exec {command.lstrip()}"
