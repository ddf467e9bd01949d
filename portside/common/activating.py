"""Running scripts that a shell sources, and what they do to its variables: for who locks it and who checks it."""

import shlex
from collections.abc import Sequence

LEFT_OUT = frozenset(
    {"_", "PWD", "OLDPWD", "SHLVL", "HOME", "HOSTNAME", "USER", "LOGNAME", "TERM", "RANDOM", "SECONDS", "PPID"}
    | {"BASHOPTS", "SHELLOPTS", "BASH_ENV", "BASHPID", "EPOCHSECONDS", "EPOCHREALTIME", "LINES", "COLUMNS"}
    | {"container", "SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY", "DISPLAY"}
)
"""Variables of the shell, of the person, of the machine and of the engine: nothing that a script sets for an image."""


def program(scripts: Sequence[str], token: str) -> str:
    """A program for bash that sources the scripts, each a path with arguments behind it, and tells the environment
    before and after. token: a word that nothing in the environment has."""
    show = f"printf '%s\\0' {token}; cat /proc/self/environ; printf '%s\\0' {token}"
    lines = [show]
    for script in scripts:
        path, *arguments = script.split(" ")
        # A status tells nothing: many end with a test that fails. What they print is no part of the answer.
        lines.append(f"source {' '.join(map(shlex.quote, (path, *arguments)))} >&2 </dev/null")
    return "\n".join([*lines, show])


def read_output(said: bytes, token: str) -> tuple[dict[str, str], dict[str, str]]:
    """The variables before and after, from what the program has printed. Raises ValueError where it did not end."""
    parts = said.split(token.encode() + b"\0")
    if len(parts) != 5:
        raise ValueError("the program did not come to its end")
    return _variables(parts[1]), _variables(parts[3])


def _variables(data: bytes) -> dict[str, str]:
    rows = (row.decode("utf-8", "surrogateescape").partition("=") for row in data.split(b"\0") if row)
    return {name: value for name, _, value in rows}
