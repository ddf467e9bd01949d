"""Images and layers that somebody else built: what they have to be before they count as built here."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from portside.adopt.prove import Arrived, check_base, frame_of, locked_file, made_from, prove_all
from portside.common.differences import changes
from portside.common.oci import diff_ids_of
from portside.common.values import DiffID, Key, Size
from portside.errors import InputError
from portside.image.config import make_image
from portside.layers.raw import Tar, TarLayer
from portside.plan.model import LargeWeight, Part, Plan
from portside.plan.states import blob_of, taken_from
from portside.store import Store
from portside.store.layout import Blob


def check_config(plan: Plan, layer: str, config: bytes) -> list[DiffID]:
    """The diff IDs (hex, lowest first) of a finished image of `layer`, if it is the plan's image.

    All that a plan says about an image is in its config: keys, times, environment, command. So a config must be, byte
    for byte, the one that this plan gives with these diff IDs. Raises InputError that names what differs.
    """
    if unpinned := plan.lock.unpinned(layer):
        raise InputError(
            f"the lock has no sha256 for {unpinned[0][1]} yet",
            f"Fetch it once: invoke fetch --recipe {plan.recipe.name}",
        )
    found = diff_ids_of(config)
    parts = plan.stack(layer)
    if len(found) != len(parts):
        raise InputError(f"it has {len(found)} layers, the lock's image has {len(parts)}")
    for part, diff_id in zip(parts, found, strict=True):
        check_base(part, diff_id)
    expected = make_image(plan, layer, {p.key: Blob(d, Size(0)) for p, d in zip(parts, found, strict=True)}).config
    if expected != config:
        lines = changes(json.loads(expected), json.loads(config)) or ["it is not written in canonical form"]
        more = [f"and {len(lines) - 5} more"] if len(lines) > 5 else []
        raise InputError("it was not built from this recipe and lock: " + "; ".join([*lines[:5], *more]))
    return found


def check_known(part: Part, digest: DiffID, plan: Plan, store: Store) -> bool:
    """Whether the store knows already that the part's key gives the blob of this diff ID (hex).

    Raises InputError where it knows another one: what was made here is never replaced.
    """
    check_base(part, digest)
    record = None if part.kind == "base" else store.record("keys", part.key)
    if record is None:
        return False
    if record["diff_id"] != digest:
        raise InputError(
            f"{part.layer}/{part.name} is sha256:{digest} there and sha256:{record['diff_id']} here, of one key",
            f"One of the two builds is not reproducible: invoke verify --recipe {plan.recipe.name}",
        )
    if isinstance(part.of, LargeWeight) and not part.of.packed:
        sha256 = locked_file(part.of, plan).sha256
        return sha256 is not None and store.inputs.verified(sha256) is not None
    return "taken_from" not in record


def examine(
    parts: Sequence[Part],
    plan: Plan,
    store: Store,
    blobs: Mapping[Key, Blob],
    place: Callable[[Blob], Path] | None = None,
) -> dict[Key, str]:
    """Prove all that can be proven of blobs that came from elsewhere; gives, by part key, why others cannot be.

    blobs: by part key, verified to be what their digests say. place: where a blob's bytes are; default: in the store.
    Raises InputError for a part that is not what its key gives, or of which the store has another blob.
    """
    fresh = [part for part in parts if not check_known(part, blobs[part.key].digest, plan, store)]
    below = [part for it in fresh for part in made_from(it, plan) if part.key not in blobs]
    known = {part.key: blob for part in below if (blob := blob_of(part, store)) is not None}
    for blob in known.values():
        store.layout.check(blob)
    doubtful = {part.key: whose for part in below if (whose := taken_from(part, store)) is not None}

    def where(blob: Blob) -> Tar:
        return store.layout.tar(blob.digest) if place is None or blob in known.values() else TarLayer(place(blob))

    return prove_all(fresh, Arrived(plan, store, {**known, **blobs}, where), doubtful)


def adopt(
    parts: Sequence[Part],
    plan: Plan,
    store: Store,
    blobs: Mapping[Key, Blob],
    unproven: Mapping[Key, str],
    source: str,
) -> None:
    """Let examined blobs of the store's layout be what the parts' keys gave.

    unproven: as `examine` gave it; of those parts the store remembers that they are the word of `source`.
    """
    for part in parts:
        blob = blobs[part.key]
        if part.kind == "base" or check_known(part, blob.digest, plan, store):
            continue
        if isinstance(part.of, LargeWeight) and not part.of.packed:
            file = locked_file(part.of, plan)
            assert file.sha256 is not None and file.size is not None, file.path
            if store.inputs.verified(file.sha256) is None:
                store.inputs.note_in_blob(file.sha256, blob.digest, Size(len(frame_of(part, file)[0])), file.size)
        record = part.record(blob.digest, blob.size)
        if part.key in unproven:
            record["taken_from"] = taken_from(part, store) or source
        store.keep("keys", part.key, record)


def confirm(part: Part, store: Store) -> None:
    """A build here has given the blob that the store had on somebody's word: from now on it is the store's own."""
    record = store.record("keys", part.key)
    if record is not None and record.pop("taken_from", None) is not None:
        store.keep("keys", part.key, record)
