"""What of the store no lock of any checkout that uses it needs any more: found first, removed only then."""

import fcntl
import hashlib
import json
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from portside.common.oci import chain_ids
from portside.common.values import DiffID, Key, Sha256
from portside.errors import PortsideError, StoreError
from portside.image.pointers import record_name
from portside.inputs import git_mirror
from portside.inputs.pointers import KIND as POINTERS
from portside.lock.file import fits, read_lock
from portside.lock.inputs import git_sources
from portside.plan.model import key_of
from portside.plan.parts import plan
from portside.project import Machine, Project
from portside.recipe import find_recipes
from portside.runtime.weights import mount_folders
from portside.store import Store, files

DAYS = 7
YOUNG = 3600
"""Seconds: what is younger may belong to a command that runs at this moment."""
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Garbage:
    """kind: for people (input, layer, source, …). path: a file or folder below the store. size: bytes on disk."""

    kind: str
    path: Path
    size: int


@dataclass
class _Needed:
    """hashes: of inputs and blobs, hex. keys, chains: hex. mirrors: names of git mirrors. recipes: names. pointers:
    names of records of pointers of Git LFS. mounts: names of folders with weights."""

    hashes: set[str] = field(default_factory=set)
    keys: set[Key] = field(default_factory=set)
    chains: set[str] = field(default_factory=set)
    mirrors: set[str] = field(default_factory=set)
    recipes: set[str] = field(default_factory=set)
    pointers: set[str] = field(default_factory=set)
    mounts: set[str] = field(default_factory=set)


def find_garbage(machine: Machine, days: int = DAYS) -> tuple[list[Garbage], list[str]]:
    """What may go: files and folders, and names of images in the layout.

    Kept is what the locks of this project, if it is one, and of every other checkout that has used the store name, what
    their recipes' last builds gave, and whatever was written within the last hour; partial transfers, logs and refused
    bytes are kept for `days`. Raises PortsideError as long as a recipe or lock cannot be read: what it needs is not
    known then.
    """
    store = machine.store
    needed = _Needed()
    checkouts = store.checkouts()
    here = [machine.root.resolve()] if machine.root else []
    for root in dict.fromkeys([*here, *checkouts.values()]):
        for name in find_recipes(root):
            _need(Project(root), name, store, needed)
    names = [ref for ref in store.layout.refs() if ref.partition(":")[0] not in needed.recipes]
    for ref in store.layout.refs():
        if ref not in names:
            _need_image(store, ref, needed)
    needed.hashes |= set(_made_of(store, needed.hashes))
    now = time.time()
    found = [
        *_unneeded(store.home / "inputs" / "sha256", "input", needed.hashes),
        *_unneeded(store.home / "oci" / "blobs" / "sha256", "layer", needed.hashes),
        *_unneeded(store.home / "frames", "record", needed.hashes),
        *_unneeded(store.home / "mounts", "mount", needed.mounts),
        *_unneeded(store.home / "seen", "record", store.inputs.seen.living()),
        *_unneeded(store.home / "keys", "record", needed.keys),
        *_unneeded(store.home / "archives", "record", needed.hashes),
        *_unneeded(store.home / "clear", "record", needed.keys),
        *_unneeded(store.home / "packed", "record", needed.hashes),
        *_unneeded(store.home / "built", "record", needed.recipes),
        *_unneeded(store.home / "index", "index", needed.chains),
        *_unneeded(store.git, "source", needed.mirrors),
        *_unneeded(store.home / POINTERS, "record", needed.pointers),
        *_unneeded(store.home / "data", "data set", needed.hashes),
        *_unneeded(store.home / "checkouts", "checkout", [n for n, root in checkouts.items() if find_recipes(root)]),
    ]
    young = [item for item in found if now - item.path.stat().st_mtime < YOUNG]
    old = [
        item
        for folder, kind in (("partial", "partial transfer"), ("inputs/quarantine", "refused input"), ("logs", "log"))
        for item in _unneeded(store.home / folder, kind, ())
        if now - item.path.stat().st_mtime > days * 86400
    ]
    return _with_links_once([item for item in found if item not in young] + old), names


