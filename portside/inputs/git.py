"""Git sources: exact trees out of git's own objects, kept in bare mirrors below the store.

No checkout and no `git archive` is involved, so no filter, no line-end conversion and no export-ignore changes
anything; what a large-file pointer stands for is not fetched.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from portside.common.progress import say
from portside.common.tree import Entry, Tree, check_path, decode_path, encode_path
from portside.common.url import holds_secret, shown
from portside.common.values import CommitName, GitUrl, ObjectName, TreeName, shown_value, told
from portside.config import Config
from portside.errors import InputError, RecipeError, did_you_mean, fetch_it
from portside.inputs.git_mirror import Blobs, Mirror
from portside.inputs.git_names import is_gits_own
from portside.inputs.git_submodules import declared, url_of
from portside.inputs.spool import Spool
from portside.lock.packages import LATEST
from portside.lock.sources import LockedGitSource, LockedSubmodule

if TYPE_CHECKING:
    from portside.store import Store

_OBJECT = re.compile(r"[0-9a-f]{40}")
_MOST_SHOWN = 5
MOST_SUBMODULES = 1000
"""Commits that one source may consist of: repositories that have each other twice soon are very many."""


def resolve(url: str, revision: str, config: Config, store: "Store", submodules: bool = False) -> LockedGitSource:
    """Find out which commit and tree a revision is, and fetch it.

    revision: `refs/tags/NAME`, `refs/heads/NAME`, or the name of a commit (7 to 40 hex digits). submodules: whether
    they are fetched too, and theirs. Raises RecipeError for a URL that no lock may hold, InputError where there is no
    such revision, or several, or where a submodule cannot be had.
    """
    _check_url(url)
    mirror = Mirror(url, config, store)
    with mirror.locked():
        if revision.startswith("refs/"):
            commit = _of_ref(mirror, url, revision)
        elif _OBJECT.fullmatch(revision):
            mirror.need(revision)
            commit = mirror.name_of(f"{revision}^{{commit}}", revision)
        else:
            commit = _of_digits(mirror, url, revision)
        mirror.need(commit)
        tree_name = mirror.tree_of(commit, revision)
        source = LockedGitSource(url=url, commit=commit, tree=tree_name, epoch=_date(mirror, commit))
    if not submodules:
        empty = [path for mode, _, path in _rows(mirror, tree_name) if mode == "160000"]
        if empty:
            listed = ", ".join(empty[:_MOST_SHOWN] + ["…"] * (len(empty) > _MOST_SHOWN))
            say(f"  {shown(url)} has submodules, empty folders without `submodules: true`: {listed}")
        return source
    return source.model_copy(update={"submodules": tuple(_submodules(source, config, store))})


def _submodules(source: LockedGitSource, config: Config, store: "Store") -> list[LockedSubmodule]:
    """The submodules of a fetched commit, and theirs, fetched and sorted by path."""
    found: list[LockedSubmodule] = []
    pending = [("", source.url, source.tree)]
    while pending:
        above, parent, tree_name = pending.pop()
        mirror = Mirror(parent, config, store)
        rows = list(_rows(mirror, tree_name))
        urls = declared(mirror, tree_name) if (".gitmodules", "100") in {(row[2], row[0][:3]) for row in rows} else {}
        for mode, commit, path in rows:
            if mode != "160000":
                continue
            if path not in urls:
                say(f"  {above}{path}: an empty folder, since .gitmodules does not say which repository it is")
                continue
            if len(found) == MOST_SUBMODULES:
                raise InputError(f"{shown(source.url)} has more than {MOST_SUBMODULES} submodules", "Leave them out.")
            try:
                module = _submodule(f"{above}{path}", commit, url_of(urls[path], parent), config, store)
            except InputError as error:
                problem = f"the submodule {shown_value(above + path)} cannot be had: {error.problem}"
                raise InputError(problem, error.remedy) from None
            found.append(module)
            pending.append((f"{module.path}/", module.url, module.tree))
    return sorted(found, key=lambda module: module.path)


def _submodule(path: str, commit: str, url: GitUrl, config: Config, store: "Store") -> LockedSubmodule:
    if encode_path(path).decode("utf-8", "replace") != path:
        raise InputError("its path is not UTF-8, and a lock has no other", "Leave `submodules` out.")
    mirror = Mirror(url, config, store)
    with mirror.locked():
        mirror.need(commit)
        name = told(ObjectName, commit, "the name of its commit")
        return LockedSubmodule(path=path, url=url, commit=name, tree=mirror.tree_of(commit, commit))


def newest(url: str, ref: str, config: Config, store: "Store") -> ObjectName:
    """What one of the server's branches and tags is now; nothing is fetched. Raises InputError where it is none."""
    mirror = Mirror(url, config, store)
    with mirror.locked():
        return _asked_ref(mirror, url, ref)


