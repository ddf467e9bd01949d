"""What a recipe looks for in the folders of portside.toml, and which file there is meant.

A file lies where its entry says: a weight file at SET/PATH (`weights:` SET, `path:` PATH), everything else at its name.
By its bare name a weight file is taken only where something says that it is this one: a sha256, a size, a pointer of
Git LFS in a source of the recipe, or that nothing else in the recipe has the name and no URL says where it is.
What nobody pinned is never taken for two entries at once.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from portside.archive.read import is_layout
from portside.common.never import never
from portside.common.values import Sha256, Size
from portside.config import Config
from portside.errors import InputError
from portside.lock.models import LockedWeights
from portside.lock.record import Kind, LockedInput
from portside.net import suspect
from portside.net.suspect import Pointer
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
    RecipeFiles,
    SmallWeights,
    Source,
    Trees,
    VendorInstall,
    WeightLinks,
)
from portside.recipe import Recipe
from portside.recipe.asked import Brought
from portside.recipe.vendor_files import VendorFile
from portside.store.seen import Seen


@dataclass(frozen=True)
class ManualInput:
    """How an input is looked for in folders. input: as its lock knows it, or as far as its recipe does.

    origin: for people. url: where it is downloaded. alone: nothing else in the recipe lies there or has its bare name.
    same_size: something else of the name may have as many bytes. pinned: the recipe itself says its size or its sha256.
    weights: the set, where its lock alone says which files it has, and its hub where they are.
    """

    input: LockedInput
    origin: str | None = None
    url: str | None = None
    alone: bool = True
    same_size: bool = False
    pinned: bool = False
    weights: LockedWeights | None = None

    @property
    def by_hand(self) -> bool:
        """Whether no download brings it."""
        return self.url is None and self.weights is None

    @property
    def place(self) -> tuple[str, str]:
        assert self.input.place is not None, self.input
        return self.input.place

    @property
    def kind(self) -> str:
        """What it is for: `base`, `wheel`, `vendor`, `sources`, `weights` or `data`."""
        return self.place[0]

    @property
    def file(self) -> str:
        """Where it lies in a folder: SET/PATH for weights."""
        return self.input.name if self.kind == "weights" else self.input.file

    @property
    def size(self) -> Size | None:
        """Bytes."""
        return self.input.size

    @property
    def sha256(self) -> Sha256 | None:
        return self.input.sha256

    @property
    def name(self) -> str:
        """Its bare name."""
        return self.file.rpartition("/")[2]

    @property
    def known(self) -> bool:
        return self.sha256 is not None and self.size is not None

    def is_for(self, part: Part) -> bool:
        """Whether a part of the image cannot be made without it."""
        match part.of:
            case BaseLayer():
                return self.kind == "base"
            case Packages():
                return self.kind == "wheel"
            case VendorInstall():
                return self.kind == "vendor" and self.file in part.manifest["inputs"]
            case SmallWeights(name, paths):
                return self.kind == "weights" and self.file in {f"{name}/{path}" for path in paths}
            case LargeWeight(name, path):
                return self.kind == "weights" and self.file == f"{name}/{path}"
            case Source(name):
                return self.place == ("sources", name)
            case Trees():
                return self.kind == "sources" and any(
                    self.place[1] in part.manifest.get(names, ()) for names in ("sources", "patched")
                )
            case Files() | BuiltPackages() | Converted() | InstallFiles() | Install() | RecipeFiles() | WeightLinks():
                return False
            case other:
                never(other)


PointerOf = Callable[[ManualInput], Pointer | None]
"""What a pointer of Git LFS in the recipe's sources says of a weight file."""


def sought(file: Brought) -> ManualInput:
    """A file by itself, as it is looked for before a lock names it."""
    return _asked("sources", "source", "sources", file)


def asked(recipe: Recipe) -> list[ManualInput]:
    """Everything of a recipe that is looked for in folders, with what the recipe itself pins; data sets come last."""
    found = [_asked("base", "archive", "base", file) for file in recipe.model.base.chosen.brought("base")]
    for stage in recipe.stages:
        rows: list[tuple[Kind, VendorFile]] = [("wheel", row) for row in (stage.python.manual if stage.python else ())]
        rows += [("vendor", row) for row in stage.vendor_files]
        for kind, row in rows:
            for file in row.brought(row.file):
                one = _asked("env", kind, kind, file)
                if one not in found:  # two recipes of a chain may name it
                    found.append(one)
    for name, source in sorted(recipe.model.sources.items()):
        found += [_asked(f"sources.{name}", "source", "sources", file, name) for file in source.brought(name)]
    for name, weights in sorted(recipe.model.weights.items()):
        found += [_asked(f"weights.{name}", "weights", "weights", file) for file in weights.brought(name)]
    for name, data in sorted(recipe.model.data.items()):
        found += [_asked(f"data.{name}", "data", "data", file, name) for file in data.brought(name)]
    return [_compared(file, [*found[:number], *found[number + 1 :]]) for number, file in enumerate(found)]


