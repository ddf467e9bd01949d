"""Requirements files as pip reads them, out of the files of a source.

The format is pip's (its documentation, "Requirements File Format"). What a file says of this machine or of a place
(indexes, URLs, variables of the environment) cannot be locked: it is an error that names file and line, unless the
recipe leaves the line out.
"""

import codecs
import posixpath
import re
import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from portside.common.tree import Tree
from portside.common.url import without_secrets
from portside.errors import RecipeError, did_you_mean

if TYPE_CHECKING:
    from packaging.requirements import Requirement

LARGEST_FILE = 1 << 20
"""Bytes; the largest that people write have some ten thousand."""

_COMMENT = re.compile(r"(^|\s+)#.*$")
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")
_CODING = re.compile(rb"coding[:=]\s*([-\w.]+)")
_MARKS = [
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins with the mark of utf-16-le
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
]
_SHORT = {"-i": "--index-url", "-f": "--find-links", "-r": "--requirement", "-c": "--constraint", "-e": "--editable"}
_SHORT |= {"-C": "--config-settings", "--pypi-url": "--index-url", "--config-setting": "--config-settings"}
_PLACES = ("--index-url", "--extra-index-url", "--find-links", "--no-index", "--trusted-host")
_KEPT = ("--prefer-binary", "--only-binary")
"""What they ask for is so here whatever a file says: wheels alone are taken."""
_OTHERS = {
    "--no-binary": "Name the package under env.python.build, which builds source distributions",
    "--pre": "Name a version that allows pre-releases in the recipe (NAME>=1.0rc1)",
    "--use-feature": "It switches pip over, which does not resolve here",
    "--global-option": "It is for pip's builds, and nothing is built of this file",
    "--config-settings": "It is for pip's builds, and nothing is built of this file",
}
_BARE = ("--no-index", "--prefer-binary", "--pre", "--require-hashes")
_HASH = re.compile(r"sha256:([0-9a-fA-F]{64})")


class RefusedLineError(RecipeError):
    """A line of a requirements file that cannot be locked. item: what `without` takes to leave it out."""

    def __init__(self, problem: str, remedy: str, item: str) -> None:
        super().__init__(problem, remedy)
        self.item = item


@dataclass(frozen=True, slots=True)
class RequirementLine:
    """A requirement of a file. origin: `SOURCE/PATH:LINE`.

    hashes: the sha256s (hex) that its files may have; none: any. constraint: whether it only limits what something
    else asks for.
    """

    requirement: "Requirement"
    origin: str
    hashes: frozenset[str] = frozenset()
    constraint: bool = False


def read_requirements(tree: Tree, path: str, source: str, without: Collection[str] = ()) -> list[RequirementLine]:
    """The requirements of a file of a source and of the files that it includes, in their order.

    path: in the tree. source: its name, for origins and messages. without: what is left out: names of packages (of any
    spelling), options (`--extra-index-url`), or what a line names that has no name (`-e .`, a URL, a path).
    Raises RecipeError for what cannot be taken, and where something is to be left out that no line says.
    """
    reader = _RequirementsReader(tree, source, list(without))
    lines = list(reader.read(path, constraint=False, through=()))
    reader.check_left_out(f"{source}/{path}")
    return lines


