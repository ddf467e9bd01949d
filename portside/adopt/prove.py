"""What a layer blob that somebody else made proves by its bytes alone: no network, no engine, no build.

Every kind of part has its own proof. What would need a download or a build stays the word of whoever made the blob,
and is named. A blob that fails its proof is never used.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from portside.common.canonical import copy_and_hash
from portside.common.never import never
from portside.common.parallel import run_all
from portside.common.progress import step, transfer
from portside.common.tree import Entry, Ranged, Tree
from portside.common.values import DiffID, Key
from portside.errors import InputError, PortsideError, fetch_once
from portside.inputs.kinds import SOURCES
from portside.inputs.spool import Spool
from portside.layers.canonical import data_layer
from portside.layers.layer import Layer
from portside.layers.raw import Tar
from portside.layers.writer import read_layer, single_file_frame, write_layer
from portside.lock.models import LockedWeightFile
from portside.lock.sources import LockedSource
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
)
from portside.plan.states import frame_layer
from portside.store import Store
from portside.store.layout import Blob
from portside.trees import parts as data

JOBS = 4
"""Large files that are read at the same time."""

Unproven = Mapping[Key, str]
"""By part key: why nothing here proves a part's blob."""


@dataclass(frozen=True)
class Arrived:
    """Layer blobs from elsewhere, their digests verified.

    blobs: by part key, of the parts to prove and of those that they are made from. place: a blob's plain bytes.
    """

    plan: Plan
    store: Store
    blobs: Mapping[Key, Blob]
    place: Callable[[Blob], Tar]

    def tar(self, part: Part) -> Tar:
        return self.place(self.blobs[part.key])


def prove_all(parts: Sequence[Part], arrived: Arrived, unproven: Unproven) -> dict[Key, str]:
    """Prove several parts, those first that others are made from; gives what cannot be proven, with `unproven`.

    Gigabytes of weights come last: what is wrong elsewhere is known before they are read.

    unproven: what is known of parts that are not to be proven now. Raises InputError for the first blob that is not
    what its key gives.
    """
    found = dict(unproven)

    def one(part: Part) -> None:
        reason = prove(part, arrived, found)
        if reason is not None:
            found[part.key] = reason

    large = [part for part in parts if isinstance(part.of, LargeWeight)]
    small = [part for part in parts if part not in large]
    for part in sorted(small, key=lambda part: bool(made_from(part, arrived.plan))):
        one(part)
    run_all([partial(one, part) for part in large], JOBS)
    return found


def made_from(part: Part, plan: Plan) -> list[Part]:
    """The parts whose blobs a data part is made from."""
    if not isinstance(part.of, Trees):
        return []
    used = plan.recipe.tree_sources
    sources = [p for p in plan.layer("sources").parts if isinstance(p.of, Source) and p.of.name in used]
    return [*sources, *(p for p in plan.layer("migrated").parts if p.key == part.after)]


def prove(part: Part, arrived: Arrived, unproven: Unproven) -> str | None:
    """Prove one part: None where its blob is what its key gives, else why nothing here can prove it.

    unproven: of the parts that it is made from. Raises InputError for a blob that is something else.
    """
    match part.of:
        case BaseLayer():
            check_base(part, arrived.blobs[part.key].digest)
        case Packages() | VendorInstall() | BuiltPackages() | Converted() | Install():
            return "only a build can show what its commands give"
        case Source(name):
            return _source(part, name, arrived)
        case Trees():
            return _migrated(part, arrived, unproven)
        case Files() | InstallFiles() | RecipeFiles() | WeightLinks():
            _make_again(part, arrived)
        case LargeWeight():
            _large_file(part, part.of, arrived)
        case SmallWeights(name, paths):
            _small_files(part, name, paths, arrived)
        case other:
            never(other)
    return None


def check_base(part: Part, diff_id: DiffID) -> None:
    """Raises InputError for a base other than the locked one."""
    if part.kind == "base" and diff_id != part.manifest["diff_id"]:
        raise InputError(f"its base is sha256:{diff_id}, the lock says sha256:{part.manifest['diff_id']}")