def _asked(at: str, kind: Kind, place: str, file: Brought, name: str = "") -> ManualInput:
    """As far as the recipe knows it. place: the kind by which it is looked for. name: of a source or data set."""
    called, known = name or file.file, None not in (file.sha256, file.size)
    pinned = (file.sha256, file.size) != (None, None)
    version = file.sha256 or "unknown"
    own = file.file.partition("/")[2] if kind == "weights" else file.file
    sought = LockedInput(at, kind, called, version, own, file.size, file.sha256, None, (place, called), known)
    return ManualInput(sought, file.origin, file.url, pinned=pinned)


def _compared(file: ManualInput, others: Sequence[ManualInput]) -> ManualInput:
    of_weights = file.kind == "weights"
    rivals = [other for other in others if (other.name == file.name if of_weights else other.file == file.file)]
    pinned = [other for other in rivals if other.size is not None or other.sha256 is not None]
    return replace(file, alone=not rivals, same_size=any(other.size in (None, file.size) for other in pinned))


@dataclass(frozen=True)
class CandidateFile:
    """A file that may be meant. sha256, size: what it has to have to be more than a file of that name."""

    path: Path
    sha256: str | None = None
    size: int | None = None

    def may_be(self, file: ManualInput) -> bool:
        """Whether it is as large as it has to be."""
        if file.kind == "base" and (not file.pinned or self.path.is_dir()):
            return True  # its layers tell, when it is read
        return {self.size, file.size} <= {None, _size(self.path)}

    def counts(self, seen: Seen) -> bool:
        """Whether it is more than a file of that name; its bytes are read to know, unless they were."""
        return self.sha256 is None or (self.size in (None, _size(self.path)) and _hash(self.path, seen) == self.sha256)


def candidates(file: ManualInput, config: Config, pointer_of: PointerOf) -> list[CandidateFile]:
    """The files in the configured folders that may be this one, the likeliest first; no bytes are read."""
    pinned = file.sha256 is not None or (file.size is not None and not file.same_size)
    found: list[CandidateFile] = []
    if file.kind == "weights" or file.alone or pinned:
        found += [CandidateFile(folder / file.file) for folder in config.folder_paths]
    named = [folder / file.name for folder in config.folder_paths if os.path.isfile(folder / file.name)]
    if file.kind == "weights" and named:
        if file.alone and (pinned or file.url is None):
            found += [CandidateFile(path) for path in named]
        elif pinned:
            # A file of this name that differs is another entry's, and no wrong one.
            found += [CandidateFile(path, file.sha256, file.size) for path in named]
        elif (pointer := pointer_of(file)) is not None and file.size in (None, pointer.size):
            found += [CandidateFile(path, pointer.sha256, pointer.size) for path in named]
    found = [c for c in found if os.path.isfile(c.path) or (file.kind == "base" and is_layout(c.path))]
    return [c for c in found if c.size is None or c.size == _size(c.path)]


def passed_over(file: ManualInput, config: Config, found: Sequence[CandidateFile]) -> list[str]:
    """What a person is told of files that have the name of one that nobody pinned and found, a line for each."""
    if file.sha256 is not None or found:
        return []
    return [
        f"{folder / file.name} is not taken for {file.file}: the name alone does not say that it is this one. "
        f"If it is, put it at {folder / file.file}, or pin its sha256."
        for folder in config.folder_paths
        if os.path.isfile(folder / file.name)
    ]


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _hash(path: Path, seen: Seen) -> str | None:
    try:
        return seen.hash(path, path.name)[0]
    except OSError:
        return None


@dataclass(frozen=True)
class Match:
    """A file that is what is pinned of it, and of what nobody pinned is nothing else. size: bytes."""

    path: Path
    sha256: Sha256
    size: Size


def look(file: ManualInput, found: Sequence[CandidateFile], seen: Seen) -> Match | None:
    """The first candidate that is what is pinned of the file, None where there is none or a download is left to try.

    seen: what is known of files of this machine: they are not read again. Raises InputError with what each candidate
    has where none is right.
    """
    wrong = []
    for path in [candidate.path for candidate in found if candidate.counts(seen)]:
        try:
            size = path.stat().st_size
            if file.size is not None and size != file.size:
                wrong.append(f"{path} has {size} bytes, the recipe says {file.size}")
                continue
            if file.sha256 is None and (reason := suspect.of_file(path, file.file, file.size)):
                wrong.append(f"{path} is {reason}. {suspect.REMEDY}")
                continue
            sha256, size = seen.hash(path, file.file)
        except OSError as error:
            wrong.append(f"{path} cannot be read: {error.strerror}")
            continue
        if file.sha256 in (None, sha256):
            return Match(path, sha256, size)
        wrong.append(f"{path} has sha256 {sha256}, the recipe says {file.sha256}")
    if wrong and file.url is None:
        raise InputError(
            "\n".join([f"no folder has the right {file.file}", *(f"  {line}" for line in wrong)]),
            "Put the right file there, or correct what the recipe says about it.",
        )
    return None


def where(file: ManualInput, config: Config) -> str:
    """Where a person puts it: its places in the configured folders, else its place in any folder."""
    return " or ".join(str(folder / file.file) for folder in config.folder_paths) or file.file
