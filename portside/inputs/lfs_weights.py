"""Weights that a git source has pointers of Git LFS for: recipe to lock, store to contents, without asking a hub."""

from portside.common.progress import human_bytes, say
from portside.common.tree import Content
from portside.errors import InputError, RecipeError, fetch_it
from portside.inputs import file_weights, git, git_lfs
from portside.inputs.bringer import Bringer, Look, Sources
from portside.inputs.hub_files import check_globs, check_names, safe_path
from portside.inputs.hubs import taken
from portside.inputs.pointers import source_pointers
from portside.lock.models import LockedLfsWeights, LockedWeightFile
from portside.lock.sources import LockedGitSource, LockedLfsFile
from portside.recipe.weights import LfsWeights
from portside.store import Store

bring = None
moved = None
closed = None


def resolve(asked: LfsWeights, bringer: Bringer, look: Look, sources: Sources) -> LockedLfsWeights:
    """Raises RecipeError where the source is no commit, or has no pointer that is meant."""
    source = _source(asked.lfs, sources)
    what = f"the source {asked.lfs}"
    git.fetch(source, bringer.store, bringer.config, bringer.offline)
    pointers = source_pointers(source, bringer.store)
    if pointers is None:
        raise InputError(f"{what} cannot be read in the store", fetch_it)
    found = {safe_path(file.path, what): file for file in pointers}
    check_globs(asked, list(found), what)
    paths = taken(list(found), asked.include, asked.exclude)
    if not paths:
        raise RecipeError(f"{what} has no such pointer of Git LFS", "Correct `include` and `exclude`, or `lfs`.")
    check_names(paths, what)
    say(f"  {what}: {len(paths)} files of Git LFS, {human_bytes(sum(found[path].size for path in paths))}")
    files = tuple(LockedWeightFile(path=path, size=found[path].size, sha256=found[path].sha256) for path in paths)
    return LockedLfsWeights(epoch=0, files=files, lfs=asked.lfs, commit=source.commit)


def places(weights: LockedLfsWeights, file: LockedWeightFile, bringer: Bringer, sources: Sources) -> list[str]:
    source = _source(weights.lfs, sources)
    git.fetch(source, bringer.store, bringer.config, bringer.offline)
    assert file.sha256 is not None and file.size is not None, file.path
    return git_lfs.places_of(source, LockedLfsFile(path=file.path, size=file.size, sha256=file.sha256), bringer)


def page(weights: LockedLfsWeights) -> str:
    return f"the LFS server of the source {weights.lfs}"


def content(weights: LockedLfsWeights, file: LockedWeightFile, store: Store) -> Content:
    return file_weights.content(weights, file, store)


def _source(name: str, sources: Sources) -> LockedGitSource:
    commit = sources[name].commit_of
    if commit is None:
        raise RecipeError(f"the source {name} is no commit of git, so it has no files of Git LFS", "Name another.")
    return commit
