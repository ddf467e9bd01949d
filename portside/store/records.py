"""The store's own small JSON files: read like text of somebody else, for disks rot and people edit."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypedDict

from portside.common.values import DiffID, Sha256, Size

Kind = Literal["keys", "packed", "built", "checkouts", "pointers", "clear"]


class _BlobRecord(TypedDict):
    diff_id: DiffID


class KeyRecord(_BlobRecord, total=False):
    """What a key gave: the blob, and what hashes in the manifest stand for. taken_from: the place whose word it is that
    the key gave this blob, where nothing here has proven it."""

    size: Size
    details: dict[str, Any]
    taken_from: str


class PackedRecord(TypedDict):
    """A layer when compressed: sha256 and bytes of what travels."""

    digest: Sha256
    size: Size


class CheckoutRecord(TypedDict):
    """A folder with recipes that has used the store."""

    root: str


class PlaceRecord(TypedDict):
    """Where in a blob of the layout an input's bytes stand."""

    blob: DiffID
    offset: Size
    size: Size


class ClearRecord(TypedDict):
    """A part's blob that has nothing where a recipe's weights lie."""

    diff_id: DiffID


PointerRecord = list[tuple[str, Sha256, Size]]
"""Pointers of Git LFS: path, and the sha256 (hex) and bytes of what each stands for."""

BuiltRecord = dict[str, dict[str, Any]]
"""The manifests of the last build's parts, by LAYER/NAME."""


def key_record(value: Any) -> KeyRecord:
    """Here and below: raises ValueError, KeyError or TypeError for a value of another form."""
    record: KeyRecord = {"diff_id": DiffID(value["diff_id"])}
    if "size" in value:
        record["size"] = Size(value["size"])
    if "details" in value:
        record["details"] = _mapping(value["details"])
    if "taken_from" in value:
        record["taken_from"] = str(value["taken_from"])
    return record


def packed_record(value: Any) -> PackedRecord:
    return {"digest": Sha256(value["digest"]), "size": Size(value["size"])}


def checkout_record(value: Any) -> CheckoutRecord:
    if not isinstance(value["root"], str) or "\0" in value["root"]:
        raise ValueError("no path")
    return {"root": value["root"]}


def clear_record(value: Any) -> ClearRecord:
    return {"diff_id": DiffID(value["diff_id"])}


def place_record(value: Any) -> PlaceRecord:
    return {"blob": DiffID(value["blob"]), "offset": Size(value["offset"]), "size": Size(value["size"])}


def built_record(value: Any) -> BuiltRecord:
    return {str(name): _mapping(manifest) for name, manifest in _mapping(value).items()}


def pointer_record(value: Any) -> PointerRecord:
    return [(str(path), Sha256(sha256), Size(size)) for path, sha256, size in value]


READERS: Mapping[Kind, Callable[[Any], Any]] = {
    "keys": key_record,
    "packed": packed_record,
    "built": built_record,
    "checkouts": checkout_record,
    "pointers": pointer_record,
    "clear": clear_record,
}


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("no mapping")
    return value
