"""Weights out of a repository of ModelScope, or of a server that answers as it does.

The interface, as its own client uses it (modelscope, hub/api.py, get_model_files; hub/file_download.py,
get_file_download_url; tests/hub/test_hub_retry.py for an answer):

    GET /api/v1/models/OWNER/NAME/repo/files?Revision=REV&Recursive=true
        {"Code": 200, "Success": true, "Message": …, "Data": {"Files": [{"Path": …, "Name": …, "Type": "blob" | "tree",
         "Size": BYTES, "Sha256": …, "IsLFS": …, "Revision": the commit that changed it last, "Mode": "33188"}, …],
         "LatestCommitter": {"Id": COMMIT, "ShortId": …, …}}}
    GET /api/v1/models/OWNER/NAME/repo?Revision=REV&FilePath=PATH     the bytes, for LFS through a redirect

`Sha256` is of the bytes, of LFS or not. Where the answer does not say the commit (`Id` may be empty), the repository's
git does, at /OWNER/NAME.git.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ValidationError

from portside.common.explain import explain
from portside.common.tree import Content
from portside.common.url import redact
from portside.common.values import ObjectName, Sha256, Size, shown_value, told
from portside.config import Config
from portside.errors import InputError
from portside.inputs import file_weights
from portside.inputs.bringer import Bringer, Look, Moved, Sources
from portside.inputs.git_mirror import Mirror
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
from portside.lock.models import COMMIT, LockedModelScopeWeights, LockedWeightFile
from portside.net.ask import Reply, ask
from portside.recipe.weights import ModelScopeWeights
from portside.store import Store

KIND = "modelscope"
bring = None


class _RepoFile(BaseModel):
    """Keys that are not named here do not matter."""

    Path: str
    Type: str = "blob"
    Size: Size
    Sha256: str | None = None


class _Committer(BaseModel):
    Id: str | None = None


class _RepoData(BaseModel):
    Files: list[_RepoFile]
    LatestCommitter: _Committer | None = None
    TotalCount: int | None = None


class _RepoFiles(BaseModel):
    Data: _RepoData


def resolve(asked: ModelScopeWeights, bringer: Bringer, look: Look, sources: Sources) -> LockedModelScopeWeights:
    """Raises InputError where the hub has no such repository or revision, does not give it, or contradicts itself."""
    name = asked.modelscope

    def listing(endpoint: HubEndpoint) -> Listing:
        commit = _commit(endpoint, name, asked.revision, bringer)
        data = _data(endpoint, name, commit)
        said = data.LatestCommitter.Id if data.LatestCommitter is not None else None
        if said and said != commit:
            raise InputError(f"{at(endpoint)}: {name}: of {commit} was asked, {shown_value(said)} is said", _NO_HUB)
        return Listing(commit, _files(data, f"{at(endpoint)}: {name}"))

    endpoint, found = first_answer(KIND, bringer.config, listing)
    files = locked_files(asked, endpoint, found, lambda e, path: _url(e, name, found.commit, path), bringer)
    return LockedModelScopeWeights(epoch=0, modelscope=name, commit=found.commit, files=files)


def places(weights: LockedModelScopeWeights, file: LockedWeightFile, bringer: Bringer, sources: Sources) -> list[str]:
    return places_of(
        KIND, lambda endpoint: _url(endpoint, weights.repository, weights.commit, file.path), bringer.config
    )


def page(weights: LockedModelScopeWeights) -> str:
    return f"{KIND}: {weights.repository} at {weights.commit[:12]}"


def closed(weights: LockedModelScopeWeights, config: Config) -> str:
    return closed_note(KIND, weights.repository, "/models", config)


def moved(asked: ModelScopeWeights, weights: LockedModelScopeWeights, bringer: Bringer) -> Moved | None:
    def now(endpoint: HubEndpoint) -> Listing:
        return Listing(_commit(endpoint, asked.modelscope, asked.revision, bringer), ())

    commit = first_answer(KIND, bringer.config, now)[1].commit
    return Moved(asked.revision, weights.commit, commit) if commit != weights.commit else None


def content(weights: LockedModelScopeWeights, file: LockedWeightFile, store: Store) -> Content:
    return file_weights.content(weights, file, store)


def _url(endpoint: HubEndpoint, name: str, commit: str, path: str) -> str:
    query = urlencode({"Revision": commit, "FilePath": path}, quote_via=quote)
    return endpoint.at(f"/api/v1/models/{name}/repo?{query}")


def _commit(endpoint: HubEndpoint, name: str, revision: str, bringer: Bringer) -> ObjectName:
    """The commit that a revision is."""
    what = f"{at(endpoint)}: {name}"
    if COMMIT.fullmatch(revision) and len(revision) == 40:
        return ObjectName(revision)
    data = _data(endpoint, name, revision)
    if data.LatestCommitter is not None and data.LatestCommitter.Id:
        return commit_of(data.LatestCommitter.Id, what)
    mirror = Mirror(f"{endpoint.url}/{name}.git", bringer.config, bringer.store)
    with mirror.locked():
        refs = mirror.remote_refs()
    for ref in (f"refs/heads/{revision}", f"refs/tags/{revision}^{{}}", f"refs/tags/{revision}"):
        if ref in refs:
            return commit_of(refs[ref], what)
    raise InputError(f"{what} does not say which commit {revision} is", "Say the commit itself as `revision`.")


def _data(endpoint: HubEndpoint, name: str, revision: str) -> _RepoData:
    what = f"{at(endpoint)}: {name}"
    query = urlencode({"Revision": revision, "Recursive": "true"}, quote_via=quote)
    reply = ask(endpoint.at(f"/api/v1/models/{name}/repo/files?{query}"), what)
    value = reply.json(what) if reply.status == 200 else None
    if not isinstance(value, dict) or value.get("Code") != 200 or value.get("Success") is False:
        raise _refused(endpoint, name, reply, revision)
    try:
        data = _RepoFiles.model_validate(value).Data
    except ValidationError as error:
        raise InputError(f"{what} gives no list of files: {explain(error, _RepoFiles, {})[0]}", _NO_HUB) from None
    if len(data.Files) > MOST_FILES or len(data.Files) < (data.TotalCount or 0):
        count = f"{len(data.Files)} of {data.TotalCount}" if data.TotalCount else str(len(data.Files))
        raise InputError(f"{what} gives {count} files", "Take those that are needed, with `files`.")
    return data


def _files(data: _RepoData, what: str) -> Sequence[HubFile]:
    found = []
    for row in data.Files:
        if row.Type == "tree":
            continue
        path = safe_path(row.Path, what)
        if row.Type != "blob":
            raise InputError(f"{what}: {path} is no file ({shown_value(row.Type)})", "Leave it out with `exclude`.")
        sha256 = told(Sha256, row.Sha256.lower(), f"{what}: {path}: its sha256") if row.Sha256 else None
        found.append(HubFile(path, row.Size, sha256))
    return found


_NO_HUB = "That is no answer of the hub: name another endpoint, by MODELSCOPE_DOMAIN or mirrors.modelscope."


def _refused(endpoint: HubEndpoint, name: str, reply: Reply, revision: str) -> InputError:
    """What an answer means that is none; the interface says why as `Message` (modelscope, hub/errors.py)."""
    words = [word for value in endpoint.headers.values() for word in value.replace("=", " ").split()]
    message = shown_value(redact(str(_said(reply).get("Message") or ""), words))[1:-1]
    what, said = f"{at(endpoint)}: {name}", f" ({message})" if message else ""
    page = f"{endpoint.page}/models/{name}"
    if reply.status == 429:
        return InputError(f"{what}: too many requests{said}", f"Try again later, or {token_hint(KIND)}.")
    if reply.status in (401, 403):
        return InputError(
            f"{what} is not for everybody{said}",
            f"Open {page} in a browser, log in and ask for access; then {token_hint(KIND)}.",
        )
    if reply.status in (200, 404):
        return InputError(
            f"{what} has no revision {revision}, or is not there{said}", f"Correct its name or `revision`; see {page}."
        )
    return InputError(f"{what}: the server says {reply.status} {reply.reason}".rstrip() + said)


def _said(reply: Reply) -> dict[str, Any]:
    try:
        value = reply.json("")
    except InputError:
        return {}
    return value if isinstance(value, dict) else {}
