"""How a line becomes a comment in a file of some kind."""

import os.path
from collections.abc import Sequence

_MARKERS = {
    "#": ".bash .cfg .cmake .conf .ini .jl .mk .pl .properties .py .pyi .pyx .r .rb .sh .tcl .toml .txt .yaml .yml",
    "//": ".c .cc .cpp .cs .cu .cuh .cxx .go .h .hpp .java .js .jsx .kt .mlu .proto .rs .scala .swift .ts .tsx",
    "--": ".hs .lua .sql",
    "%": ".erl .tex",
}
_BY_SUFFIX = {suffix: marker for marker, suffixes in _MARKERS.items() for suffix in suffixes.split()}
_NAMES = {"CMakeLists.txt", "Dockerfile", "GNUmakefile", "Makefile", "Pipfile", "makefile"}


def comment_marker(path: str, text: str) -> str | None:
    """What begins a comment in the file, by its name or, without a suffix, by its `#!` line; None if unknown."""
    name = path.rpartition("/")[2]
    if name in _NAMES or ("." not in name and text.startswith("#!")):
        return "#"
    return _BY_SUFFIX.get(os.path.splitext(name)[1].lower())


def comment_lines(lines: Sequence[str], marker: str) -> list[str]:
    """The lines as comments: the marker stands at the indentation that all share; blank lines stay as they are."""
    indents = [line[: len(line) - len(line.lstrip())] for line in lines if line.strip()]
    column = 0
    for characters in zip(*indents, strict=False):
        if len(set(characters)) > 1:
            break
        column += 1
    return [line[:column] + marker + line[column:] if line.strip() else line for line in lines]
