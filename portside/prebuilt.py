"""Images and layers that somebody else built: what of them the lock can prove, before they count as built here."""

import json

from portside.canonical import copy_and_hash
from portside.changes import changes
from portside.errors import InputError
from portside.fetch import frame_layer
from portside.image import make_image
from portside.layers.writer import single_file_frame
from portside.lock.models import Lock
from portside.oci import diff_ids_of
from portside.plan import Part, Plan, blob_of
from portside.store import Store
from portside.store.layout import Blob
from portside.tree import FileRange


def check_config(plan: Plan, layer: str, config: bytes) -> list[str]:
    """The diff IDs (hex, lowest first) of a finished image of `layer`, if it is the plan's image.

    All that a plan says about an image is in its config: keys, times, environment, command. So a config must be, byte
    for byte, the one that this plan gives with these diff IDs. Raises InputError that names what differs.
    """
    found = diff_ids_of(config)
    parts = plan.parts(layer)
    if len(found) != len(parts):
        raise InputError(f"it has {len(found)} layers, the lock's image has {len(parts)}")
    for part, diff_id in zip(parts, found, strict=True):
        check_base(part, diff_id)
    expected = make_image(plan, layer, {p.key: Blob(d, 0) for p, d in zip(parts, found, strict=True)}).config
    if expected != config:
        lines = changes(json.loads(expected), json.loads(config)) or ["it is not written in canonical form"]
        more = [f"and {len(lines) - 5} more"] if len(lines) > 5 else []
        raise InputError("it was not built from this recipe and lock: " + "; ".join([*lines[:5], *more]))
    return found


def check_base(part: Part, diff_id: str) -> None:
    """Raises InputError for a base other than the locked one."""
    if part.kind == "base" and diff_id != part.manifest["diff_id"]:
        raise InputError(f"its base is sha256:{diff_id}, the lock says sha256:{part.manifest['diff_id']}")


def adopt(part: Part, blob: Blob, plan: Plan, store: Store) -> None:
    """Let a verified blob of the store's layout be what the part's key gave.

    The lock says the base's diff ID and every weight file's hash, so those are proven; for the rest the place that it
    came from is trusted to have built that key. Raises InputError where the lock or this machine knows better.
    """
    check_base(part, blob.digest)
    if part.kind == "base":
        return
    here = blob_of(part, store)
    if here is not None and here.digest != blob.digest:
        raise InputError(
            f"{part.layer}/{part.name} is sha256:{blob.digest} there and sha256:{here.digest} here, of one key",
            f"One of the two builds is not reproducible: invoke verify --recipe {plan.recipe.name}",
        )
    if part.kind == "frame":
        _adopt_weights(part, blob, plan.lock, store)
    store.keep("keys", part.key, part.record(blob.digest, blob.size))


def _adopt_weights(part: Part, blob: Blob, lock: Lock, store: Store) -> None:
    """Prove that a blob is the locked file and nothing else, and note that the file's bytes are in it."""
    name, _, path = part.name.partition("/")
    file = next(file for file in lock.weights[name].files if file.path == path)
    assert file.sha256 is not None and file.size is not None, path
    prefix, suffix = single_file_frame(frame_layer(part, file.sha256, file.size))
    place = store.layout.blob(blob.digest)
    with place.open("rb") as stream:
        right = place.stat().st_size == len(prefix) + file.size + len(suffix) and stream.read(len(prefix)) == prefix
        if right:
            with FileRange(place, len(prefix), file.size).open() as content:
                right = copy_and_hash(content) == (file.sha256, file.size)
            stream.seek(len(prefix) + file.size)
            right = right and stream.read() == suffix
    if not right:
        raise InputError(f"{part.layer}/{part.name} there is not the file that the lock says (sha256 {file.sha256})")
    store.inputs.note_in_blob(file.sha256, blob.digest, len(prefix), file.size)
