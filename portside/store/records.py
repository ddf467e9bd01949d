"""The store's own small JSON files: read like text of somebody else, for disks rot and people edit."""

import base64
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypedDict, final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from portside.common.values import DiffID, ImageName, Sha256, Size

Kind = Literal["keys", "packed", "built", "checkouts", "pointers", "archives", "clear", "checks"]


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


@final
class PlaceRecord(TypedDict):
    """Where in a blob of the layout an input's bytes stand."""

    blob: DiffID
    offset: Size
    size: Size


@final
class InPlaceRecord(TypedDict):
    """An input that a person keeps: where it lies (see `path_text`), and its bytes."""

    path: str
    size: Size


class FrameRecord(TypedDict):
    """A layer blob that is made when it is read: head (base64), the bytes of an input, and `tail` zeros.

    file: sha256 of the input. size: its bytes.
    """

    head: str
    file: Sha256
    size: Size
    tail: Size


class IdentityRecord(TypedDict):
    """What tells a file from every other one, and from itself after a change. Times: nanoseconds since 1970."""

    device: int
    inode: int
    size: Size
    mtime_ns: int
    ctime_ns: int


class SeenRecord(TypedDict):
    """A file of this machine whose bytes were read. noted_ns: the machine's clock then."""

    path: str
    sha256: Sha256
    identity: IdentityRecord
    noted_ns: int


class ArchiveRecord(TypedDict):
    """The one image of an image archive. config: its text. layers: diff ID and bytes of each. names: as it has them."""

    config: str
    layers: list[tuple[DiffID, Size]]
    names: list[str]


class CheckRecord(TypedDict):
    """The checks of a recipe, by their digest: whether a person lets them run, and the bundle that they came in."""

    trusted: bool
    bundle: str


LONGEST_TAIL = 1 << 16
"""Bytes that can follow the content of a frame."""


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


def place_record(value: Any) -> PlaceRecord | InPlaceRecord:
    if "path" in value:
        return {"path": _path_text(value["path"]), "size": Size(value["size"])}
    return {"blob": DiffID(value["blob"]), "offset": Size(value["offset"]), "size": Size(value["size"])}


def clear_record(value: Any) -> ClearRecord:
    return {"diff_id": DiffID(value["diff_id"])}


def check_record(value: Any) -> CheckRecord:
    return {"trusted": value["trusted"] is True, "bundle": str(value["bundle"])}


def path_text(path: Path) -> str:
    """A path as a record has it: percent-encoded bytes, for a path may be no UTF-8."""
    return quote_from_bytes(os.fsencode(path), safe="/ +,=@:~")


def text_path(text: str) -> Path:
    """What `path_text` wrote."""
    return Path(os.fsdecode(unquote_to_bytes(text)))


def _path_text(value: Any) -> str:
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value or "%00" in value:
        raise ValueError("no path")
    return value


def identity_of(info: os.stat_result) -> IdentityRecord:
    return {
        "device": info.st_dev,
        "inode": info.st_ino,
        "size": Size(info.st_size),
        "mtime_ns": info.st_mtime_ns,
        "ctime_ns": info.st_ctime_ns,
    }


def seen_record(value: Any) -> SeenRecord:
    row = _mapping(value["identity"])
    names = ("device", "inode", "mtime_ns", "ctime_ns")
    device, inode, mtime_ns, ctime_ns = (_number(row[name]) for name in names)
    return {
        "path": _path_text(value["path"]),
        "sha256": Sha256(value["sha256"]),
        "identity": {
            "device": device,
            "inode": inode,
            "size": Size(row["size"]),
            "mtime_ns": mtime_ns,
            "ctime_ns": ctime_ns,
        },
        "noted_ns": _number(value["noted_ns"]),
    }


def frame_record(value: Any) -> FrameRecord:
    base64.b64decode(value["head"], validate=True)
    tail = Size(value["tail"])
    if tail > LONGEST_TAIL:
        raise ValueError("no end of a tar")
    return {"head": str(value["head"]), "file": Sha256(value["file"]), "size": Size(value["size"]), "tail": tail}


def built_record(value: Any) -> BuiltRecord:
    return {str(name): _mapping(manifest) for name, manifest in _mapping(value).items()}


def pointer_record(value: Any) -> PointerRecord:
    return [(str(path), Sha256(sha256), Size(size)) for path, sha256, size in value]


def archive_record(value: Any) -> ArchiveRecord:
    return {
        "config": str(value["config"]),
        "layers": [(DiffID(digest), Size(size)) for digest, size in value["layers"]],
        "names": [ImageName(name) for name in value["names"]],
    }


READERS: Mapping[Kind, Callable[[Any], Any]] = {
    "keys": key_record,
    "packed": packed_record,
    "built": built_record,
    "checkouts": checkout_record,
    "pointers": pointer_record,
    "archives": archive_record,
    "clear": clear_record,
    "checks": check_record,
}


def _number(value: Any) -> int:
    if type(value) is not int:
        raise ValueError("expected a number")
    return value


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("no mapping")
    return value
