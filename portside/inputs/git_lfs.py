"""Files of Git LFS in git sources: what the lock has of them, and how they come from the repository's own LFS server.

The batch API (git-lfs, docs/api/batch.md, transfer `basic`) over HTTP; a repository on this machine has the files below
`lfs/objects`. Only bytes decide: a pointer has their sha256 and size. What a server says about one file goes to the
place that it names for it, and from there to no other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from portside.common.explain import explain
from portside.common.progress import say
from portside.common.tree import Tree, encode_path, file_entry
from portside.common.url import may_lead, shown
from portside.common.values import Sha256, shown_value
from portside.errors import InputError, fetch_it
from portside.inputs.bringer import Bringer
from portside.inputs.git_login import login_headers
from portside.inputs.git_mirror import Mirror
from portside.inputs.pointers import source_pointers
from portside.lock.sources import LockedGitSource, LockedLfsFile
from portside.net import transfer
from portside.net.client import PrivateUrl, WantsLoginError, post_json, same_place
from portside.net.suspect import Pointer, read_pointer
from portside.store import Store

_MEDIA = "application/vnd.git-lfs+json"
_AT_ONCE = 100
_OURS = frozenset({"host", "range", "if-range", "accept-encoding", "content-length", "transfer-encoding"})
"""Headers that a transfer says by itself."""
_NOTE = "See that the repository's LFS server has it, or say `lfs: pointers` in the recipe."

_Header = Annotated[str, Field(pattern=r"^[\x20-\x7e]*$", max_length=1 << 14)]


class _Action(BaseModel):
    href: Annotated[str, Field(min_length=1, max_length=1 << 16)]
    header: dict[_Header, _Header] = {}


class _Error(BaseModel):
    code: int
    message: str = ""


class _Object(BaseModel):
    oid: str
    size: int
    actions: dict[str, _Action] = {}
    error: _Error | None = None


class _Answer(BaseModel):
    """What the server says; keys that are not named here do not matter."""

    transfer: str = "basic"
    objects: list[_Object]


def locked(source: LockedGitSource, store: Store) -> LockedGitSource:
    """A fetched source with what its pointers stand for."""
    found = source_pointers(source, store)
    if found is None:
        raise InputError(f"{shown(source.url)} cannot be read in the store", fetch_it)
    if not found:
        say(f"  {shown(source.url)} has no pointers of Git LFS")
    files = tuple(LockedLfsFile(path=file.path, size=file.size, sha256=file.sha256) for file in found)
    return source.model_copy(update={"lfs": files})


def bring(source: LockedGitSource, bringer: Bringer) -> None:
    """The files that the source's pointers stand for into the store. Raises InputError for what cannot be had."""
    store = bringer.store
    for commit, files in _by_repository(source):
        missing = {file.sha256: file for file in files if store.inputs.verified(file.sha256) is None}
        here = [(file, [str(p) for p in _in_folders(file, bringer) if p.is_file()]) for file in missing.values()]
        asked = [file for file, places in here if not places]
        if bringer.offline and asked:
            raise InputError(f"{asked[0].path}, a file of Git LFS, is not in the store", fetch_it)
        there = dict(_places(commit, asked, bringer)) if asked else {}
        for file, places in here:
            transfer.bring(file.path, file.sha256, file.size, places or there[file.sha256], store, _NOTE)


def places_of(source: LockedGitSource, file: LockedLfsFile, bringer: Bringer) -> list[str]:
    """Where the repository of a fetched source has one file. Raises InputError where it does not say it."""
    [(commit, files)] = _by_repository(source.model_copy(update={"lfs": (file,)}))
    return dict(_places(commit, files, bringer))[file.sha256]


def is_here(source: LockedGitSource, store: Store) -> bool:
    return all(store.inputs.verified(file.sha256) is not None for file in source.lfs)


