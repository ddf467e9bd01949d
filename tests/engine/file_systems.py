"""The files of whole images: of those that Portside built, and of plain builds of what it rendered."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from own_left import forgotten_build

from portside.diff.files import FileChange, FileSystem, compare
from portside.engines import ImageToBuild, open_engine
from portside.layers.canonical import canonicalise
from portside.layers.engine_layer import read
from portside.layers.index import Index
from portside.layers.raw import LayerSource
from portside.layers.writer import read_layer
from portside.plan.model import STACKED
from portside.store import Store
from portside.store.layout import Blob


def blobs_of(report: Any) -> list[Blob]:
    """The blobs that `build --json` names, in the order in which an image has them, bottom first."""
    layers = sorted(report["layers"], key=lambda layer: STACKED.index(layer["name"]))
    return [Blob(i.removeprefix("sha256:"), 0) for layer in layers for i in layer["diff_ids"]]


def of_build(home: Path, report: Any, foreign: int = 0) -> Index:
    """Read out of the blobs anew. foreign: how many of the lowest are layers of an image that somebody else made."""
    layout = Store(home).layout
    tars = [layout.tar(blob.digest) for blob in blobs_of(report)]
    index = of_layers(tars[:foreign])
    for tar in tars[foreign:]:
        index = index.apply(read_layer(tar))
    return index


def of_layers(sources: Iterable[LayerSource]) -> Index:
    """Layers of a vendor may be among them, whose whiteouts are not held to what engines write for steps."""
    layers = [replace(read(source), misnamed=set()) for source in sources]
    return Index.of([canonicalise(layers, Index.empty(), 0)])


def of_plain_build(context: Path, tag: str) -> Index:
    """Of `docker build --network none --tag TAG CONTEXT` with BuildKit: nothing of ours takes part in it."""
    engine = open_engine()
    try:
        with forgotten_build(engine, context):
            engine.build(ImageToBuild(context, context / "Dockerfile", tag), lambda line: None)
        with engine.new_layers(tag, 0) as sources:
            return of_layers(sources)
    finally:
        engine.remove_image(tag)


def differences(left: Index, right: Index) -> list[FileChange]:
    return compare(FileSystem(left.entries), FileSystem(right.entries))
