"""Filling hashes that nobody knew into a lock, when the files are first seen."""

from collections.abc import Callable, Mapping

from portside.common.values import Sha256
from portside.errors import MissingInputError
from portside.fetch.fetcher import Fetcher
from portside.fetch.folders import ManualInput
from portside.fetch.manual import manual_inputs
from portside.inputs.python import newest_date
from portside.lock.models import Lock, LockedWeights
from portside.lock.packages import LockedManualWheel, PackageSet
from portside.plan.model import Plan
from portside.store import Store

Keep = Callable[[Lock], object]
"""Called with the lock each time that it knows one more hash, so that none is lost if a later file fails."""


def pin(plan: Plan, fetcher: Fetcher, store: Store, keep: Keep, last: str = "weights") -> Lock:
    """Bring the files of the image, up to the layer `last`, whose hash or size nobody knew yet, and give the lock that
    records what came. A lenient fetcher leaves out what no place has."""
    lock = plan.lock
    for file in manual_inputs(plan.recipe, lock, last):
        try:
            now = _with(lock, file, fetcher, store)
        except MissingInputError:
            if not fetcher.lenient:
                raise
            continue
        if now != lock:
            lock = now
            keep(lock)
    return lock


def _with(lock: Lock, file: ManualInput, fetcher: Fetcher, store: Store) -> Lock:
    """The lock with what it lacked of one file."""
    base, env, weights = lock.base, lock.env, lock.weights
    if file.kind == "base":
        if base.layers:
            return lock
        base = fetcher.archive(base, file)
    elif file.known:
        return lock
    else:
        sha256, size = fetcher.manual(file, lock.sources)
        known = {"sha256": sha256, "size": size}
        if file.kind == "wheel":
            sets = tuple(_with_wheel(packages, file.file, known, sha256, store) for packages in env.sets)
            env = env.model_copy(update={"sets": sets})
        elif file.kind == "vendor":
            sets = tuple(_with_vendor_file(packages, file.file, known) for packages in env.sets)
            env = env.model_copy(update={"sets": sets})
        else:
            name, _, path = file.file.partition("/")
            weights = weights | {name: _with_file(weights[name], path, known)}
    epoch = max(lock.epoch, base.epoch, env.epoch)
    return lock.model_copy(update={"base": base, "env": env, "weights": weights, "epoch": epoch})


def _with_wheel(
    packages: PackageSet, file: str, known: Mapping[str, object], sha256: Sha256, store: Store
) -> PackageSet:
    python = packages.python
    if python is None or all(wheel.file != file for wheel in python.manual):
        return packages

    def pinned(wheel: LockedManualWheel) -> LockedManualWheel:
        return wheel.model_copy(update=known) if wheel.file == file else wheel

    date = newest_date(store.inputs.require(sha256, file).path, file)
    manual = tuple(pinned(wheel) for wheel in python.manual)
    return packages.model_copy(
        update={"epoch": max(packages.epoch, date), "python": python.model_copy(update={"manual": manual})}
    )


def _with_vendor_file(packages: PackageSet, file: str, known: Mapping[str, object]) -> PackageSet:
    vendor = tuple(row.model_copy(update=known) if row.file == file else row for row in packages.vendor)
    return packages.model_copy(update={"vendor": vendor})


def _with_file(weights: LockedWeights, path: str, known: dict[str, object]) -> LockedWeights:
    files = tuple(file.model_copy(update=known) if file.path == path else file for file in weights.files)
    return weights.model_copy(update={"files": files})