def revision_of(url: str, name: str, config: Config, store: "Store") -> tuple[str, str]:
    """What a person means by a name in a repository, "" for what its server checks out: a tag, a branch, or the name of
    a commit, in this order; as `resolve` takes it, and in words. Raises RecipeError for a URL that no lock may hold,
    InputError where nothing there has the name."""
    _check_url(url)
    mirror = Mirror(url, config, store)
    with mirror.locked():
        refs = mirror.remote_refs()
    if not name:
        if (head := refs.get("HEAD")) is None:
            raise InputError(f"{shown(url)} has no commit that is checked out by default", "Name a branch: URL@BRANCH.")
        branches = [_named(ref)[1] for ref, commit in refs.items() if commit == head and _named(ref)[0] == "branch"]
        best = next((branch for branch in ("main", "master", *branches) if branch in branches), "HEAD")
        return told(ObjectName, head, f"{shown(url)}: the name of its HEAD"), f"branch {best}"
    for key, folder in (("tag", "tags"), ("branch", "heads")):
        if f"refs/{folder}/{name}" in refs:
            return f"refs/{folder}/{name}", f"{key} {name}"
    if re.fullmatch(CommitName.PATTERN, name):
        return name, ""
    known = [found for key, found in map(_named, refs) if key]
    raise InputError(
        f"{shown(url)} has no tag, branch or commit {shown_value(name)}",
        f"{did_you_mean(name, known)}Name one of them behind the @.",
    )


def _asked_ref(mirror: Mirror, url: str, ref: str) -> ObjectName:
    refs = mirror.remote_refs()
    key, name = _named(ref)
    if ref not in refs:
        other = "branch" if key == "tag" else "tag"
        by_key = {kind: [n for k, n in map(_named, refs) if k == kind] for kind in ("tag", "branch")}
        if name in by_key[other]:
            remedy = f"It is a {other} there: say `{other}: {name}`."
        else:
            remedy = f"{did_you_mean(name, by_key[key])}Correct the source's {key} in the recipe."
        raise InputError(f"{shown(url)} has no {key} {name}", remedy)
    return told(ObjectName, refs.get(f"{ref}^{{}}", refs[ref]), f"{shown(url)}: the name of the {key} {name}")


def _of_ref(mirror: Mirror, url: str, ref: str) -> ObjectName:
    """The commit of one of the server's branches and tags."""
    found = _asked_ref(mirror, url, ref)
    mirror.need(found)
    if (kind := mirror.type_of(found)) != "commit":
        key, name = _named(ref)
        raise InputError(f"the {key} {name} of {shown(url)} is a {kind}, no commit", "Name another, or a commit.")
    return found


def _of_digits(mirror: Mirror, url: str, digits: str) -> ObjectName:
    """The one commit of a repository whose name begins with these digits, which its server cannot be asked for."""
    same = [key for key, name in map(_named, mirror.remote_refs()) if name == digits and key]
    if same:
        raise InputError(
            f"{shown(url)} has a {same[0]} {digits}, so these digits name no commit for sure",
            f"Say `{same[0]}: {digits}`, or the full name of the commit.",
        )
    mirror.fetch_everything()
    found = mirror.commits(digits)
    if len(found) != 1:
        listed = [f"  {name}" for name in found[:_MOST_SHOWN]] + ["  …"] * (len(found) > _MOST_SHOWN)
        raise InputError(
            "\n".join([f"{shown(url)} has {len(found)} commits that begin with {digits}:", *listed])
            if found
            else f"{shown(url)} has no commit that begins with {digits}",
            "Say more of its digits." if found else "Correct the source's commit in the recipe.",
        )
    mirror.keep(found[0])
    return ObjectName(found[0])