def locked_file(weight: LargeWeight, plan: Plan) -> LockedWeightFile:
    """The weight file that has a blob of its own. Raises InputError where nobody knows its hash yet."""
    return _known(next(file for file in plan.lock.weights[weight.name].files if file.path == weight.file))


def _known(file: LockedWeightFile) -> LockedWeightFile:
    if file.sha256 is None or file.size is None:
        raise InputError(f"the lock has no sha256 for {file.path} yet", fetch_once)
    return file


def frame_of(part: Part, file: LockedWeightFile) -> tuple[bytes, bytes]:
    """What stands before and behind the bytes of a weight file in the blob that holds nothing else."""
    assert file.sha256 is not None and file.size is not None, file.path
    return single_file_frame(frame_layer(part, file.sha256, file.size))


def _large_file(part: Part, weight: LargeWeight, arrived: Arrived) -> None:
    """The blob is the locked file and nothing else: read once, without unpacking."""
    file = locked_file(weight, arrived.plan)
    assert file.size is not None, file.path
    prefix, suffix = frame_of(part, file)
    blob = arrived.tar(part).content
    with transfer(f"proving {part.layer}/{part.name}", file.size) as advance:
        right = blob.size == len(prefix) + file.size + len(suffix) and _bytes(blob, 0, len(prefix)) == prefix
        if right:
            with blob.part(len(prefix), file.size).open() as content:
                found = copy_and_hash(content, lambda chunk: advance(len(chunk)))
            behind = _bytes(blob, len(prefix) + file.size, len(suffix))
            right = found == (file.sha256, file.size) and behind == suffix
    if not right:
        raise _wrong(part, arrived, f"is not the file that the lock says (sha256 {file.sha256})")


def _bytes(blob: Ranged, offset: int, size: int) -> bytes:
    with blob.part(offset, size).open() as stream:
        return stream.read()


def _small_files(part: Part, name: str, paths: Collection[str], arrived: Arrived) -> None:
    """The blob holds the locked files, each by its hash, and nothing else."""
    at = part.manifest["at"]
    there = {entry.path: entry for entry in _read(part, arrived).entries}
    tree = Tree()
    for file in arrived.plan.lock.weights[name].files:
        if file.path not in paths:
            continue
        entry = there.get(f"{at}/{_known(file).path}")
        if entry is None or entry.kind != "file" or (entry.sha256, entry.size) != (file.sha256, file.size):
            raise _wrong(part, arrived, f"has not the {file.path} that the lock says (sha256 {file.sha256})")
        tree.put(Entry(entry.path, "file", 0o644, mtime=part.epoch, size=entry.size, content=entry.content))
    _compare(part, data_layer(tree, part.epoch), arrived)


def _source(part: Part, name: str, arrived: Arrived) -> str | None:
    """By the source itself where the store has it, else by what its kind can tell of the files alone."""
    source = arrived.plan.lock.sources[name]
    if SOURCES[source.kind].is_here(source, arrived.store):
        _make_again(part, arrived)
        return None
    tree = source_in(part, source, arrived)
    try:
        return SOURCES[source.kind].proof(source, tree)
    except InputError as error:
        raise _wrong(part, arrived, error.problem) from None


def source_in(part: Part, source: LockedSource, arrived: Arrived) -> Tree:
    """The source that a part's blob holds, paths relative to it.

    Raises InputError for a blob that no source gives: with anything beside it, or with other modes, owners or times.
    """
    at = part.manifest["at"]
    tree = Tree()
    for entry in Tree(_read(part, arrived).entries).below(at):
        if entry.kind == "file":
            kept = replace(entry, mode=0o755 if entry.mode & 0o100 else 0o644, uid=0, gid=0, xattrs=())
        elif entry.kind in ("dir", "symlink"):
            kept = Entry(entry.path, entry.kind, 0o755 if entry.kind == "dir" else 0o777, mtime=entry.mtime)
            kept = replace(kept, link=entry.link)
        else:
            raise _wrong(part, arrived, f"holds {entry.path}, a {entry.kind}, which no source has")
        tree.put(kept)
    try:
        tree = SOURCES[source.kind].in_layer(source, tree)
    except InputError as error:
        raise _wrong(part, arrived, error.problem) from None
    _compare(part, data_layer(tree.at(at), part.epoch), arrived)
    return SOURCES[source.kind].out_of_layer(tree)


