"""Inputs that a person may have to bring: a vendor's image or wheel, weights, data sets. All in one message."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from portside.common.progress import human_bytes
from portside.config import Config
from portside.errors import InputError, MissingInputError
from portside.fetch.folders import ManualInput, PointerOf, asked, candidates
from portside.inputs.kinds import WEIGHTS
from portside.inputs.pointers import source_pointers
from portside.lock.models import Lock
from portside.lock.record import LockedInput
from portside.lock.sources import LockedSource
from portside.net.suspect import Pointer
from portside.plan.model import Part
from portside.recipe import Recipe
from portside.store import Store


def manual_inputs(recipe: Recipe, lock: Lock, last: str = "weights") -> list[ManualInput]:
    """Everything of a recipe's image that is looked for in folders, up to the layer `last`, as it is locked."""
    locked = locked_files(lock)
    later = {"env": ("data", "weights", "sources"), "weights": ("data",)}.get(last, ("data", "weights"))
    found = [file for file in asked(recipe) if file.kind not in later]
    of_hubs = [] if "weights" in later else _of_hubs(lock)
    return [*(replace(file, input=locked[file.place]) for file in found), *of_hubs]


def _of_hubs(lock: Lock) -> Iterator[ManualInput]:
    """The weight files that only the lock names."""
    for name, weights in sorted(lock.weights.items()):
        if (page := WEIGHTS[weights.kind].page) is not None:
            for file in weights.inputs(f"weights.{name}"):
                yield ManualInput(file, page(weights), alone=False, pinned=True, weights=weights)


def data_inputs(recipe: Recipe, lock: Lock, names: Iterable[str]) -> list[ManualInput]:
    """The data sets of these names that are looked for in folders, as they are locked."""
    locked, wanted = locked_files(lock), {("data", name) for name in names}
    return [replace(file, input=locked[file.place]) for file in asked(recipe) if file.place in wanted]


def locked_files(lock: Lock) -> dict[tuple[str, str], LockedInput]:
    """All that is looked for in folders, by kind and place there, data sets by kind and name."""
    return {item.place: item for item in lock.inputs() if item.place is not None}


def stored_pointer(sources: Mapping[str, LockedSource], store: Store, file: ManualInput) -> Pointer | None:
    """What a pointer of Git LFS at a weight file's path says of it, in a locked git source that the store has.

    If several sources have one there that differ, the source that is called like the set of weights counts, or the one
    whose repository the file's URL begins with; else none.
    """
    if file.kind != "weights":
        return None
    name, _, path = file.file.partition("/")
    said: dict[str, Pointer] = {}
    for source_name, source in sorted(sources.items()):
        for pointer in ((commit := source.commit_of) and source_pointers(commit, store)) or ():
            if pointer.path == path:
                said[source_name] = Pointer(pointer.sha256, pointer.size)
    own = [key for key in said if key == name or _is_below(file.url, sources[key])]
    chosen = {said[key] for key in own or said}
    return chosen.pop() if len(chosen) == 1 else None


def _is_below(url: str | None, source: LockedSource) -> bool:
    commit = source.commit_of
    return url is not None and commit is not None and url.startswith(commit.url.removesuffix(".git") + "/")


def missing(
    inputs: Iterable[ManualInput], lock: Lock, store: Store, config: Config, pointer_of: PointerOf | None = None
) -> list[ManualInput]:
    """Those that are neither in the store nor, as far as sizes tell, in one of the configured folders.

    pointer_of: what pointers of Git LFS say; default: those of sources that the store has.
    """
    pointer_of = pointer_of or partial(stored_pointer, lock.sources, store)

    def is_here(file: ManualInput) -> bool:
        if _in_store(file, lock, store):
            return True
        return any(candidate.may_be(file) for candidate in candidates(file, config, pointer_of))

    return [file for file in inputs if not is_here(file)]


def _in_store(file: ManualInput, lock: Lock, store: Store) -> bool:
    if file.kind == "base":
        return bool(lock.base.layers) and all(store.layout.has(layer.diff_id, layer.size) for layer in lock.base.layers)
    return file.sha256 is not None and store.inputs.locate(file.sha256) is not None


def require_manual(
    recipe: Recipe,
    lock: Lock,
    store: Store,
    config: Config,
    *,
    offline: bool = False,
    last: str = "weights",
    parts: Sequence[Part] | None = None,
    pointer_of: PointerOf | None = None,
) -> None:
    """Raise MissingInputError that lists everything that a person has to bring and that is not here.

    offline: what could be downloaded counts too. last: the last layer that is wanted.
    parts: the parts that have to be made; None: all of them. pointer_of: see `missing`.
    Raises InputError instead where a file is there that is another.
    """
    wanted = manual_inputs(recipe, lock, last)
    if parts is not None:
        wanted = [file for file in wanted if any(file.is_for(part) for part in parts)]
    lacking = missing(wanted, lock, store, config, pointer_of)
    to_bring = [file for file in lacking if file.by_hand or offline]
    if to_bring:
        later = missing(data_inputs(recipe, lock, recipe.model.data), lock, store, config)
        downloads = [file for file in lacking if file not in to_bring]
        text = missing_text(recipe, to_bring, later, downloads)
        if others := list(_others(to_bring, config)):
            raise InputError("\n".join([text, "and these are other files:", *others]), remedy(recipe, config))
        raise MissingInputError(text, remedy(recipe, config))


def _others(files: Iterable[ManualInput], config: Config) -> Iterator[str]:
    """The files that lie where these belong, and have another size."""
    for file in files:
        for candidate in candidates(file, config, lambda _: None):
            yield f"  {candidate.path} has {candidate.path.stat().st_size} bytes, the lock says {file.size}"


def missing_text(
    recipe: Recipe,
    files: Sequence[ManualInput],
    later: Sequence[ManualInput] = (),
    downloads: Sequence[ManualInput] = (),
) -> str:
    """Every file with name, size, hash and origin.

    later: those that only a run target needs. downloads: those that nobody has to bring where their URL answers.
    """
    lines = [f"{recipe.name} needs {len(files)} file(s) that are not on this machine:", *_lines(files)]
    if downloads:
        lines += ["and these, which are then downloaded, unless they lie in the folder too:", *_lines(downloads)]
    if later:
        lines += ["and later, for run targets that read data:", *_lines(later)]
    return "\n".join(lines)


def _lines(files: Sequence[ManualInput]) -> Iterator[str]:
    for file in files:
        size = f"{file.size} bytes ({human_bytes(file.size)})" if file.size is not None else "size unknown"
        yield f"  {file.file}: {size}, sha256 {file.sha256 or 'unknown: locked when first seen'}"
        yield from (f"    from {place}" for place in (file.url, file.origin) if place)


def remedy(recipe: Recipe, config: Config, again: str | None = None) -> str:
    """Where to put them, and what to do then."""
    again = again or f"then invoke fetch --recipe {recipe.name}"
    if config.folders:
        return f"Put each into {' or '.join(map(str, config.folder_paths))}, at its path above; {again}."
    return (
        f'Put each into a folder, at its path above, and name that in portside.toml (folders = ["/that/folder"]); '
        f"{again}."
    )
