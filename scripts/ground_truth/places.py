"""Places of a hand-made port, and what precise mode makes of each.

A place is a line of upstream's code (no comment, no docstring) that names cuda, nccl or cudnn and that the port changed
into one that names the card. same: ours equals a line of the port's hunk (blanks, quotes and comments do not count).
otherwise: ours was rewritten, and the port changed something else on the line too. kept: there are hits, all kept.
flagged: a person's, or unsupported. silent: there is no hit.
"""

import ast
import re
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from io import BytesIO
from pathlib import Path
from typing import Any

import yaml

from portside.common.tree import Tree, file_entry
from portside.migrate.migration import migrate
from portside.migrate.report.hits import FileReport
from portside.migrate.rulesets import load

CLASSES = ("same", "otherwise", "kept", "flagged", "silent")
_OLD = re.compile(r"cuda|nccl|cudnn", re.IGNORECASE)
_NEW = re.compile(r"npu|hccl", re.IGNORECASE)
_LEAST = 0.6
"""Similarity from which a file of the port is upstream's."""


@dataclass(frozen=True)
class Pair:
    """name; port, upstream: repository (OWNER/NAME) and commit; folder: where the port lies in its repository."""

    name: str
    port: tuple[str, str]
    folder: str
    upstream: tuple[str, str]
    ruleset: str


@dataclass(frozen=True)
class Place:
    """A line of upstream's: what it was, what we made of it, and the port's hunk."""

    path: str
    line: int
    cls: str
    before: str
    ours: str
    port: str


def pairs() -> Iterator[Pair]:
    data = yaml.safe_load((Path(__file__).parent / "pairs.yaml").read_text(encoding="utf-8"))
    port = data["port"]
    for item in data["pairs"]:
        own: dict[str, Any] = {**port, **item}
        yield Pair(
            own["name"],
            (own["repository"], str(port["commit"])),
            own["folder"],
            (own["upstream"], str(own["commit"])),
            own["ruleset"],
        )


def repository(folder: Path, name: str) -> Path:
    """The git directory of OWNER/NAME. Raises FileNotFoundError."""
    owner, _, last = name.partition("/")
    for place in (folder / f"{owner}+{last}" / "repo", folder / owner / last):
        for found in (place / ".git", place):
            if (found / "HEAD").exists():
                return found
    raise FileNotFoundError(f"there is no repository of {name}")


def source_tree(git: Path, commit: str = "HEAD", folder: str = "") -> Tree:
    """The Python files of a commit, below a folder."""
    wanted = f":(glob){folder}/**/*.py" if folder else ":(glob)**/*.py"
    command = ["git", "--git-dir", str(git), "archive", "--format=tar", commit, wanted]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise FileNotFoundError(f"{commit} {folder}: {done.stderr.decode(errors='replace').strip()}")
    entries = []
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isfile() else None
            if stream is not None and member.name.endswith(".py"):
                entries.append(file_entry(member.name.removeprefix(f"{folder}/"), stream.read()))
    return Tree(entries)


def compare_pair(pair: Pair, repositories: Path) -> list[Place]:
    ported = source_tree(repository(repositories, pair.port[0]), pair.port[1], pair.folder)
    upstream = source_tree(repository(repositories, pair.upstream[0]), pair.upstream[1])
    migration = migrate(upstream, load(pair.ruleset), "precise")
    out: list[Place] = []
    for entry in sorted(ported.files(), key=lambda entry: entry.path):
        port = _lines(entry.read())
        path = _original(entry.path, port, upstream)
        if path is not None:
            before, ours = _lines(upstream[path].read()), _lines(migration.tree[path].read())
            report = migration.report.files.get(path, FileReport(path, "unchanged"))
            out += _places(path, before, ours, port, report)
    return out


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "replace").splitlines()


def _original(path: str, port: list[str], upstream: Tree) -> str | None:
    """Upstream's file of the same name that is most like the port's, by the longest common end of their paths."""
    parts = path.split("/")
    same = [entry.path for entry in upstream.files() if entry.path.rpartition("/")[2] == parts[-1]]

    def common(other: str) -> int:
        pieces = other.split("/")
        return sum(1 for _ in iter_common(parts[::-1], pieces[::-1]))

    for candidate in sorted(same, key=lambda other: (-common(other), other))[:3]:
        ratio = SequenceMatcher(None, _lines(upstream[candidate].read()), port, autojunk=False).ratio()
        if ratio >= _LEAST:
            return candidate
    return None


def iter_common(one: list[str], other: list[str]) -> Iterator[str]:
    for left, right in zip(one, other, strict=False):
        if left != right:
            return
        yield left


def _places(path: str, before: list[str], ours: list[str], port: list[str], report: FileReport) -> Iterator[Place]:
    code = _code_lines(before)
    now = _followed(before, ours)
    for kind, first, last, start, end in SequenceMatcher(None, before, port, autojunk=False).get_opcodes():
        hunk = port[start:end]
        if kind != "replace" or not any(_NEW.search(line) for line in hunk):
            continue
        for number in range(first, last):
            if number + 1 not in code or not _OLD.search(_bare(before[number])):
                continue
            line = ours[now[number]] if number in now else ""
            hits: set[str] = {hit.cls for hit in report.hits if hit.line == number + 1}
            cls = _class(line, before[number], hunk, hits)
            yield Place(path, number + 1, cls, before[number].strip(), line.strip(), " / ".join(map(str.strip, hunk)))


def _class(ours: str, before: str, hunk: list[str], hits: set[str]) -> str:
    if _bare(ours) in {_bare(line) for line in hunk}:
        return "same"
    if "rewritten" in hits and ours != before:
        return "otherwise"
    if hits & {"needs-person", "unsupported"}:
        return "flagged"
    return "kept" if hits else "silent"


def _bare(line: str) -> str:
    """A line without blanks, quotes and a comment at its end."""
    return re.sub(r"[\s\"']", "", re.sub(r"(?<![\"'\w])#.*", "", line))


def _followed(before: list[str], ours: list[str]) -> dict[int, int]:
    """Where each line is afterwards: precise mode only adds lines and changes some."""
    out: dict[int, int] = {}
    for kind, first, last, start, end in SequenceMatcher(None, before, ours, autojunk=False).get_opcodes():
        if kind in ("equal", "replace"):
            out.update(zip(range(first, last), range(end - (last - first), end), strict=False))
        del start
    return out


def _code_lines(lines: list[str]) -> set[int]:
    """The numbers of lines that hold code; those of docstrings and texts that stand alone do not."""
    number = {at for at, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")}
    try:
        tree = ast.parse("\n".join(lines))
    except SyntaxError:
        return number
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            number -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return number