def filled(tree: Tree, source: LockedGitSource, store: Store) -> Tree:
    """A source's tree with the files in place of their pointers. Raises InputError where the lock has others."""
    files = {file.path: file for file in source.lfs}
    result = Tree()
    for entry in tree:
        file = files.pop(_called(entry.path), None) if entry.kind == "file" else None
        if file is not None:
            if read_pointer(entry.read()) != Pointer(file.sha256, file.size):
                raise _edited(file)
            content = store.inputs.require(file.sha256, file.path)
            entry = replace(entry, size=file.size, sha256=file.sha256, content=content)
        result.put(entry)
    for file in files.values():
        raise _edited(file)
    return result


def with_pointers(tree: Tree, source: LockedGitSource) -> Tree:
    """The other way round, where each file is the locked one; pointers are as git-lfs writes them (docs/spec.md)."""
    files = {file.path: file for file in source.lfs}
    result = Tree()
    for entry in tree:
        file = files.get(_called(entry.path)) if entry.kind == "file" else None
        if file is not None and (entry.sha256, entry.size) == (file.sha256, file.size):
            text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{file.sha256}\nsize {file.size}\n"
            entry = file_entry(entry.path, text.encode(), entry.mode)
        result.put(entry)
    return result


def _called(path: str) -> str:
    """What a lock calls a path."""
    return encode_path(path).decode("utf-8", "backslashreplace")


def _edited(file: LockedLfsFile) -> InputError:
    remedy = "The lock was edited or is damaged. Restore it, or lock anew: invoke lock --recipe {} --update all"
    return InputError(f"the lock says {file.path} is a file of Git LFS, the source has another there", remedy.format)


def _by_repository(source: LockedGitSource) -> Iterator[tuple[LockedGitSource, list[LockedLfsFile]]]:
    """The files with the commit that each is in: of a submodule, the innermost."""
    places = dict(source.placed())
    found: dict[str, list[LockedLfsFile]] = {}
    for file in source.lfs:
        at = max((at for at in places if not at or file.path.startswith(f"{at}/")), key=len)
        found.setdefault(at, []).append(file)
    yield from ((places[at], files) for at, files in sorted(found.items()))


def _in_folders(file: LockedLfsFile, bringer: Bringer) -> Iterator[Path]:
    name = file.path.rpartition("/")[2]
    yield from (folder / name for folder in bringer.config.folder_paths)


def _places(
    commit: LockedGitSource, files: Sequence[LockedLfsFile], bringer: Bringer
) -> Iterator[tuple[Sha256, list[str]]]:
    """Where the repository of a fetched commit has its files."""
    mirror = Mirror(commit.url, bringer.config, bringer.store)
    own = mirror.real_url()
    said = _said_server(mirror, commit)
    real = own if said is None else mirror.real_url_of(said)
    _check_server(own, real)
    if (local := real.removeprefix("file://")).startswith("/"):
        for file in files:
            below = Path("lfs/objects", file.sha256[:2], file.sha256[2:4], file.sha256)
            yield file.sha256, [str(Path(local, inner, below)) for inner in (".git", "")]
        return
    # What names a server by http(s) names the very one; everything else is the URL of a repository.
    endpoint = real.rstrip("/") if said is not None and real.startswith(("http://", "https://")) else _endpoint(real)
    for start in range(0, len(files), _AT_ONCE):
        yield from _asked(endpoint, files[start : start + _AT_ONCE], mirror.environment)


def _said_server(mirror: Mirror, commit: LockedGitSource) -> str | None:
    """The LFS server that the machine's git settings name (`lfs.url`), else the commit's own file `.lfsconfig`
    (git-lfs-config(5)); None where neither does."""
    for arguments in (("config", "--get", "lfs.url"), *_in_lfsconfig(mirror, commit)):
        if said := mirror.git(*arguments, codes=(0, 1)).decode("utf-8", "replace").strip():
            return said
    return None