def _named(ref: str) -> tuple[str, str]:
    """The key of a recipe that a ref belongs to, if there is one, and its name without what is in front."""
    for prefix, key in (("refs/tags/", "tag"), ("refs/heads/", "branch")):
        if ref.startswith(prefix) and not ref.endswith("^{}"):
            return key, ref.removeprefix(prefix)
    return "", ref


def fetch(source: LockedGitSource, store: "Store", config: Config, offline: bool) -> None:
    """Bring the source's commit into the store, and those of its submodules; no network is used if they are there.

    Raises InputError if it cannot be had or is not what the lock says.
    """
    for _, commit in source.placed():
        _check_url(commit.url)
        mirror = Mirror(commit.url, config, store)
        with mirror.locked():
            if offline and not mirror.has(commit.commit):
                raise InputError(f"commit {commit.commit} of {shown(commit.url)} is not in the store", fetch_it)
            mirror.need(commit.commit)
        _check_tree(mirror, commit)


def is_here(source: LockedGitSource, store: "Store") -> bool:
    """Whether the store has the source's commit with all its objects."""
    return all(Mirror(commit.url, None, store).has(commit.commit) for _, commit in source.placed())


def date(source: LockedGitSource, store: "Store") -> int:
    """The committer's time of a fetched commit, seconds since 1970 (UTC)."""
    return _date(Mirror(source.url, None, store), source.commit)


def tree(source: LockedGitSource, store: "Store", spool: Spool) -> Tree:
    """The files of a fetched commit, modes 0644 and 0755, links as they are, every time the commit's.

    Every file's bytes are checked against git's name for them. A submodule has its files where the lock has it, else it
    is the empty folder that a plain clone shows. The contents live as long as `spool`.
    """
    result = Tree()
    links: dict[str, str] = {}
    mtime = date(source, store)
    for at, commit in source.placed():
        if at and links.get(at) != commit.commit:
            raise _edited(f"the lock has the submodule {at} at {commit.commit}, the source at {links.get(at)}")
        for entry in _commit_tree(commit, store, spool, mtime, links, at):
            result.put(entry)
    return result


def _commit_tree(
    source: LockedGitSource, store: "Store", spool: Spool, mtime: int, links: dict[str, str], above: str
) -> Iterator[Entry]:
    """The files of one commit, below a path. links: gets the commits of its submodules, by path."""
    mirror = Mirror(source.url, None, store)
    _check_tree(mirror, source)
    with Blobs(mirror) as blobs:
        for mode, name, inner in _rows(mirror, source.tree):
            if is_gits_own(inner):
                raise InputError(f"{shown(source.url)} holds a path that git itself refuses: {inner}")
            path = f"{above}/{inner}" if above else inner
            if mode == "160000":
                links[path] = name
                yield Entry(path, "dir", 0o755, mtime=mtime)
                continue
            content, sha256 = blobs.read(name, spool)
            if mode == "120000":
                with content.open() as stream:
                    link = decode_path(stream.read())
                yield Entry(path, "symlink", 0o777, mtime=mtime, link=link)
                continue
            bits = 0o755 if mode == "100755" else 0o644
            yield Entry(path, "file", bits, mtime=mtime, size=content.size, sha256=sha256, content=content)


def _date(mirror: Mirror, commit: str) -> int:
    text = mirror.git("show", "-s", "--format=%ct", commit).decode("ascii", "replace").strip()
    if not re.fullmatch(r"-?[0-9]{1,11}", text) or int(text) > LATEST:
        raise InputError(
            f"the commit {commit} says no date that there is", "Name another commit: the times of files come from it."
        )
    return max(0, int(text))


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
        raise _edited(
            f"commit {source.commit} of {shown(source.url)} has the tree {found}, the lock says {source.tree}"
        )


def _edited(problem: str) -> InputError:
    remedy = "The lock was edited or is damaged. Restore it, or lock anew: invoke lock --recipe {} --update all"
    return InputError(problem, remedy.format)


def _rows(mirror: Mirror, tree_name: TreeName) -> Iterator[tuple[str, str, str]]:
    """(mode, object name, path) of everything in a tree but its folders."""
    listing = mirror.git("ls-tree", "-r", "-z", "--full-tree", tree_name)
    for row in listing.split(b"\0")[:-1]:
        facts, _, path = row.partition(b"\t")
        mode, _, name = facts.decode("ascii").split(" ")
        yield mode, name, check_path(decode_path(path))