def normal(name: str) -> str:
    """PEP 503, for names that may be none."""
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclass
class _RequirementsReader:
    tree: Tree
    source: str
    without: list[str]
    used: set[str] = field(default_factory=set)
    met: set[str] = field(default_factory=set)
    hashed: str = ""
    """Where `--require-hashes` stands."""
    bare: str = ""
    """The first requirement without a hash."""

    def read(self, path: str, *, constraint: bool, through: tuple[str, ...]) -> Iterator[RequirementLine]:
        for number, text in _joined(_text(self.tree, path, self.source)):
            origin = f"{self.source}/{path}:{number}"
            if text:
                yield from self._line(text, origin, path, constraint=constraint, through=(*through, path))
        if self.hashed and self.bare:
            raise RecipeError(
                f"{self.bare}: no --hash, and {self.hashed} says --require-hashes: pip would refuse the file",
                "Leave `--require-hashes` out, with `without: [--require-hashes]`: the lock has a hash of every file.",
            )

    def _line(
        self, text: str, origin: str, path: str, *, constraint: bool, through: tuple[str, ...]
    ) -> Iterator[RequirementLine]:
        words = text.split()
        first = next((n for n, word in enumerate(words) if word.startswith("-")), len(words))
        named = " ".join(words[:first])
        options = list(_options(" ".join(words[first:]), origin))
        if not named:
            yield from self._options(options, origin, path, constraint=constraint, through=through)
            return
        whole, name = named.split(";")[0].strip(), re.match(r"[A-Za-z0-9][\w.-]*", named)
        if self._is_out(whole) or self._is_out(_name_of(whole)) or (name and self._is_out(name[0])):
            return
        self._no_variables(text, origin)
        requirement = self._requirement(named, origin, constraint=constraint)
        hashes = {_sha256(value, origin) for option, value in options if option == "--hash"}
        for option, _ in options:
            if option != "--hash" and not self._is_out(option):
                _refuse(
                    f"{origin}: {option} of a requirement", _OTHERS.get(option, "pip knows none of this name"), option
                )
        if not hashes and not constraint:
            self.bare = self.bare or origin
        yield RequirementLine(requirement, origin, frozenset(hashes), constraint)

    def _options(
        self, options: list[tuple[str, str]], origin: str, path: str, *, constraint: bool, through: tuple[str, ...]
    ) -> Iterator[RequirementLine]:
        for option, value in options:
            short = {"--editable": "-e", "--requirement": "-r", "--constraint": "-c"}.get(option, option)
            names = [option, f"{short} {value}"] + ([value, _name_of(value)] if option == "--editable" else [])
            if option in _KEPT or any(map(self._is_out, names)):
                continue
            self._no_variables(value, origin)
            if option in ("--requirement", "--constraint"):
                below = constraint or option == "--constraint"
                yield from self._included(value, origin, path, constraint=below, through=through)
            elif option == "--editable":
                self._no_place(value, origin, f"-e {value}")
            elif option == "--require-hashes":
                self.hashed = origin
            elif option in _PLACES:
                _refuse(
                    f"{origin}: {option}{f' {without_secrets(value)}' if value else ''}: where packages are is no "
                    "matter of a lock",
                    "Say which packages come from there (env.python.indexes), or configure the place",
                    option,
                )
            else:
                unknown = "" if option in _OTHERS else ": pip knows no such option here"
                _refuse(f"{origin}: {option}{unknown}", _OTHERS.get(option, _IN_RECIPE), option)

    def _included(
        self, value: str, origin: str, path: str, *, constraint: bool, through: tuple[str, ...]
    ) -> Iterator[RequirementLine]:
        other = posixpath.normpath(posixpath.join(posixpath.dirname(path), value))
        short = "-c" if constraint else "-r"
        if "://" in value or value.startswith("/") or other.startswith(".."):
            where = without_secrets(value)
            _refuse(
                f"{origin}: {where} is no file of {self.source}", "Name what it says in the recipe", f"{short} {value}"
            )
        if other in through:
            raise RecipeError(f"{origin}: {value} includes itself: {' -> '.join([*through, other])}", _UPSTREAM)
        if self.tree.get(other) is None:
            _refuse(f"{origin}: no file {other} in {self.source}", "Name what it should say", f"{short} {value}")
        yield from self.read(other, constraint=constraint, through=through)

    def _requirement(self, text: str, origin: str, *, constraint: bool) -> "Requirement":
        from packaging.requirements import InvalidRequirement, Requirement

        if _is_place(text):
            place = text.split(";")[0].strip()
            self._no_place(place, origin, place)
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            reason = str(error).partition("\n")[0]
            _refuse(f"{origin}: not a requirement: {without_secrets(text)}: {reason}", _IN_RECIPE, text)
        if requirement.url is not None:
            place = without_secrets(requirement.url)
            _refuse(
                f"{origin}: {requirement.name} is given by a URL ({place}), which a lock cannot hold",
                f"Ask for {requirement.name} in the recipe: a version, a source to install, or a wheel under "
                "env.python.manual",
                requirement.name,
            )
        if constraint and requirement.extras:
            _refuse(f"{origin}: pip takes no constraint with extras", _IN_RECIPE, requirement.name)
        return requirement

    def _no_place(self, value: str, origin: str, written: str) -> NoReturn:
        """Raise RecipeError for what is given by its place."""
        own = value.split("[")[0].rstrip("/") in (".", "..")
        remedy = (
            f"Let a step of `install` install it, and ask for what it needs: {{needs-of: {self.source}}}"
            if own
            else "Ask for it in the recipe: a source with a step of `install`, or a wheel under env.python.manual"
        )
        shown = without_secrets(written)
        _refuse(f"{origin}: {shown} is given by its place, which a lock cannot hold", remedy, _name_of(value) or shown)

    def _no_variables(self, text: str, origin: str) -> None:
        if found := _VARIABLE.search(text):
            raise RecipeError(
                f"{origin}: {found[0]} is a variable of the machine's environment, and a lock is the same everywhere",
                "Leave the line out with `without`, by the name of its package or option, and name what it stands for "
                "in the recipe.",
            )

    def _is_out(self, written: str) -> bool:
        """Whether the recipe leaves this out."""
        if not written:
            return False
        self.met.add(written)
        for item in self.without:
            if item in (written, _SHORT.get(written)) or _SHORT.get(item, item) == written or _same(item, written):
                self.used.add(item)
                return True
        return False

    def check_left_out(self, path: str) -> None:
        if unused := [item for item in self.without if item not in self.used]:
            raise RecipeError(
                f"{path}: nothing to leave out: no line for {', '.join(unused)}",
                f"{did_you_mean(unused[0], self.met)}Take it out of `without`.",
            )


