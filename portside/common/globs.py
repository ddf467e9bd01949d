"""The glob dialect of patch steps: small, and the same on every machine.

`*` stands for any characters but `/`, `?` for one of them, and `**` as a whole part of the path for any number of
folders, none included (`a/**/*.py` matches `a/x.py`; `a/**` matches everything below `a`). Every other character,
brackets included, stands for itself. Names are case-sensitive, and names with a leading dot are names like others.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from portside.common.tree import encode_path


def check_glob(glob: str) -> str:
    """Give `glob` back if it is a clean relative pattern, else raise ValueError."""
    if "\\" in glob:
        raise ValueError(f"{glob!r} has a backslash; parts of a path are separated by /")
    for part in glob.split("/"):
        if part in ("", ".", "..") or "\0" in part:
            raise ValueError(f"{glob!r} is not a clean relative path: no leading, trailing or double /, no . and no ..")
        if "**" in part and part != "**":
            raise ValueError(f"{glob!r} has ** inside a name; ** must be a whole part of the path, as in a/**/*.py")
    return glob


@lru_cache(maxsize=256)
def glob_pattern(glob: str) -> re.Pattern[str]:
    """The regular expression whose full match is what `glob` matches."""
    parts = glob.split("/")
    out = []
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            out.append(".+" if last else "(?:[^/]+/)*")
        else:
            name = "".join({"*": "[^/]*", "?": "[^/]"}.get(char) or re.escape(char) for char in part)
            out.append(name if last else name + "/")
    return re.compile("".join(out), re.DOTALL)


def matches(globs: Sequence[str], path: str) -> bool:
    return any(glob_pattern(glob).fullmatch(path) for glob in globs)


def is_literal(glob: str) -> bool:
    return "*" not in glob and "?" not in glob


def closest_paths(glob: str, paths: Iterable[str]) -> list[str]:
    """Up to five paths that look most like a glob that matched nothing: at the first part of it that is not there,
    the names that are."""
    paths = list(paths)
    parts = glob.split("/")
    above = ""
    for part in parts[: next((n for n, part in enumerate(parts) if not is_literal(part)), len(parts))]:
        names = sorted({path[len(above) :].partition("/")[0] for path in paths if path.startswith(above)})
        if part not in names:
            return [above + name for name in difflib.get_close_matches(part, names, n=5, cutoff=0.5) or names[:5]]
        above += part + "/"
    below = [path for path in paths if path.startswith(above)]
    close = difflib.get_close_matches(parts[-1], {path.rpartition("/")[2] for path in below}, n=5)
    return sorted((path for path in below if path.rpartition("/")[2] in close), key=encode_path)[:5]
