"""Git sources: exact trees out of git's own objects, kept in bare mirrors below the store.

No checkout and no `git archive` is involved, so no filter, no line-end conversion and no export-ignore changes
anything; what a large-file pointer stands for is not fetched.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from portside.common.tree import Entry, Tree, check_path, decode_path
from portside.common.url import holds_secret, shown
from portside.common.values import GitUrl, TreeName, told
from portside.config import Config
from portside.errors import InputError, RecipeError, fetch_it
from portside.inputs.git_mirror import Blobs, Mirror
from portside.inputs.git_names import is_gits_own
from portside.inputs.spool import Spool
from portside.lock.models import LockedGitSource

if TYPE_CHECKING:
    from portside.store import Store

Submodules = Literal["refuse", "empty"]

_OBJECT = re.compile(r"[0-9a-f]{40}")
_ABBREVIATED = re.compile(r"[0-9a-f]{7,39}")


def resolve(url: str, revision: str, config: Config, store: "Store") -> LockedGitSource:
    """Find out which commit and tree a revision is, and fetch it.

    revision: a tag, a branch, HEAD, or a commit (7 to 40 hex digits). A tag goes before a branch of its name.
    Raises RecipeError for a URL that no lock may hold, InputError where there is no such revision.
    """
    _check_url(url)
    mirror = Mirror(url, config, store)
    with mirror.locked():
        if _OBJECT.fullmatch(revision):
            commit = revision
            mirror.need(commit)
        elif (found := mirror.remote_commit(revision)) is not None:
            commit = found
            mirror.need(commit)
        elif _ABBREVIATED.fullmatch(revision):
            mirror.fetch_everything()
            commit = revision
        else:
            raise InputError(
                f"{shown(url)} has no branch, tag or commit {revision}", "Correct the source's revision in the recipe."
            )
        commit = mirror.name_of(f"{commit}^{{commit}}", revision)
        mirror.need(commit)
        tree_name = mirror.tree_of(commit, revision)
        return LockedGitSource(url=url, commit=commit, tree=tree_name, epoch=_date(mirror, commit))


def fetch(source: LockedGitSource, store: "Store", config: Config, offline: bool) -> None:
    """Bring the source's commit into the store; no network is used if it is there.

    Raises InputError if it cannot be had or is not what the lock says.
    """
    _check_url(source.url)
    mirror = Mirror(source.url, config, store)
    with mirror.locked():
        if offline and not mirror.has(source.commit):
            raise InputError(
                f"commit {source.commit} of {shown(source.url)} is not in the store",
                fetch_it,
            )
        mirror.need(source.commit)
    _check_tree(mirror, source)


def is_here(source: LockedGitSource, store: "Store") -> bool:
    """Whether the store has the source's commit with all its objects."""
    return Mirror(source.url, None, store).has(source.commit)


def date(source: LockedGitSource, store: "Store") -> int:
    """The committer's time of a fetched commit, seconds since 1970 (UTC)."""
    return _date(Mirror(source.url, None, store), source.commit)


def tree(source: LockedGitSource, store: "Store", spool: Spool, submodules: Submodules = "refuse") -> Tree:
    """The files of a fetched commit, modes 0644 and 0755, links as they are, every time the commit's.

    Every file's bytes are checked against git's name for them. A submodule becomes the empty folder that a plain
    clone shows, if `submodules` says "empty" or if .gitmodules does not say where it is to be had; else InputError.
    The contents live as long as `spool`.
    """
    mirror = Mirror(source.url, None, store)
    _check_tree(mirror, source)
    mtime = _date(mirror, source.commit)
    rows = list(_rows(mirror, source.tree))
    declared = _submodules(mirror, source.tree, rows)
    result = Tree()
    with Blobs(mirror) as blobs:
        for mode, name, path in rows:
            if is_gits_own(path):
                raise InputError(f"{shown(source.url)} holds a path that git itself refuses: {path}")
            if mode == "160000":
                if submodules == "refuse" and path in declared:
                    raise InputError(
                        f"{path} in {shown(source.url)} is a submodule, which is not part of the commit",
                        "Name it as a source of its own and let the recipe accept the empty folder.",
                    )
                result.put(Entry(path, "dir", 0o755, mtime=mtime))
                continue
            content, sha256 = blobs.read(name, spool)
            if mode == "120000":
                with content.open() as stream:
                    link = decode_path(stream.read())
                result.put(Entry(path, "symlink", 0o777, mtime=mtime, link=link))
                continue
            bits = 0o755 if mode == "100755" else 0o644
            result.put(Entry(path, "file", bits, mtime=mtime, size=content.size, sha256=sha256, content=content))
    return result


def _date(mirror: Mirror, commit: str) -> int:
    return max(0, int(mirror.git("show", "-s", "--format=%ct", commit).decode()))


def _check_url(url: str) -> None:
    told(GitUrl, url, "not a URL of a git repository", RecipeError, "Use https://, ssh://, git@HOST:PATH or a path.")
    if holds_secret(url):
        raise RecipeError(
            f"the URL of {shown(url)} holds a password or token, which must not get into a lock",
            "Leave it out; git asks its credential helper or ~/.netrc, and mirrors.git in portside.toml may hold it.",
        )


def _check_tree(mirror: Mirror, source: LockedGitSource) -> None:
    found = mirror.tree_of(source.commit, source.commit)
    if found != source.tree:
        raise InputError(
            f"commit {source.commit} of {shown(source.url)} has the tree {found}, the lock says {source.tree}",
            lambda recipe: (
                "The lock was edited or is damaged. Restore it, or lock anew: "
                f"invoke lock --recipe {recipe} --update all"
            ),
        )


def _rows(mirror: Mirror, tree_name: TreeName) -> Iterator[tuple[str, str, str]]:
    """(mode, object name, path) of everything in a tree but its folders."""
    listing = mirror.git("ls-tree", "-r", "-z", "--full-tree", tree_name)
    for row in listing.split(b"\0")[:-1]:
        facts, _, path = row.partition(b"\t")
        mode, _, name = facts.decode("ascii").split(" ")
        yield mode, name, check_path(decode_path(path))


def _submodules(mirror: Mirror, tree_name: TreeName, rows: Sequence[tuple[str, str, str]]) -> frozenset[str]:
    """The paths that .gitmodules names."""
    if not any(path == ".gitmodules" and mode.startswith("100") for mode, _, path in rows):
        return frozenset()
    arguments = ("config", "-z", "--blob", f"{tree_name}:.gitmodules", "--get-regexp", r"^submodule\..*\.path$")
    listing = mirror.git(*arguments, codes=(0, 1))
    return frozenset(decode_path(row.partition(b"\n")[2]) for row in listing.split(b"\0") if row)
