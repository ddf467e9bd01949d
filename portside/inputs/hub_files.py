"""Files of one commit of a hub's repository: which are taken, and that they are what the hub says; for every hub."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from portside.common.globs import closest_paths, matches
from portside.common.parallel import run_all
from portside.common.progress import human_bytes, say
from portside.common.tree import check_path
from portside.common.url import shown
from portside.common.values import ObjectName, Sha256, Size, shown_value, told
from portside.config import Config
from portside.errors import InputError, RecipeError
from portside.inputs.bringer import Bringer
from portside.inputs.hubs import HubEndpoint, chosen, endpoints, title, token_hint
from portside.lock.models import LockedWeightFile
from portside.net import transfer
from portside.recipe.weights import Choosing, HubWeights
from portside.store import Store
from portside.store.inputs import Receiver

JOBS = 8
"""Small files that are fetched at the same time."""
LARGEST_SMALL = 64 << 20
"""Bytes of a file whose sha256 the hub does not say: such a file is fetched to lock it."""
MOST_FILES = 100_000
_INDEX = re.compile(r"(?:.*/)?[^/]+\.(?:safetensors|bin)\.index\.json")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\\"'$`\ud800-\udfff\u2028\u2029]")


@dataclass(frozen=True)
class HubFile:
    """A file as its hub says it is. path: in the repository. size: bytes. sha256: of its bytes, where the hub says it.
    blob: git's name of its bytes, where that is all the hub says."""

    path: str
    size: Size
    sha256: Sha256 | None = None
    blob: ObjectName | None = None


@dataclass(frozen=True)
class Listing:
    """commit: the full name. files: all of the commit. closed: why its files are not for everybody, and what to do, or
    None where they are."""

    commit: ObjectName
    files: Sequence[HubFile]
    closed: InputError | None = None


def first_answer(kind: str, config: Config, ask: Callable[[HubEndpoint], Listing]) -> tuple[HubEndpoint, Listing]:
    """The first endpoint that answers, with what it says. Raises InputError with what each of them says."""
    errors: list[InputError] = []
    for endpoint in endpoints(kind, config):
        try:
            return endpoint, ask(endpoint)
        except InputError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    raise InputError("\n".join(["no endpoint gives it:", *(f"  {e.problem}" for e in errors)]), errors[-1].remedy)


def safe_path(path: str, what: str) -> str:
    """A path of a repository that can be one in an image. Raises InputError."""
    try:
        check_path(path)
    except InputError:
        raise InputError(f"{what} has a file with the unsafe name {shown_value(path)}", _LEAVE_OUT) from None
    if _UNSAFE.search(path) or path != path.strip():
        raise InputError(f"{what} has a file with the unsafe name {shown_value(path)}", _LEAVE_OUT)
    return path


_LEAVE_OUT = "Take the repository's files one by one, with `files`, and leave this one out."


def locked_files(
    asked: HubWeights, endpoint: HubEndpoint, listing: Listing, url: Callable[[HubEndpoint, str], str], bringer: Bringer
) -> tuple[LockedWeightFile, ...]:
    """The files that are asked for, as a lock has them, sorted by path; small ones are in the store then.

    url: where an endpoint has the file at a path of the commit.
    """
    name = asked.repository
    what = f"{title(asked.kind)}: {name}"
    files = {file.path: file for file in listing.files}
    if len(files) < len(listing.files):
        paths = sorted(file.path for file in listing.files)
        double = next(path for path, following in pairwise(paths) if path == following)
        raise InputError(f"{what} has {shown_value(double)} twice", "That is no answer of a hub: name another one.")
    check_globs(asked, list(files), what)
    paths, left_out = chosen(list(files), asked.include, asked.exclude)
    if not paths:
        raise RecipeError(f"{what}: no file is taken", "Correct `include` and `exclude`.")
    check_names(paths, what)
    small = [file for path in paths if (file := files[path]).sha256 is None or _INDEX.fullmatch(path)]
    if small and listing.closed is not None:
        raise listing.closed
    said: dict[str, Sha256] = {}

    def bring(file: HubFile) -> None:
        said[file.path] = _small_file(file, url(endpoint, file.path), f"{name}/{file.path}", bringer.store)

    run_all([partial(bring, file) for file in small], JOBS)
    for path in paths:
        if _INDEX.fullmatch(path):
            _check_index(path, said[path], paths, what, bringer.store)
    total = sum(files[path].size for path in paths)
    say(f"  {what} at {listing.commit[:12]}: {len(paths)} files, {human_bytes(total)}")
    for row in left_out:
        size = human_bytes(sum(files[path].size for path in row.paths))
        say(f"  left out, since {row.use} has the same weights: {', '.join(row.paths)} ({size})")
        say(f'  to take them instead: exclude: ["{row.use}"]; to take all: include: ["**"]')
    locked = (LockedWeightFile(path=p, size=files[p].size, sha256=files[p].sha256 or said[p]) for p in paths)
    return tuple(locked)


