"""Weights out of a repository of Hugging Face's hub, or of a server that answers as it does.

The interface, as its own client uses it (huggingface_hub, hf_api.py, file_download.py, utils/_http.py):

    GET /api/models/REPO/revision/REV          {"sha": COMMIT, "gated": false | "auto" | "manual", …}
    GET /api/models/REPO/tree/COMMIT?recursive=true&expand=false
        [{"type": "file", "path": …, "size": BYTES, "oid": GIT BLOB,
          "lfs": {"oid": SHA256, "size": BYTES, "pointerSize": BYTES}, "xetHash": …}, {"type": "directory", …}, …]
        pages by the header Link: <URL>; rel="next"
    GET /REPO/resolve/COMMIT/PATH              the bytes, for LFS and Xet through a redirect to another host

`lfs` and `xetHash` are there for files that git has a pointer of; a file of Xet has `lfs` as well, whose oid is the
sha256 of all its bytes. Errors say why in X-Error-Code (GatedRepo, RepoNotFound, RevisionNotFound, EntryNotFound) and
X-Error-Message.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urljoin

from pydantic import BaseModel, Field, ValidationError

from portside.common.explain import explain
from portside.common.tree import Content
from portside.common.url import redact
from portside.common.values import ObjectName, Sha256, Size, shown_value, told
from portside.config import Config
from portside.errors import InputError, did_you_mean
from portside.inputs import file_weights
from portside.inputs.bringer import Bringer, Look, Moved, Sources
from portside.inputs.hub_files import (
    MOST_FILES,
    HubFile,
    Listing,
    at,
    closed_note,
    commit_of,
    first_answer,
    locked_files,
    places_of,
    safe_path,
)
from portside.inputs.hubs import HubEndpoint, token_hint
from portside.lock.models import LockedHuggingFaceWeights, LockedWeightFile
from portside.net.ask import Reply, ask
from portside.net.client import same_place
from portside.recipe.weights import HuggingFaceWeights
from portside.store import Store

KIND = "huggingface"
bring = None
_NEXT = re.compile(r'<([^>]*)>\s*;\s*(?:[^,]*;\s*)?rel="?next"?')


class _TreeLfs(BaseModel):
    oid: str
    size: Size


class _TreeRow(BaseModel):
    """Keys that are not named here do not matter."""

    type: str
    path: str
    size: Size = Size(0)
    oid: str = ""
    lfs: _TreeLfs | None = None
    xet_hash: str | None = Field(None, alias="xetHash")


class _TreePage(BaseModel):
    rows: list[_TreeRow]


def resolve(asked: HuggingFaceWeights, bringer: Bringer, look: Look, sources: Sources) -> LockedHuggingFaceWeights:
    """Raises InputError where the hub has no such repository or revision, does not give it, or contradicts itself."""
    name = asked.huggingface

    def listing(endpoint: HubEndpoint) -> Listing:
        info = _info(endpoint, name, asked.revision)
        commit = commit_of(info.get("sha"), at(endpoint))
        closed = _closed(endpoint, name, commit) if info.get("gated") else None
        return Listing(commit, list(_files(endpoint, name, commit)), closed)

    endpoint, found = first_answer(KIND, bringer.config, listing)
    files = locked_files(asked, endpoint, found, lambda e, path: _url(e, name, found.commit, path), bringer)
    return LockedHuggingFaceWeights(epoch=0, huggingface=name, commit=found.commit, files=files)


def places(weights: LockedHuggingFaceWeights, file: LockedWeightFile, bringer: Bringer, sources: Sources) -> list[str]:
    return places_of(
        KIND, lambda endpoint: _url(endpoint, weights.repository, weights.commit, file.path), bringer.config
    )


def page(weights: LockedHuggingFaceWeights) -> str:
    return f"{KIND}: {weights.repository} at {weights.commit[:12]}"


def closed(weights: LockedHuggingFaceWeights, config: Config) -> str:
    return closed_note(KIND, weights.repository, "", config)


def moved(asked: HuggingFaceWeights, weights: LockedHuggingFaceWeights, bringer: Bringer) -> Moved | None:
    def now(endpoint: HubEndpoint) -> Listing:
        info = _info(endpoint, asked.huggingface, asked.revision)
        return Listing(commit_of(info.get("sha"), at(endpoint)), ())

    commit = first_answer(KIND, bringer.config, now)[1].commit
    return Moved(asked.revision, weights.commit, commit) if commit != weights.commit else None


def content(weights: LockedHuggingFaceWeights, file: LockedWeightFile, store: Store) -> Content:
    return file_weights.content(weights, file, store)


def _url(endpoint: HubEndpoint, name: str, commit: str, path: str) -> str:
    return endpoint.at(f"/{name}/resolve/{commit}/{quote(path)}")


def _info(endpoint: HubEndpoint, name: str, revision: str) -> dict[str, Any]:
    what = f"{at(endpoint)}: {name}"
    reply = ask(endpoint.at(f"/api/models/{name}/revision/{quote(revision, safe='')}"), what)
    if reply.status != 200:
        raise _refused(endpoint, name, reply, revision)
    value = reply.json(what)
    if not isinstance(value, dict):
        raise InputError(f"{what} answers with something else than a model", _NO_HUB)
    return value


def _files(endpoint: HubEndpoint, name: str, commit: ObjectName) -> Iterator[HubFile]:
    what = f"{at(endpoint)}: {name}"
    url, count = endpoint.at(f"/api/models/{name}/tree/{commit}?recursive=true&expand=false"), 0
    while url:
        reply = ask(url, what)
        if reply.status != 200:
            raise _refused(endpoint, name, reply, commit)
        try:
            rows = _TreePage.model_validate({"rows": reply.json(what)}).rows
        except ValidationError as error:
            raise InputError(f"{what} gives no list of files: {explain(error, _TreePage, {})[0]}", _NO_HUB) from None
        count += len(rows)
        if count > MOST_FILES:
            raise InputError(f"{what} has more than {MOST_FILES} files", "Take those that are needed, with `files`.")
        yield from (_file(row, what) for row in rows if row.type == "file")
        link = _NEXT.search(reply.headers.get("link", ""))
        url = _next(endpoint, urljoin(reply.url, link[1]), what) if link is not None and rows else ""


def _next(endpoint: HubEndpoint, url: str, what: str) -> str:
    if not same_place(endpoint.url, url):
        raise InputError(f"{what} leads to another host for the rest of its list, which is refused", _NO_HUB)
    return endpoint.also(url)


def _file(row: _TreeRow, what: str) -> HubFile:
    path = safe_path(row.path, what)
    said = f"{what}: {path}"
    if row.lfs is None:
        if row.xet_hash is not None:
            raise InputError(f"{said} is a file of Xet, and its sha256 is not said", _NO_HUB)
        return HubFile(path, row.size, blob=told(ObjectName, row.oid, f"{said}: git's name"))
    if row.size != row.lfs.size:
        raise InputError(f"{said} has {row.size} bytes, and as a file of LFS {row.lfs.size}", _NO_HUB)
    sha256 = told(Sha256, row.lfs.oid.removeprefix("sha256:"), f"{said}: its sha256")
    return HubFile(path, row.size, sha256=sha256)


_NO_HUB = "That is no answer of a hub: name another endpoint, by HF_ENDPOINT or mirrors.huggingface in portside.toml."


def _closed(endpoint: HubEndpoint, name: str, commit: ObjectName) -> InputError | None:
    """Why a repository that is gated gives us no files, None where it does."""
    reply = ask(
        _url(endpoint, name, commit, "README.md"), f"{at(endpoint)}: {name}", {"Range": "bytes=0-0"}, body=False
    )
    return _refused(endpoint, name, reply, commit) if reply.status in (401, 403) else None


def _refused(endpoint: HubEndpoint, name: str, reply: Reply, revision: str) -> InputError:
    """What an answer means that is none (huggingface_hub, utils/_http.py, hf_raise_for_status)."""
    code = reply.headers.get("x-error-code", "")
    words = [word for value in endpoint.headers.values() for word in value.replace("=", " ").split()]
    message = shown_value(redact(reply.headers.get("x-error-message", ""), words))[1:-1]
    what, said = f"{at(endpoint)}: {name}", f" ({message})" if message else ""
    page = f"{endpoint.page}/{name}"
    if code == "GatedRepo":
        return InputError(
            f"{what} is gated: its files are for accounts that its owner has let in{said}",
            f"Open {page} in a browser, log in and ask for access; then {token_hint(KIND)}.",
        )
    if code == "RevisionNotFound":
        return InputError(
            f"{what} has no revision {revision}",
            f"{did_you_mean(revision, ('main',))}Correct `revision`: a branch, a tag or a commit; see {page}.",
        )
    if reply.status == 401 and "credentials" in message.lower():
        return InputError(f"{what} does not take the token{said}", f"Make a new one, and {token_hint(KIND)}.")
    if code == "RepoNotFound" or reply.status in (401, 404):
        return InputError(
            f"{what} is not there, or not for everybody{said}",
            f"Correct its name; see {page}. If it is private, {token_hint(KIND)}.",
        )
    if reply.status == 429:
        return InputError(f"{what}: too many requests{said}", f"Try again later; for more of them, {token_hint(KIND)}.")
    return InputError(f"{what}: the server says {reply.status} {reply.reason}".rstrip() + said)