_IN_RECIPE = "Name it in the recipe"
_UPSTREAM = "Name what it needs in the recipe instead of the file."


def _same(item: str, written: str) -> bool:
    """Whether both are the same package."""
    return not item.startswith("-") and "/" not in item and normal(item) == normal(re.split(r"[\[ <>=!~(]", written)[0])


def _name_of(place: str) -> str:
    """The name of the package that a place says, or nothing."""
    found = re.search(r"[#&]egg=([\w.-]+)", place) or re.fullmatch(r"(?:.*/)?([\w.]+)-[^/]+\.whl(?:#.*)?", place)
    return found[1] if found else ""


def _is_place(text: str) -> bool:
    """Whether a line says no name, but where a package is."""
    place = text.split(";")[0].strip()
    if re.match(r"[A-Za-z0-9][\w.-]*\s*(\[[^]]*\])?\s*@", place):
        return False
    return bool(re.search(r"^[./~]|/|\.(whl|zip|tar\.gz|tar\.bz2|tar\.xz|tgz)$", place))


def _refuse(problem: str, remedy: str, item: str) -> NoReturn:
    left_out = f"`without: ['{item}']`" if re.fullmatch(r"[^\"'\\$`\x00-\x1f]+", item) else "`without`"
    raise RefusedLineError(problem, f"{remedy}, and leave the line out here: {left_out}.", item)


def _sha256(value: str, origin: str) -> str:
    if (found := _HASH.fullmatch(value)) is None:
        raise RecipeError(
            f"{origin}: --hash={value}: expected sha256: and 64 hex digits; nothing else can be compared with a lock",
            "Name the package in the recipe, and leave the line out here with `without`.",
        )
    return found[1].lower()


def _options(text: str, origin: str) -> Iterator[tuple[str, str]]:
    """The options of a line, by their long names, with their values."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise RecipeError(f"{origin}: {without_secrets(text)}: {error}", _UPSTREAM) from None
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if not name.startswith("-"):
            raise RecipeError(f"{origin}: {without_secrets(word)} follows no option that takes it", _UPSTREAM)
        if not name.startswith("--") and len(word) > 2:
            name, equals, value = word[:2], "=", word[2:].removeprefix("=")
        option = _SHORT.get(name, name)
        if not equals and option not in _BARE:
            value = next(rest, "")
            if not value:
                raise RecipeError(f"{origin}: {name} says nothing", _UPSTREAM)
        yield option, value


def _text(tree: Tree, path: str, source: str) -> str:
    entry = tree.get(path)
    if entry is not None and entry.kind == "symlink":
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), entry.link))
        entry = tree.get(path)
    if entry is None or entry.kind not in ("file", "hardlink"):
        last = path.rpartition("/")[2]
        close = [other.path for other in tree.files() if other.path.rpartition("/")[2] == last]
        close = close or [p.path for p in tree.files() if "requirement" in p.path and p.path.endswith((".txt", ".in"))]
        there = f"It has {', '.join(close[:5])}." if close else "Correct the path: it begins with the source's name."
        raise RecipeError(f"no file {path} in the source {source}", there)
    if entry.size > LARGEST_FILE:
        raise RecipeError(f"{source}/{path} has {entry.size} bytes: no requirements file has", _UPSTREAM)
    data = entry.read()
    try:
        for mark, encoding in _MARKS:
            if data.startswith(mark):
                return data[len(mark) :].decode(encoding)
        coding = next(filter(None, (_CODING.search(row) for row in data.split(b"\n")[:2] if row[:1] == b"#")), None)
        return data.decode(coding[1].decode() if coding else "utf-8")
    except (UnicodeDecodeError, LookupError):
        raise RecipeError(f"{source}/{path} is no text in UTF-8, nor in what it says", _UPSTREAM) from None


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """The lines with the number of each one's first, those that go on in the next one joined, without comments."""
    parts: list[str] = []
    begun = 1
    for number, row in enumerate(text.splitlines(), 1):
        if not parts:
            begun = number
        comment = row.lstrip().startswith("#")
        if row.endswith("\\") and not comment:
            parts.append(row[:-1])
            continue
        parts.append(f" {row}" if comment else row)  # so that it is one, whatever goes before
        yield begun, _COMMENT.sub("", "".join(parts)).strip()
        parts = []
    if parts:
        yield begun, _COMMENT.sub("", "".join(parts)).strip()
