"""Every file that a lock names, wherever its bytes go."""

from portside.lock.models import Lock
from portside.lock.record import LockedInput
from portside.lock.sources import LockedGitSource


def locked_files(lock: Lock) -> list[LockedInput]:
    """All inputs above the base that are files, each once, in the order of their hashes.

    Raises LockError for a weight file whose hash nobody knows yet.
    """
    found: dict[str, LockedInput] = {}
    for file in lock.inputs():
        brought = file.kind in ("wheel", "vendor") and file.place is not None
        if file.is_file and file.at.partition(".")[0] in ("env", "sources", "weights") and (file.pinned or not brought):
            sha256, _ = file.pin()
            found[sha256] = file
    return [found[sha256] for sha256 in sorted(found)]


def base_files(lock: Lock) -> list[LockedInput]:
    """The .debs that the base is made of."""
    return [deb.input("base") for deb in lock.base.debs]


def base_documents(lock: Lock) -> list[LockedInput]:
    """What a registry says of the base: what proves that its layers are those of the image, in the order of hashes."""
    found = {file.sha256: file for file in lock.base.inputs("base") if file.kind == "manifest"}
    return [found[sha256] for sha256 in sorted(found, key=str)]


def base_layers(lock: Lock) -> list[LockedInput]:
    """The layers that the base consists of, each once, in the order of their diff IDs, which are their hashes.

    Some locks do not say their sizes. A vendor's image may have one layer, such as an empty one, in several places.
    """
    found = {
        layer.diff_id: LockedInput("base", "layer", layer.diff_id, "", layer.diff_id, layer.size, layer.diff_id)
        for layer in lock.base.layers
    }
    return [found[diff_id] for diff_id in sorted(found)]


def git_sources(lock: Lock) -> list[LockedGitSource]:
    """The sources that come from git and their submodules, each commit once, in the order of URL and commit."""
    sources = [commit for source in lock.sources.values() if (commit := source.commit_of) is not None]
    found = {(commit.url, commit.commit): commit for source in sources for _, commit in source.placed()}
    return [found[key] for key in sorted(found)]
