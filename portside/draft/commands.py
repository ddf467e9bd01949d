"""The command lines that a repository tells people and machines to type, in documents, scripts, CI and notebooks."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from portside.draft.checkout import VENDORED, Checkout

Kind = Literal["document", "script", "ci", "dockerfile", "notebook"]

_README = re.compile(r"^readme[^/]*$", re.I)
_TRANSLATED = re.compile(r"[-_.](cn|zh|zh[-_]\w+|ja|jp|ko|kr|fr|de|es|ru|pt|chinese|en)\.\w+$", re.I)
_INSTALL = re.compile(r"(install|setup|get[-_ ]?started|getting[-_ ]?started|usage|quick|train|eval|demo)", re.I)
_PREFIXES = re.compile(
    r"^(?:[$>!%@]\s*|(?:poetry|uv|pipenv|pdm|hatch)\s+run\s+|sudo\s+(?:-\S+\s+)*|time\s+|nohup\s+|exec\s+|env\s+(?=\w+=))+"
)
_SETS = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*=\S*$")
_CODE_OF = re.compile(
    r"^(python|py|pycon|python3|json|yaml|yml|toml|html|xml|js|javascript|ts|cpp|c|cu|cuda|text|txt)\b"
)
_BESIDE = re.compile(r"(^|/)(examples?|runtime|deploy\w*|contrib|benchmarks?|tests?|playground|android|ios)/", re.I)
_MOST_JOINED = 60
"""Lines that belong to one command by the backslashes at their ends."""
_MOST_SCRIPTS = 400


@dataclass(frozen=True)
class CommandLine:
    """One command. words: without what the shell sets before it, which is in `variables`. text: as it stands there,
    with single blanks. rank: how much what it says counts, 0 the most: the README at the top."""

    words: tuple[str, ...]
    text: str
    path: str
    line: int
    kind: Kind
    rank: int
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}"

    @cached_property
    def program(self) -> str:
        """What is started: `pip` also where Python starts it, `python` whatever its version."""
        first = self.words[0].rpartition("/")[2]
        if re.fullmatch(r"(pip|python)[0-9.]*", first):
            first = re.sub(r"[0-9.]+$", "", first)
            if first == "python" and self.words[1:3] == ("-m", "pip"):
                return "pip"
        if first == "uv" and self.words[1:2] == ("pip",):
            return "pip"
        return first

    @cached_property
    def arguments(self) -> tuple[str, ...]:
        """What follows the program."""
        if self.program == "pip" and self.words[0].rpartition("/")[2] != "pip":
            start = self.words.index("pip") + 1 if "pip" in self.words[1:] else 1
            return self.words[start:]
        return self.words[1:]


def command_lines(checkout: Checkout) -> list[CommandLine]:
    """All of them, by rank, then as they stand."""
    found: list[CommandLine] = []
    for path, kind, rank in _files(checkout):
        found += _in_file(checkout, path, kind, rank)
    return sorted(found, key=lambda one: (one.rank, bool(_TRANSLATED.search(one.path))))


def _files(checkout: Checkout) -> Iterator[tuple[str, Kind, int]]:
    scripts = 0
    for path in checkout.paths:
        if VENDORED.search(path):
            continue
        name, depth = path.rpartition("/")[2], path.count("/")
        if name.lower().endswith((".md", ".rst", ".markdown")) or _README.match(name):
            if depth == 0:
                yield path, "document", 0 if _README.match(name) else 1 if _INSTALL.search(name) else 2
            else:
                yield (
                    path,
                    "document",
                    4 if (path.lower().startswith("docs/") or _README.match(name)) and not _BESIDE.search(path) else 6,
                )
        elif name.endswith(".sh") and scripts < _MOST_SCRIPTS:
            scripts += 1
            yield path, "script", 9 if _BESIDE.search(path) else 5
        elif re.fullmatch(
            r"\.github/workflows/[^/]+\.ya?ml|\.circleci/config\.yml|\.travis\.yml|\.gitlab-ci\.yml", path
        ):
            yield path, "ci", 7
        elif name in ("Makefile", "makefile", "GNUmakefile") and depth == 0:
            yield path, "script", 5
        elif re.match(r"dockerfile", name, re.I) or name.lower().endswith(".dockerfile"):
            yield path, "dockerfile", 6 + depth
        elif name.endswith(".ipynb"):
            yield path, "notebook", 8


def _in_file(checkout: Checkout, path: str, kind: Kind, rank: int) -> Iterator[CommandLine]:
    rows = _notebook(checkout, path) if kind == "notebook" else checkout.lines(path)
    for number, line in _joined(_code(rows, kind)):
        for part in split_commands(line):
            one = parse_command(part)
            if one is not None:
                words, variables = one
                text = " ".join(_PREFIXES.sub("", part.strip()).split())
                yield CommandLine(words, text, path, number, kind, rank, variables)


def _code(rows: Iterator[tuple[int, str]], kind: Kind) -> Iterator[tuple[int, str]]:
    """The lines that may be typed."""
    if kind == "document":
        yield from _marked(rows)
        return
    for number, line in rows:
        text = line.strip()
        if kind == "ci":
            text = re.sub(r"^(-\s+)?(run|script|command):\s*(?![|>])|^-\s+", "", text)
        elif kind == "dockerfile":
            text = re.sub(r"^(RUN|CMD|ENTRYPOINT)\s+(--\S+\s+)*", "", text, flags=re.I)
            text = _without_json(text)
        if text and not text.startswith("#"):
            yield number, text


def _without_json(text: str) -> str:
    """A command of a Dockerfile that is written as an array."""
    try:
        words = json.loads(text) if text.startswith("[") else None
    except (ValueError, RecursionError):
        return text
    return shlex.join(map(str, words)) if isinstance(words, list) else text


def _marked(rows: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """What a document marks as code: fenced, indented, or between backticks."""
    fence, is_shell = "", True
    for number, line in rows:
        text = line.strip()
        if mark := re.match(r"(?:[-*>\d.]+\s+)?(`{3,}|~{3,})\s*\{?\.?(\w*)", text):
            if fence and text.startswith(fence[:3]):
                fence = ""
            elif not fence:
                fence, is_shell = mark[1], not _CODE_OF.match(mark[2].lower()) if mark[2] else True
            continue
        if fence:
            if text and not text.startswith("#") and (is_shell or text.startswith("!")):
                yield number, text
            continue
        for inline in re.findall(r"`+([^`]+)`+", line):
            if " " in inline.strip():
                yield number, inline.strip()
        if re.match(r"( {4}|\t|\s*\$ )", line) and text and not text.startswith(("#", "- ", "* ", "|", "`")):
            yield number, text


def _notebook(checkout: Checkout, path: str) -> Iterator[tuple[int, str]]:
    """The lines of code cells that a shell executes; numbered by their cells."""
    try:
        cells = json.loads(checkout.text(path) or "{}").get("cells", [])
        for number, cell in enumerate(cells[:1000], 1):
            if cell.get("cell_type") == "code":
                source = cell.get("source", "")
                for line in (source if isinstance(source, str) else "".join(map(str, source))).split("\n"):
                    if line.lstrip().startswith(("!", "%pip", "%conda")):
                        yield number, line.strip()[:4096]
    except (ValueError, AttributeError, TypeError, RecursionError):
        return


def _joined(rows: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Lines with those that a backslash at the end continues."""
    start, parts = 0, list[str]()
    for number, line in rows:
        if parts and len(parts) < _MOST_JOINED and number - start <= 2 * _MOST_JOINED:
            parts.append(line.rstrip("\\ \t"))
        else:
            start, parts = number, [line.rstrip("\\ \t")]
        if not re.search(r"\\\s*$", line):
            yield start, " ".join(parts)
            parts = []
    if parts:
        yield start, " ".join(parts)


def split_commands(line: str) -> list[str]:
    """A shell line's commands, without what joins them; quotes are respected."""
    parts, current, quote = [], "", ""
    index = 0
    while index < len(line):
        char = line[index]
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif line[index : index + 2] in ("&&", "||"):
            parts.append(current)
            current, index = "", index + 2
            continue
        elif char in ";|" or (char == "&" and index + 1 == len(line)):
            parts.append(current)
            current, index = "", index + 1
            continue
        current += char
        index += 1
    return [part.strip() for part in [*parts, current] if part.strip()]


def parse_command(text: str) -> tuple[tuple[str, ...], dict[str, str]] | None:
    """The words of one command, and the variables that are set for it alone; None for what is no command."""
    text = _PREFIXES.sub("", text.strip())
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        words = text.split()
    variables: dict[str, str] = {}
    while words and _SETS.match(words[0]):
        name, _, value = words.pop(0).partition("=")
        variables[name] = value
    if not words or not re.match(r"[\w./~-]", words[0]):
        return None
    return tuple(words), variables
