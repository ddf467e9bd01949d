"""What a canonical layer leaves out: the lists of volatile.yaml, beside this file."""

import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from portside.common.canonical import digest_of
from portside.common.tree import check_path

_LIST = Path(__file__).with_name("volatile.yaml")

LeftOut = Callable[[str, bool], bool]
"""Says of a path, and of whether it is a folder, whether a layer leaves it out."""


@cache
def rules() -> dict[str, list[str]]:
    """`paths` and `files`, as volatile.yaml explains them."""
    from portside.common.yaml_file import read_yaml

    return read_yaml(_LIST)[0]


@cache
def digest() -> str:
    """The sha256 (hex) of the lists, part of every key; comments do not count."""
    return digest_of(rules())


def left_out(mounts: Sequence[str] = (), *, lowest: bool = False) -> LeftOut:
    """The lists of volatile.yaml and, with all that lies below them, the container paths `mounts`.

    mounts: absolute or relative to the root; name the topmost folder that is there for the mount only.
    lowest: the layer has nothing below it, so it keeps the folders that the lists name, empty: who else brings /tmp?
    """
    brought = frozenset(rules()["paths"]) if lowest else frozenset()
    named = [re.escape(check_path(mount.strip("/"))) for mount in mounts]
    anywhere = "|".join([*map(_expression, rules()["paths"]), *named])
    paths = re.compile(f"(?:{anywhere})(?:/.*)?", re.DOTALL)
    files = re.compile("|".join(map(_expression, rules()["files"])), re.DOTALL)

    def decide(path: str, is_folder: bool) -> bool:
        if is_folder:
            return paths.fullmatch(path) is not None and path not in brought
        return paths.fullmatch(path) is not None or files.fullmatch(path) is not None

    return decide


def _expression(pattern: str) -> str:
    """'var/log/**' -> a regular expression for the whole path."""
    parts = re.split(r"(\*\*|\*)", pattern)
    return "".join({"**": ".*", "*": "[^/]*"}.get(part) or re.escape(part) for part in parts)