def _make_again(part: Part, arrived: Arrived) -> None:
    """What is made of the recipe's own files, or of inputs that the store has, is made again."""
    with arrived.store.workspace() as folder, Spool(folder) as spool:
        _compare(part, data.part_layer(arrived.plan, part, arrived.store, spool, {}), arrived)


def _migrated(part: Part, arrived: Arrived, unproven: Unproven) -> str | None:
    """The sources in the image, migrated again, are the trees in the image; that proves as much as the sources do."""
    below = made_from(part, arrived.plan)
    for other in below:
        if other.key not in arrived.blobs:
            raise _wrong(part, arrived, f"cannot be proven before {other.layer}/{other.name} is here")
    locked = {
        of.name: (other, arrived.plan.lock.sources[of.name]) for other in below if isinstance(of := other.of, Source)
    }
    sources = {name: source_in(other, source, arrived) for name, (other, source) in locked.items()}
    converted = next((_read(other, arrived) for other in below if other.key == part.after), None)
    with step(f"making {part.layer}/{part.name} again, to compare"):
        try:
            expected = data.migrated_layer(arrived.plan, part, sources, converted)
        except PortsideError as error:
            raise _wrong(part, arrived, f"cannot be made of its sources: {error.problem}") from None
        _compare(part, _timed_alike(expected, part, arrived), arrived)
    doubtful = [f"{other.layer}/{other.name}" for other in below if other.key in unproven]
    return f"it is made of {', '.join(doubtful)}" if doubtful else None


def _timed_alike(expected: Layer, part: Part, arrived: Arrived) -> Layer:
    """A file without a time of its own has its source's epoch in the sources and the newest one's in the trees.

    In the sources it looks like a file of that time, so both are right here.
    """
    epochs = {arrived.plan.lock.sources[name].epoch for name in arrived.plan.recipe.tree_sources} - {part.epoch}
    if not epochs:
        return expected
    newest = {entry.path for entry in _read(part, arrived).entries if entry.mtime == part.epoch}
    entries = (
        replace(entry, mtime=part.epoch) if entry.mtime in epochs and entry.path in newest else entry
        for entry in expected.entries
    )
    return replace(expected, entries=tuple(entries))


def _read(part: Part, arrived: Arrived) -> Layer:
    try:
        return read_layer(arrived.tar(part))
    except (InputError, ValueError) as error:
        problem = error.reason if isinstance(error, InputError) else str(error)
        raise _wrong(part, arrived, f"is no layer as Portside writes it: {problem}") from None


def _compare(part: Part, expected: Layer, arrived: Arrived) -> None:
    """Raises InputError, which names what differs, for a blob that is not the expected layer to the last byte."""
    if write_layer(expected, None).diff_id == arrived.blobs[part.key].digest:
        return
    found = _read(part, arrived)
    old, new = ({entry.path: entry for entry in layer.entries} for layer in (expected, found))
    differing = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
    paths = sorted(differing | set(expected.whiteouts) ^ set(found.whiteouts))
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    what = f": {', '.join(repr(path)[1:-1] for path in paths[:3])}{more}" if paths else " in the form of its tar"
    raise _wrong(part, arrived, f"is not what it is made of gives, it differs{what}")


def _wrong(part: Part, arrived: Arrived, problem: str) -> InputError:
    blob = arrived.blobs[part.key]
    layout = arrived.store.layout
    if layout.has(blob.digest, blob.size) and arrived.place(blob) == layout.tar(blob.digest):
        layout.check(blob)  # wrong because of this machine's disk is another error
    return InputError(f"{part.layer}/{part.name} there {problem}")


def by_word(parts: Sequence[Part], unproven: Unproven, place: str) -> list[str]:
    """For people: which parts nothing here proves, and why. place: whose word they are."""
    rows = [f"  {part.layer}/{part.name}: {unproven[part.key]}" for part in parts if part.key in unproven]
    return [f"Nothing here proves these parts, they are the word of {place}:", *rows] if rows else []
