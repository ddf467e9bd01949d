"""The layer tars of an image in Podman: read in place where that is possible, else out of `podman save`."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from portside.common.canonical import CHUNK
from portside.common.values import DiffID
from portside.engines.podman_cli import Podman, failed
from portside.layers.raw import OverlayLayer


def overlay_folders(
    store: Mapping[str, Any], image: Mapping[str, Any], diff_ids: Sequence[DiffID], first: int
) -> list[OverlayLayer] | None:
    """The overlay folders of an image's layers from number `first` on, or None where they cannot be trusted.

    store: what `podman info` says of it. image: of `podman image inspect`. The image names its topmost folder;
    the storage's own record (containers/storage, layers.go: overlay-layers/layers.json) says which layer is below which
    and their diff IDs. Redirected, shifted or emulated overlays (metacopy, rootless, fuse-overlayfs) are not what a
    layer tar would hold.
    """
    status = store.get("graphStatus") or {}
    if store.get("graphDriverName") != "overlay" or os.geteuid() != 0 or set(store.get("graphOptions") or {}):
        return None
    if status.get("Native Overlay Diff") != "true" or status.get("Using metacopy") != "false":
        return None
    root = Path(store["graphRoot"])
    upper = Path(((image.get("GraphDriver") or {}).get("Data") or {}).get("UpperDir") or "/")
    try:
        records = {row["id"]: row for row in json.loads((root / "overlay-layers" / "layers.json").read_bytes())}
    except (OSError, ValueError):
        return None
    chain: list[Mapping[str, Any]] = []
    name: str | None = upper.parent.name
    while name and name in records:
        chain.insert(0, records[name])
        name = records[name].get("parent")
    if [row.get("diff-digest") for row in chain] != [f"sha256:{diff_id}" for diff_id in diff_ids]:
        return None
    folders = [root / "overlay" / row["id"] / "diff" for row in chain]
    if folders[-1:] != [upper] or not all(folder.is_dir() for folder in folders):
        return None
    return [OverlayLayer(folder) for folder in folders[first:]]


@contextmanager
def saved(podman: Podman, image: str, shown: str) -> Iterator[Iterator[bytes]]:
    """The stream of `podman save`; it may be left early. shown: what errors call the image."""
    command = ["podman", "save", "--format", "docker-archive", image]
    with subprocess.Popen(
        command, env=podman.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None and child.stderr is not None
        try:
            first = child.stdout.read(CHUNK)
            if not first:
                raise failed(f"saving {shown}", child.stderr.read())
            yield _pieces(first, child.stdout)
        finally:
            child.kill()


def _pieces(first: bytes, rest: Any) -> Iterator[bytes]:
    yield first
    while piece := rest.read(CHUNK):
        yield piece
