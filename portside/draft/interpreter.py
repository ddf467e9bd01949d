"""Which Python the repository says it is for."""

import ast
import configparser
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from portside.draft.checkout import Checkout
from portside.draft.clue import Clue
from portside.draft.code import CodeBase, dotted, literal
from portside.draft.commands import CommandLine
from portside.draft.facts import facts

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_VERSION = r"(3\.\d{1,2})(?:\.\d+|\.x)?"
_IN_TEXT = re.compile(rf"\bpython\s*(?:version\s*)?(>=|==|=|≥|>|~=)?\s*v?{_VERSION}\+?(?!\s*-\s*\d)", re.I)


@dataclass(frozen=True)
class PythonWish:
    """What the repository says. limits: ranges that it must be in, such as `>=3.8`. versions: that are named, the ones
    that say most first. syntax: the oldest whose syntax has what the code uses."""

    limits: list[Clue[str]]
    versions: list[Clue[str]]
    syntax: Clue[str] | None = None

    @property
    def said(self) -> str:
        """All of it in a line for people."""
        rows = [f"{clue.value} ({clue.place})" for clue in (*self.limits, *self.versions)]
        return ", ".join(dict.fromkeys(rows))

    def allows(self, version: str) -> bool:
        """Whether a version (3.11) is in all limits, and its syntax is new enough."""
        if self.syntax is not None and _number(version) < _number(self.syntax.value):
            return False
        return all(SpecifierSet(clue.value).contains(f"{version}.99", prereleases=True) for clue in self.limits)


def python_wish(checkout: Checkout, commands: list[CommandLine], code: CodeBase) -> PythonWish:
    limits = list(_limits(checkout, code))
    versions = [
        *_files(checkout),
        *_environments(checkout),
        *_commands(commands),
        *_documents(checkout),
        *_machines(checkout),
    ]
    seen: dict[str, Clue[str]] = {}
    for clue in versions:
        seen.setdefault(clue.value, clue)
    return PythonWish(limits, list(seen.values())[:6], _syntax(code))


def choose(wish: PythonWish) -> tuple[str, str, Clue[str]]:
    """The Debian release that a draft stands on, its Python, and why."""
    suites: dict[str, dict[str, str]] = facts("bases")["suites"]
    allowed = [name for name, fact in suites.items() if wish.allows(fact["python"])]
    suite = allowed[0] if allowed else next(iter(suites))
    version = suites[suite]["python"]
    named = any(_names(clue.value, version) for clue in wish.versions) or bool(wish.limits)
    if not wish.said:
        why = (
            f"nothing says which Python; {wish.syntax.place} uses {wish.syntax.value}"
            if wish.syntax
            else "nothing says which Python"
        )
        return suite, version, Clue(version, "", False, f"{why}; Debian {suite} has {version}")
    if allowed and (named or not wish.versions):
        return suite, version, Clue(version, "", True, f"upstream: {wish.said}")
    return suite, version, Clue(version, "", False, f"upstream: {wish.said}; Debian {suite} has {version}")


def _names(said: str, version: str) -> bool:
    """Whether what a place says (`3.11.4`, `3.8 to 3.13`, `>=3.8`) has a version in it."""
    first, _, last = said.partition(" to ")
    if last:
        return _number(first) <= _number(version) <= _number(last)
    if said.startswith(">="):
        return _number(said[2:]) <= _number(version)
    return _short(said) == version


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


def _short(version: str) -> str:
    return ".".join(version.split(".")[:2])


def toml_of(checkout: Checkout, path: str = "pyproject.toml") -> dict[str, Any]:
    """A TOML file, empty where there is none that can be read."""
    try:
        data: dict[str, Any] = tomllib.loads(checkout.text(path) or "")
        return data
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def line_of(checkout: Checkout, path: str, *words: str) -> str:
    """`PATH:LINE` of the first line that has one of these words; the earlier word counts first."""
    for word in words:
        for number, line in checkout.lines(path):
            if word and word in line:
                return f"{path}:{number}"
    return path


