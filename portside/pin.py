"""Filling hashes that nobody knew into a lock, when the files are first seen."""

from portside.fetch import Fetcher
from portside.inputs.python import newest_date
from portside.lock.models import Lock, LockedWeights, ManualWheel, PackageSet, WeightFile
from portside.plan import Plan
from portside.progress import say
from portside.store import Store


def pin(plan: Plan, fetcher: Fetcher, store: Store, last: str = "weights") -> Lock:
    """Bring the files of the image, up to the layer `last`, whose hash nobody knew yet, and give the lock that records
    what came."""
    lock = plan.lock
    base = lock.base
    if base.kind == "archive" and not base.layers:
        base = fetcher.archive(base)
        _say(base.file, base.sha256, base.size)
    sets = tuple(_packages(packages, fetcher, store) for packages in lock.env.sets)
    weights = lock.weights
    if last == "weights":
        weights = {name: _weights(name, locked, plan, fetcher, store) for name, locked in weights.items()}
    env = lock.env.model_copy(update={"sets": sets})
    epoch = max(lock.epoch, base.epoch, env.epoch)
    return lock.model_copy(update={"base": base, "env": env, "weights": weights, "epoch": epoch})


def _say(file: str, sha256: str | None, size: int | None) -> None:
    say(f"{file}: first seen, locked with sha256 {sha256} ({size} bytes); compare it with its publisher's")


def _packages(packages: PackageSet, fetcher: Fetcher, store: Store) -> PackageSet:
    python = packages.python
    if python is None or all(wheel.sha256 is not None for wheel in python.manual):
        return packages
    manual = tuple(_wheel(wheel, fetcher, store) for wheel in python.manual)
    dates = [newest_date(store.inputs.require(wheel.sha256 or "", wheel.file).path, wheel.file) for wheel in manual]
    epoch = max([packages.epoch, *dates])
    return packages.model_copy(update={"epoch": epoch, "python": python.model_copy(update={"manual": manual})})


def _wheel(wheel: ManualWheel, fetcher: Fetcher, store: Store) -> ManualWheel:
    if wheel.sha256 is not None:
        return wheel
    sha256 = fetcher.manual(wheel)
    size = store.inputs.require(sha256, wheel.file).size
    _say(wheel.file, sha256, size)
    return wheel.model_copy(update={"sha256": sha256, "size": size})


def _weights(name: str, weights: LockedWeights, plan: Plan, fetcher: Fetcher, store: Store) -> LockedWeights:
    def known(file: WeightFile) -> WeightFile:
        if file.sha256 is not None:
            return file
        sha256 = fetcher.unpinned_weight(file, name, plan)
        size = store.inputs.require(sha256, file.path).size
        _say(file.path, sha256, size)
        return file.model_copy(update={"sha256": sha256, "size": size})

    return weights.model_copy(update={"files": tuple(known(file) for file in weights.files)})
