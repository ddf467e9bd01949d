"""Inputs that a person may have to bring: a vendor's image or wheel, weights, data sets. All in one message."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from portside.config import Config
from portside.errors import InputError
from portside.lock.models import Lock
from portside.plan import Part
from portside.progress import human_bytes
from portside.recipe import Recipe
from portside.recipe.models import FileWeights
from portside.store import Store


@dataclass(frozen=True)
class ManualInput:
    """A file by name. size: bytes. origin: for people. url: where a download is tried first.

    kind: what it is for. part: of weights, `NAME/PATH`.
    """

    file: str
    size: int | None
    sha256: str | None
    origin: str | None
    url: str | None = None
    kind: Literal["base", "wheel", "weights", "data"] = "data"
    part: str = ""

    def is_for(self, part: Part) -> bool:
        """Whether a part of the image cannot be made without it."""
        if self.kind == "base":
            return part.kind == "base"
        if self.kind == "wheel":
            return part.layer == "env" and part.kind == "run"
        if self.kind != "weights" or part.layer != "weights":
            return False
        name, _, path = self.part.partition("/")
        return part.name == self.part or (part.name == name and path in part.manifest.get("files", ()))


def manual_inputs(recipe: Recipe, lock: Lock, last: str = "weights") -> list[ManualInput]:
    """Everything of a recipe's image that is looked for by its file name, up to the layer `last`."""
    found: list[ManualInput] = []
    archive = recipe.model.base.archive
    if lock.base.kind == "archive" and archive is not None:
        found.append(ManualInput(lock.base.file, lock.base.size, lock.base.sha256, archive.origin, kind="base"))
    for stage in recipe.stages:
        packages = lock.env.of(stage.recipe)
        origins = {wheel.file: wheel.origin for wheel in stage.python.manual} if stage.python else {}
        for wheel in packages.python.manual if packages and packages.python else ():
            found.append(ManualInput(wheel.file, wheel.size, wheel.sha256, origins.get(wheel.file), kind="wheel"))
    for name, wanted in sorted(recipe.model.weights.items()) if last == "weights" else ():
        if isinstance(wanted, FileWeights):
            models = {model.path: model for model in wanted.files}
            for file in lock.weights[name].files:
                model = models[file.path]
                place, part = Path(file.path).name, f"{name}/{file.path}"
                found.append(ManualInput(place, file.size, file.sha256, model.origin, model.url, "weights", part))
    return found


def data_inputs(recipe: Recipe, lock: Lock, names: Iterable[str]) -> list[ManualInput]:
    """The data sets of these names."""
    pairs = [(recipe.model.data[name], lock.data[name]) for name in names]
    return [ManualInput(locked.file, locked.size, locked.sha256, asked.origin, asked.url) for asked, locked in pairs]


def missing(inputs: Iterable[ManualInput], lock: Lock, store: Store, config: Config) -> list[ManualInput]:
    """Those that are neither in the store nor in one of the configured folders."""
    return [file for file in inputs if not (_in_store(file, lock, store) or in_folder(file.file, config))]


def in_folder(name: str, config: Config) -> Path | None:
    """A file of this name in the configured folders."""
    return next((folder / name for folder in config.folders if (folder / name).is_file()), None)


def _in_store(file: ManualInput, lock: Lock, store: Store) -> bool:
    if lock.base.kind == "archive" and file.file == lock.base.file:
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
) -> None:
    """Raise InputError that lists everything that a person has to bring and that is not here.

    offline: what could be downloaded counts too. last: the last layer that is wanted.
    parts: the parts that have to be made; None: all of them.
    """
    wanted = manual_inputs(recipe, lock, last)
    if parts is not None:
        wanted = [file for file in wanted if any(file.is_for(part) for part in parts)]
    lacking = missing(wanted, lock, store, config)
    to_bring = [file for file in lacking if file.url is None or offline]
    if to_bring:
        later = missing(data_inputs(recipe, lock, recipe.model.data), lock, store, config)
        downloads = [file for file in lacking if file not in to_bring]
        raise InputError(missing_text(recipe, to_bring, later, downloads), remedy(recipe, config))


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
        return f"Put them into {' or '.join(str(folder) for folder in config.folders)}; {again}."
    return f'Put them into a folder and name it in portside.toml (folders = ["/that/folder"]); {again}.'