def remove(store: Store, garbage: Sequence[Garbage], names: Sequence[str]) -> None:
    """Remove what `find_garbage` found. Partial files that a running transfer holds stay."""
    if names:
        store.layout.remove_names(names)
    for item in garbage:
        if item.path.is_dir():
            files.remove_folder(item.path)
        elif not _is_held(item.path):
            with files.store_errors(item.path), suppress(FileNotFoundError):
                item.path.unlink()


def _need(project: Project, name: str, store: Store, needed: _Needed) -> None:
    needed.recipes.add(name)
    try:
        recipe = project.recipe(name)
        lock = read_lock(recipe.lock_path)
        if lock is None:
            return
        # A stale lock cannot be planned by; its inputs and the last build are needed nevertheless.
        made = plan(recipe, lock) if fits(recipe, lock) else None
        parts = made.build_order() if made else []
    except PortsideError as error:
        raise StoreError(
            f"what {project.root}/recipes/{name}.yaml needs cannot be known: {error.problem}",
            "Correct it, or lock it again there; then clean.",
        ) from None
    commits = git_sources(lock)
    needed.pointers |= {source.tree for source in commits}
    needed.pointers |= {record_name(made)} if made else set()
    dumped = lock.model_dump(mode="json")
    needed.hashes |= set(_hashes(dumped))
    needed.mirrors |= {git_mirror.mirror_name(source.url) for source in commits}
    last = store.record("built", recipe.name) or {}
    needed.keys |= {part.key for part in parts} | {key_of(manifest) for manifest in last.values()}
    needed.mounts |= set(mount_folders(lock, store))
    diff_ids = []
    for part in parts:
        record = None if part.kind == "base" else store.record("keys", part.key)
        diff_id: DiffID | None = part.manifest.get("diff_id") if part.kind == "base" else record and record["diff_id"]
        if diff_id is None:
            break
        diff_ids.append(diff_id)
    needed.chains |= set(chain_ids(diff_ids))
    for key in needed.keys:
        needed.hashes |= set(_hashes(store.record("keys", key)))


def _need_image(store: Store, ref: str, needed: _Needed) -> None:
    image = store.layout.image(ref)
    if image is not None:
        manifest = hashlib.sha256(image.manifest()).hexdigest()
        diff_ids: list[DiffID] = [layer.digest for layer in image.layers]
        needed.hashes |= {image.image_id, manifest, *diff_ids}
        needed.chains |= set(chain_ids(diff_ids))


def _hashes(value: Any) -> Iterator[str]:
    """Every sha256 in a value, however it is named: kinds of inputs to come are kept without a change here."""
    return (match[0] for match in _HEX.finditer(json.dumps(value)))


def _unneeded(folder: Path, kind: str, needed: Iterable[str]) -> Iterator[Garbage]:
    """The files and folders whose names, up to the first `.` or `-`, are not among `needed`."""
    kept = set(needed)
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        whole = path.name.removesuffix(".json").removesuffix(".git")
        if whole not in kept and whole.partition("-")[0] not in kept:
            yield Garbage(kind, path, 0)


def _made_of(store: Store, hashes: Iterable[str]) -> Iterator[Sha256]:
    """The inputs that these blobs are made of when they are read, and the blobs that hold these inputs' bytes."""
    made = [frame["file"] for name in hashes if (frame := store.layout.frame(Sha256(name))) is not None]
    yield from made
    for sha256 in {*hashes, *made}:
        if (blob := store.inputs.blob_with(Sha256(sha256))) is not None:
            yield blob


def _with_links_once(garbage: Sequence[Garbage]) -> list[Garbage]:
    """The same with sizes of what removing all of it frees: a file with several names counts with the last of them."""
    left: dict[tuple[int, int], int] = {}

    def freed(path: Path) -> int:
        if path.is_dir() and not path.is_symlink():
            return sum(freed(item) for item in path.iterdir())
        info = path.lstat()
        names = left.setdefault((info.st_dev, info.st_ino), info.st_nlink)
        left[info.st_dev, info.st_ino] = names - 1
        return info.st_size if names == 1 else 0

    return [replace(item, size=freed(item.path)) for item in garbage]


def _is_held(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
