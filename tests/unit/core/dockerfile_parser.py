"""What a builder reads in a Dockerfile: the rules of its frontends, written down once more for the tests.

After BuildKit (frontend/dockerfile/parser, shell/lex.go) and what Podman builds with (openshift/imagebuilder,
dockerfile/parser). Where the two, or an old and a new release, read a line in different ways, `dialect` chooses.
"""

import json
import re
from dataclasses import dataclass
from typing import Literal

Dialect = Literal["buildkit", "imagebuilder"]

GO_SPACES = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""unicode.IsSpace of Go."""
MAX_LINE = 64 * 1024 - 1
"""bufio.MaxScanTokenSize."""
_CONTINUES = {"buildkit": re.compile(r"([^\\])\\[ \t]*$|^\\[ \t]*$"), "imagebuilder": re.compile(r"()\\[ \t]*$")}
_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*$")
_HEREDOC = re.compile(r"(\d*)<<(-?)\s*([^<]*)$")


class NotReadError(Exception):
    """The builder refuses the file."""


@dataclass(frozen=True)
class Instruction:
    """One instruction. flags: `--mount=…`. text: its arguments. words: those of the form without a shell, else None.
    heredoc: whether following lines are its input."""

    name: str
    flags: tuple[str, ...]
    text: str
    words: tuple[str, ...] | None = None
    heredoc: bool = False


def parse(text: str, dialect: Dialect) -> list[Instruction]:
    """The instructions of a Dockerfile without directives. Raises NotReadError for one that a builder refuses."""
    lines = iter(text.removesuffix("\n").split("\n"))
    found = []
    at_top = True
    for raw in lines:
        line = _scanned(raw).lstrip(GO_SPACES)
        if at_top and _DIRECTIVE.match(line):
            raise NotReadError(f"a directive: {line}")
        at_top = at_top and line.startswith("#")
        line, ends = _continued("" if line.startswith("#") else line, dialect)
        if ends and not line:
            continue
        while not ends:
            more = next(lines, None)
            if more is None:
                break
            more = _scanned(more)
            if more.lstrip(GO_SPACES).startswith("#") or not more.strip(GO_SPACES):
                continue
            more, ends = _continued(more, dialect)
            line += more
        found.append(_instruction(line))
    return found


def _scanned(raw: str) -> str:
    if len(raw.encode()) + 1 > MAX_LINE:
        raise NotReadError("a line that is too long")
    return raw.rstrip("\r\n")


def _continued(line: str, dialect: Dialect) -> tuple[str, bool]:
    shorter = _CONTINUES[dialect].sub(lambda match: match[1] or "", line)
    return shorter, shorter == line


def _instruction(line: str) -> Instruction:
    name, *rest = re.split(r"[\t\v\f\r ]+", line.strip(GO_SPACES), maxsplit=1)
    flags, text = _flags(rest[0] if rest else "")
    text = text.strip(GO_SPACES)
    words = _json(text) if name.upper() in ("RUN", "CMD", "COPY", "ADD", "ENTRYPOINT") else None
    shell = name.upper() in ("RUN", "COPY", "ADD") and words is None
    return Instruction(name, flags, text, words, shell and any(_HEREDOC.match(word) for word in _raw_words(text)))


def _flags(rest: str) -> tuple[tuple[str, ...], str]:
    flags = []
    while True:
        rest = rest.lstrip(GO_SPACES)
        if not rest.startswith("--"):
            return tuple(flags), rest
        word = re.match(rf"(?:[^{GO_SPACES}\"'\\]|\\.|\"(?:[^\"\\]|\\.)*\"?|'(?:[^'\\]|\\.)*'?)*\\?", rest, re.DOTALL)
        assert word is not None
        rest = rest[word.end() :]
        if word[0] == "--":
            return tuple(flags), rest
        flags.append(word[0])


def _json(text: str) -> tuple[str, ...] | None:
    """The array at the beginning: Docker 20.10 does not look at what follows it."""
    if not text.startswith("["):
        return None
    try:
        value, _ = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return None
    if not all(isinstance(item, str) for item in value):
        raise NotReadError("an array of other things than text")
    return tuple(value)


def _raw_words(text: str) -> list[str]:
    """Words with their quotes; what is in quotes does not end a word."""
    return re.findall(rf"(?:[^{GO_SPACES}\"'\\]|\\.|\"(?:[^\"\\]|\\.)*\"?|'[^']*'?)+", text, re.DOTALL)


def pairs(text: str) -> dict[str, str]:
    """The variables of ENV or LABEL. Raises NotReadError where a value would be expanded."""
    out = {}
    for word in _raw_words(text):
        key, equals, value = word.partition("=")
        if not equals:
            raise NotReadError(f"no '=' in {word}")
        out[key] = _unquoted(value)
    return out


def expanded(text: str) -> str:
    """A text that is expanded as one word, such as that of WORKDIR."""
    return _unquoted(text)


def _unquoted(value: str) -> str:
    out, position, quote = "", 0, ""
    while position < len(value):
        char = value[position]
        following = value[position + 1 : position + 2]
        if char == "$" and quote != "'":
            raise NotReadError(f"an expansion in {value}")
        if quote == "" and char in "\"'":
            quote = char
        elif char == quote:
            quote = ""
        elif char == "\\" and quote == '"':
            escapes = following in ('"', "$", "\\") and following != ""
            out += following if escapes else char
            position += escapes
        elif char == "\\" and quote == "":
            out += following
            position += 1
        else:
            out += char
        position += 1
    if quote:
        raise NotReadError(f"a quote without an end in {value}")
    return out
