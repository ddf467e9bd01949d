"""What the store has of a plan: each part's blob, or why there is none."""

from dataclasses import dataclass
from typing import Any

from portside.common.differences import changes
from portside.common.never import never
from portside.common.tree import Entry, Tree
from portside.common.values import DiffID, Sha256, Size
from portside.layers.canonical import data_layer
from portside.layers.layer import Layer
from portside.lock.models import Lock
from portside.plan.model import (
    BaseLayer,
    BuiltPackages,
    Converted,
    Files,
    Install,
    InstallFiles,
    LargeWeight,
    Packages,
    Part,
    Plan,
    RecipeFiles,
    SmallWeights,
    Source,
    Trees,
    VendorInstall,
    WeightLinks,
    key_of,
)
from portside.store import Store
from portside.store.layout import Blob


def expected_bytes(part: Part, lock: Lock) -> int:
    """About how many bytes a part takes in the store, its inputs and its blob together; from the lock alone.

    A weight file counts once: a large one goes straight into its blob, and the others are small.
    """
    match part.of:
        case BaseLayer():
            return lock.base.bytes_for(part.manifest["diff_id"])
        case Packages():
            wanted = set(part.manifest["inputs"].values())
            sizes = {deb.sha256: deb.size for deb in lock.env.debs}
            sizes |= {w.sha256: w.size for s in lock.env.sets if s.python for w in s.python.installers}
            sizes |= {wheel.sha256: wheel.size for wheel in (lock.env.python.wheels if lock.env.python else ())}
            # Packed once, and about three times as large when unpacked.
            return 4 * sum(size for sha256, size in sizes.items() if sha256 in wanted)
        case BuiltPackages():
            wanted = set(part.manifest["inputs"].values())
            return 4 * sum(sdist.size for sdist in lock.env.sdists if sdist.sha256 in wanted)
        case VendorInstall(recipe):
            packages = lock.env.of(recipe)
            return 4 * sum(file.size or 0 for file in packages.vendor) if packages is not None else 0
        case SmallWeights(name, paths):
            return sum(file.size or 0 for file in lock.weights[name].files if file.path in paths)
        case LargeWeight(name, path):
            return sum(file.size or 0 for file in lock.weights[name].files if file.path == path)
        case Files() | Source() | Converted() | Trees() | InstallFiles() | Install() | RecipeFiles() | WeightLinks():
            return 0
        case other:
            never(other)


@dataclass(frozen=True)
class PartState:
    """blob: what the part's key gave, or None. reasons: why there is none, one short line each."""

    part: Part
    blob: Blob | None
    reasons: tuple[str, ...]


def states(plan: Plan, store: Store) -> list[PartState]:
    """For every part: the blob in the store, or why it has to be built."""
    last: dict[str, Any] = store.record("built", plan.recipe.name) or {}
    return [_state(part, store, last.get(f"{part.layer}/{part.name}")) for part in plan.build_order()]


def blob_of(part: Part, store: Store) -> Blob | None:
    """The part's blob, if the store has it, as large as it was when it was made."""
    record = None if part.kind == "base" else store.record("keys", part.key)
    diff_id: DiffID | None = part.manifest["diff_id"] if part.kind == "base" else record and record["diff_id"]
    size = None if diff_id is None else store.layout.size(diff_id)
    if diff_id is None or size is None or (record is not None and record.get("size", size) != size):
        return None
    return Blob(diff_id, size)


def changed_file(part: Part, store: Store) -> str | None:
    """How the file that a large weight's blob is made of differs from what it was, if it is left in place and does."""
    sha256 = part.manifest["sha256"] if part.kind == "frame" else None
    return store.inputs.changed(sha256) if sha256 is not None else None


def taken_from(part: Part, store: Store) -> str | None:
    """The place whose word it is that the blob in the store is what the part's key gives; None for what was made or
    proven here."""
    record = store.record("keys", part.key)
    return record.get("taken_from") if record else None


def _state(part: Part, store: Store, before: dict[str, Any] | None) -> PartState:
    blob = blob_of(part, store)
    if blob is not None:
        return PartState(part, blob, ())
    if part.kind == "base" and part.manifest["diff_id"] is None:
        return PartState(part, None, (f"{part.manifest['file']} is not known yet: a person brings it",))
    if before is None:
        return PartState(part, None, ("not built yet",))
    now = part.manifest
    record = store.record("keys", key_of(before))
    details = record.get("details", {}) if record else {}
    for name in sorted(details.keys() & part.details.keys()):
        if details[name] != part.details[name]:
            before, now = before | {name: details[name]}, now | {name: part.details[name]}
    gone = changed_file(part, store) or "its blob in the store is gone or damaged"
    return PartState(part, None, tuple(changes(before, now)) or (gone,))


def frame_layer(part: Part, sha256: Sha256, size: Size) -> Layer:
    """The layer of one large weight file, described without its bytes. size: of the file, in bytes."""
    entry = Entry(part.manifest["at"], "file", 0o644, mtime=part.epoch, size=size, sha256=sha256)
    return data_layer(Tree([entry]), part.epoch)