def check_globs(asked: Choosing, paths: Sequence[str], what: str) -> None:
    for key in ("include", "exclude"):
        for glob in getattr(asked, key):
            if not any(matches([glob], path) for path in paths):
                close = closest_paths(glob, paths)
                raise RecipeError(
                    f"{what}: {key}: {glob!r} matches no file of the repository",
                    f"Did you mean {' or '.join(map(repr, close))}?" if close else "Leave it out.",
                )


def check_names(paths: Sequence[str], what: str) -> None:
    there = set(paths)
    known: dict[str, str] = {}
    for path in paths:
        parts = path.split("/")
        for end in range(1, len(parts) + 1):
            part = "/".join(parts[:end])
            if end < len(parts) and part in there:
                raise InputError(f"{what} has the file {part} and, below it, {path}", "Leave one out with `exclude`.")
            other = known.setdefault(part.casefold(), part)
            if other != part:
                raise InputError(
                    f"{what} has {other} and {part}, which differ in upper and lower case alone",
                    "Many file systems cannot hold both: leave one out with `exclude`.",
                )


def _small_file(file: HubFile, place: str, name: str, store: Store) -> Sha256:
    """The sha256 of a file that is in the store then, and that is what the hub said of it."""
    if file.sha256 is not None:
        return transfer.bring(name, file.sha256, file.size, [place], store, _CHANGED)
    if file.size > LARGEST_SMALL:
        raise InputError(
            f"{name} has {human_bytes(file.size)}, and the hub does not say its sha256",
            "Take it by `files`, with its URL and the sha256 that its publisher says.",
        )
    digest = _BlobName(file.size)
    arrived: Sha256 | None = None

    @contextmanager
    def attempt() -> Iterator[Receiver]:
        nonlocal arrived
        with store.inputs.receive(name, None, file.size, beside=digest) as receiver:
            yield receiver
            if receiver.offset == file.size and file.blob not in (None, digest.hexdigest()):
                receiver.restart()
                raise InputError(f"git's name of its bytes is {digest.hexdigest()}, the hub says {file.blob}")
            arrived = receiver.sha256

    transfer.stream_from(name, [place], file.size, attempt, _CHANGED)
    assert arrived is not None, name
    return arrived


_CHANGED = "The hub contradicts itself, or something on the way changes bytes: try again, or name another endpoint."


class _BlobName:
    """git's name of bytes (SHA-1 over header and bytes, gitformat-objects(5)), as they arrive. size: bytes."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.restart()

    def restart(self) -> None:
        self._digest = hashlib.sha1(b"blob %d\0" % self._size, usedforsecurity=False)

    def update(self, chunk: bytes) -> None:
        self._digest.update(chunk)

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def _check_index(path: str, sha256: Sha256, taken: Sequence[str], what: str, store: Store) -> None:
    """Raise InputError where an index (transformers, utils/hub.py, get_checkpoint_shard_files: `weight_map`, from the
    name of each tensor to its file) names a shard that is not taken."""
    try:
        with store.inputs.require(sha256, path).open() as stream:
            weight_map = json.load(stream)["weight_map"]
        shards = sorted({shard for shard in weight_map.values() if isinstance(shard, str)})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(f"{what}: {path} is no index of shards", "Leave it out with `exclude`.") from None
    folder = path.rpartition("/")[0]
    lacking = [s for s in shards if (f"{folder}/{s}" if folder else s) not in taken]
    if lacking:
        listed = ", ".join(map(shown_value, lacking[:5])) + (" …" if len(lacking) > 5 else "")
        raise InputError(
            f"{what}: {path} names {len(lacking)} shard(s) that are not among the files: {listed}",
            "Take them too, or leave the index out with `exclude`.",
        )


def commit_of(value: object, what: str) -> ObjectName:
    return told(ObjectName, value, f"{what}: the name of the commit")


def places_of(kind: str, url: Callable[[HubEndpoint], str], config: Config) -> list[str]:
    """Where a file may be had, the mirrors first."""
    return [url(endpoint) for endpoint in endpoints(kind, config)]


def closed_note(kind: str, repository: str, path: str, config: Config) -> str:
    """What a person can do where a hub gives a file to nobody without a login. path: of the repository's page."""
    page = f"{endpoints(kind, config)[-1].page}{path}/{repository}"
    return f"If it is not for everybody: open {page} in a browser, log in and ask for access; then {token_hint(kind)}."


def at(endpoint: HubEndpoint) -> str:
    """An endpoint as a message names it."""
    return shown(endpoint.url)