def _in_lfsconfig(mirror: Mirror, commit: LockedGitSource) -> Iterator[tuple[str, ...]]:
    """git's commands that read the server out of the commit's `.lfsconfig`, if it has one."""
    rows = mirror.git("ls-tree", "-z", "--full-tree", commit.tree, ".lfsconfig").split(b"\0")[:-1]
    if any(row.startswith(b"100") for row in rows):
        for key in ("lfs.url", "remote.origin.lfsurl"):
            yield ("config", "--no-includes", "--blob", f"{commit.tree}:.lfsconfig", "--get", key)


def _check_server(own: str, server: str) -> None:
    """Raise InputError where a repository names an LFS server by a worse way than it was reached itself."""
    if own == server:
        return
    scheme = server.partition("://")[0].lower() if "://" in server else ""
    local = own.removeprefix("file://").startswith("/")
    allowed = ("http", "https", "file", "") if local else ("http", "https") if own.startswith("http://") else ("https",)
    if scheme not in allowed or (scheme == "" and not server.startswith("/")):
        raise InputError(
            f"{shown(own)} names the LFS server {shown(server)}, which is refused",
            "Name a mirror of that place in portside.toml (mirrors.git), or say `lfs: pointers` in the recipe.",
        )


def _endpoint(url: str) -> str:
    """A repository's LFS server (git-lfs, docs/api/server-discovery.md): for SSH by https, at the same host."""
    if url.startswith("ssh://"):
        host, _, path = url.removeprefix("ssh://").rpartition("@")[2].partition("/")
        url = f"https://{host.partition(':')[0]}/{path}"
    elif "://" not in url:
        host, _, path = url.rpartition("@")[2].partition(":")
        url = f"https://{host}/{path.lstrip('/')}"
    url = url.rstrip("/")
    return f"{url if url.endswith('.git') else f'{url}.git'}/info/lfs"


def _asked(
    endpoint: str, files: Sequence[LockedLfsFile], environment: Mapping[str, str]
) -> Iterator[tuple[Sha256, list[str]]]:
    wanted = {file.sha256: file for file in files}
    question = {
        "operation": "download",
        "transfers": ["basic"],
        "objects": [{"oid": file.sha256, "size": file.size} for file in wanted.values()],
        "hash_algo": "sha256",
    }
    what = f"the LFS server {shown(endpoint)}"
    url, login = f"{endpoint}/objects/batch", dict[str, str]()
    try:
        value = post_json(url, question, _MEDIA, what)
    except WantsLoginError as error:
        login = login_headers(url, environment) or {}
        if not login:
            remedy = "Put it into ~/.netrc, into a credential helper of git, or into the URL of a mirror (mirrors.git)."
            raise InputError(error.problem, remedy) from None
        value = post_json(PrivateUrl(url, login), question, _MEDIA, what)
    answer = _read(value, what)
    told = {found.oid: found for found in answer.objects}
    for sha256, file in wanted.items():
        found = told.get(sha256)
        if found is not None and found.error is not None:
            text = shown_value(found.error.message)
            raise InputError(f"{what} does not give {file.path}: {found.error.code} {text}", _NOTE)
        action = found.actions.get("download") if found is not None else None
        if action is None:
            raise InputError(f"{what} does not say where {file.path} is", _NOTE)
        if not may_lead(endpoint, action.href):
            raise InputError(f"{what} leads to {shown(action.href)} for {file.path}, which is refused", _NOTE)
        private = {name: value for name, value in action.header.items() if name.lower() not in _OURS}
        if login and same_place(endpoint, action.href) and not any(n.lower() == "authorization" for n in private):
            private |= login
        yield sha256, [PrivateUrl(action.href, private)]


def _read(value: Any, what: str) -> _Answer:
    try:
        answer = _Answer.model_validate(value)
    except ValidationError as error:
        raise InputError(f"{what} gives no answer of git-lfs: {explain(error, _Answer, {})[0]}", _NOTE) from None
    if answer.transfer != "basic":
        raise InputError(f"{what} offers {shown_value(answer.transfer)} alone, and not `basic`", _NOTE)
    return answer
