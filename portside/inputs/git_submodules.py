"""Submodules of git sources: which repository each link of a tree means, as `.gitmodules` says it (gitmodules(5)).

That file is upstream's. Only paths and URLs are read out of it, by git itself; a path only finds the link of a tree
that is called the same, and a URL has to be one that a recipe could name, and leads to no file of this machine unless
the recipe's own does.
"""

import re
from collections.abc import Iterator

from portside.common.git_urls import refused
from portside.common.tree import decode_path
from portside.common.url import shown
from portside.common.values import GitUrl, TreeName, shown_value, told
from portside.errors import InputError
from portside.inputs.git_mirror import Mirror

_KEY = re.compile(rb"submodule\.(?P<name>.*)\.(?P<key>path|url)", re.DOTALL)
_PARTS = re.compile(r"(?P<head>[a-z]+://[^/]*/|/|[^/:]+:)(?P<path>.*)", re.DOTALL)
_REMEDY = "Leave `submodules` out, or name the repository as a source of its own."


def declared(mirror: Mirror, tree: TreeName) -> dict[str, str]:
    """The URL of each path that the `.gitmodules` of a tree names, as it stands there.

    Raises InputError where it gives a path two URLs.
    """
    arguments = ("config", "-z", "--no-includes", "--blob", f"{tree}:.gitmodules", "--get-regexp", r"^submodule\.")
    said: dict[bytes, dict[bytes, bytes]] = {}
    for row in mirror.git(*arguments, codes=(0, 1)).split(b"\0"):
        key, _, value = row.partition(b"\n")
        if match := _KEY.fullmatch(key):
            said.setdefault(match["name"], {})[match["key"]] = value
    found: dict[str, str] = {}
    for values in said.values():
        if b"path" in values and b"url" in values:
            path, url = decode_path(values[b"path"]).rstrip("/"), decode_path(values[b"url"])
            if found.setdefault(path, url) != url:
                raise InputError(f".gitmodules gives {shown_value(path)} two URLs", _REMEDY)
    return found


def url_of(said: str, parent: GitUrl) -> GitUrl:
    """The URL that `.gitmodules` of the repository `parent` means: `./` and `../` in front are relative to that one.

    Raises InputError for one that no recipe could name, or that leads where the parent does not.
    """
    what = "the URL of a submodule"
    url = told(GitUrl, "".join(_resolved(said, parent)), what, InputError, _REMEDY)
    if (problem := refused(what, url, parent)) is not None:
        raise InputError(problem, _REMEDY)
    return url


def _resolved(said: str, parent: GitUrl) -> Iterator[str]:
    """The pieces of a URL, as git puts them together (git-submodule(1), `add`)."""
    if not said.startswith(("./", "../")):
        yield said
        return
    match = _PARTS.fullmatch(parent)
    assert match is not None, parent
    above, steps = match["path"].rstrip("/").split("/"), said.rstrip("/").split("/")
    while steps and steps[0] in (".", ".."):
        if steps.pop(0) == "..":
            if not any(above):
                raise InputError(f"a submodule's URL leads out of {shown(parent)}: {shown_value(said)}", _REMEDY)
            above.pop()
    if ".." in steps or not any(steps):
        raise InputError(f"a submodule's URL is not a clean one: {shown_value(said)}", _REMEDY)
    yield from (match["head"], "/".join([*above, *steps]))