def _limits(checkout: Checkout, code: CodeBase) -> Iterator[Clue[str]]:
    data = toml_of(checkout)
    project = data.get("project")
    asked = project.get("requires-python") if isinstance(project, dict) else None
    if isinstance(asked, str):
        yield from _limit(asked, line_of(checkout, "pyproject.toml", "requires-python"))
    tool = data.get("tool")
    poetry = tool.get("poetry") if isinstance(tool, dict) else None
    asked = poetry.get("dependencies", {}).get("python") if isinstance(poetry, dict) else None
    if isinstance(asked, str):
        yield from _limit(pep440(asked), line_of(checkout, "pyproject.toml", "python ="))
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(checkout.text("setup.cfg") or "")
        asked = parser.get("options", "python_requires", fallback=parser.get("options", "python-requires", fallback=""))
    except configparser.Error:
        asked = ""
    if asked:
        yield from _limit(asked, line_of(checkout, "setup.cfg", "python_requires", "python-requires"))
    if (setup := code.file("setup.py")) is not None:
        for node in ast.walk(setup.tree):
            if (
                isinstance(node, ast.keyword)
                and node.arg == "python_requires"
                and isinstance(value := literal(node.value), str)
            ):
                yield from _limit(value, f"setup.py:{node.value.lineno}")


def _limit(asked: str, place: str) -> Iterator[Clue[str]]:
    text = asked.replace(" ", "")
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return
    if text:
        yield Clue(text, place)


def pep440(asked: str) -> str:
    """A range of poetry or conda in the words of PEP 440: `^1.2`, `~1.2`, `1.2.*`, `1.2`."""
    out = []
    for part in re.split(r"\s*(?:,|\|\|.*$)\s*", asked.strip()):
        if found := re.fullmatch(r"\^\s*(\d+(?:\.\d+)*)", part):
            numbers = [int(number) for number in found[1].split(".")]
            place = next((n for n, number in enumerate(numbers) if number), len(numbers) - 1)
            above = [*numbers[:place], numbers[place] + 1]
            out.append(f">={found[1]},<{'.'.join(map(str, above))}")
        elif found := re.fullmatch(r"~\s*(\d+(?:\.\d+)*)", part):
            numbers = [int(number) for number in found[1].split(".")]
            above = [numbers[0] + 1] if len(numbers) == 1 else [numbers[0], numbers[1] + 1]
            out.append(f">={found[1]},<{'.'.join(map(str, above))}")
        elif re.fullmatch(r"\d+(\.\d+)*(\.\*)?([a-z]+\d*)?", part):
            out.append(f"=={part}")
        elif found := re.fullmatch(r"=(\d+(?:\.\d+)*)(\.\*)?", part):
            out.append(f"=={found[1]}" if found[1].count(".") > 1 else f"=={found[1]}.*")
        elif part not in ("*", ""):
            out.append(part)
    return ",".join(out)


def _files(checkout: Checkout) -> Iterator[Clue[str]]:
    for path in (".python-version", "runtime.txt"):
        for number, line in checkout.lines(path):
            if re.match(rf"\s*(?:python-)?{_VERSION}\s*$", line):
                yield Clue(line.strip().removeprefix("python-"), f"{path}:{number}")


def environment_files(checkout: Checkout) -> list[str]:
    """The descriptions of conda environments, the likeliest first."""
    found = checkout.named("environment*.y*ml", "*environment.y*ml", "env.y*ml", "conda*.y*ml", "*/environment*.y*ml")
    found = [path for path in found if re.search(r"^\s*dependencies\s*:", checkout.text(path) or "", re.M)]
    return sorted(found, key=lambda path: (path.count("/"), len(path), path))


def _environments(checkout: Checkout) -> Iterator[Clue[str]]:
    for path in environment_files(checkout)[:1]:
        for number, line in checkout.lines(path):
            if found := re.match(r"\s*-\s*['\"]?(?:[\w-]+::)?python\s*[=><~]+\s*(3\.\d+(?:\.\d+)?)", line):
                yield Clue(found[1], f"{path}:{number}")


def _commands(commands: list[CommandLine]) -> Iterator[Clue[str]]:
    """`conda create -n x python=3.9`, and Pythons that documents start by their versions."""
    for one in commands:
        if one.kind != "document" or one.rank > 4:
            continue
        found = re.search(rf"\bpython\s*=+\s*{_VERSION}|--python[= ]python?{_VERSION}", one.text)
        if found and one.program in ("conda", "mamba", "micromamba", "uv", "virtualenv"):
            yield Clue(found[1] or found[2], one.place)


def _documents(checkout: Checkout) -> Iterator[Clue[str]]:
    """What READMEs and guides say in words."""
    documents = checkout.named("readme.md", "readme.rst") + checkout.named(
        "readme*", "install*.md", "*get*started*.md", "docs/install*.md", "setup.md", "docs/*/install*.md"
    )
    for path in documents[:8]:
        for number, line in checkout.lines(path):
            if re.search(r"(conda|apt|img\.shields\.io|docker\s|http\S*python)", line):
                continue
            for found in _IN_TEXT.finditer(line):
                full = re.search(r"3\.\d{1,2}(?:\.\d+)?", found[0])
                mark = {"≥": ">=", "=": "", "==": "", None: ""}.get(found[1], found[1] or "")
                mark = (
                    ">="
                    if not mark
                    and re.match(r"\s*(\+|or (newer|higher|above|later)|及以上|以上)", line[found.end() - 1 :])
                    else mark
                )
                assert full is not None
                yield Clue(f"{mark}{full[0]}", f"{path}:{number}")
                break


def _machines(checkout: Checkout) -> Iterator[Clue[str]]:
    """CI and Dockerfiles."""
    for path in checkout.named(".github/workflows/*.y*ml", ".circleci/config.yml", ".travis.yml"):
        if re.search(r"lint|publish|release|doc|stale|format|style", path.rpartition("/")[2]):
            continue
        found: list[tuple[str, int]] = []
        for number, line in checkout.lines(path):
            if re.search(r"python[-_]?version|^\s*python:|cimg/python|python=", line):
                found += [(version, number) for version in re.findall(r"(?<![\w.])3\.\d{1,2}(?![\w])", line)]
        versions = sorted({version for version, _ in found}, key=_number)
        if versions:
            line_number = min(number for version, number in found if version == versions[-1])
            yield Clue(
                versions[-1] if len(versions) == 1 else f"{versions[0]} to {versions[-1]}", f"{path}:{line_number}"
            )
    for path in dockerfiles(checkout):
        for number, line in checkout.lines(path):
            named = re.match(rf"\s*FROM\s+(?:\S+/)?python:{_VERSION}", line, re.I)
            named = named or re.search(r"(?<![\w-])python(3\.\d{1,2})(?![\w.])", line)
            if named:
                yield Clue(named[1], f"{path}:{number}")


def dockerfiles(checkout: Checkout) -> list[str]:
    """Those that are for the program as a whole: at the top, or in a folder there that has them."""
    found = checkout.named(
        "dockerfile*",
        "*.dockerfile",
        "docker/dockerfile*",
        "docker/*.dockerfile",
        "docker/*/dockerfile*",
        ".docker/dockerfile*",
    )
    return sorted(found, key=lambda path: (path.count("/"), len(path), path))[:4]


_SYNTAX: list[tuple[str, str]] = [("TryStar", "3.11"), ("Match", "3.10"), ("TypeAlias", "3.12"), ("NamedExpr", "3.8")]


def _syntax(code: CodeBase) -> Clue[str] | None:
    """The newest syntax in use; what cannot be told from the tree (brackets of `with`) does not count."""
    best: Clue[str] | None = None
    for path in code.paths[:400]:
        file = code.file(path)
        if file is None:
            continue
        for node in ast.walk(file.tree):
            version = dict(_SYNTAX).get(type(node).__name__)
            if version is None and isinstance(node, ast.arguments) and node.posonlyargs:
                version = "3.8"
            if version is None and isinstance(node, ast.Call) and dotted(node.func) == "print":
                continue
            if version is not None and (best is None or _number(version) > _number(best.value)):
                best = Clue(version, f"{path}:{getattr(node, 'lineno', 1)}")
    return best
