"""Which layers a Docker daemon has, and so need not be sent.

A graph driver knows a layer by its chain ID, and `docker load` does not open the file of one that it has (moby
image/tarexport/load.go). The containerd image store knows blobs by their digests, and accepts an archive without those
that it has. It also accepts one without a blob that it lacks, if only the layer is unpacked already; that image could
be run, but not be pushed or saved. So whether an image has its blobs is asked before and after (`Manifests` of API
1.48, Docker 28). Of images that others brought nothing is known: their blobs may be compressed, which makes others of
them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from portside.common.oci import chain_ids
from portside.common.values import DiffID
from portside.engines import archive
from portside.engines.docker_layers import layer_ids


class Held:
    """The layers of one daemon's images. read: a JSON answer of its API, None if there is no such thing.

    An image's layers never change, so each is asked for once; which images there are, every time.
    """

    def __init__(self, read: Callable[[str], Any], containerd: bool) -> None:
        self._read = read
        self._containerd = containerd
        self._layers: dict[str, list[DiffID]] = {}

    def lacks(self, diff_ids: Sequence[DiffID | None]) -> list[bool]:
        """For each layer of an image, lowest first, whether it would have to be sent. None: not known yet."""
        if self._containerd:
            blobs = {digest for layers in self._images() for digest in layers}
            return [digest not in blobs for digest in diff_ids]
        chains = {chain for layers in self._images() for chain in chain_ids(layers)}
        known = [digest for digest in diff_ids if digest is not None]
        if None in diff_ids:
            known = known[: diff_ids.index(None)]
        return [chain not in chains for chain in chain_ids(known)] + [True] * (len(diff_ids) - len(known))

    def _images(self) -> list[list[DiffID]]:
        rows = self._read(f"/images/json?all=true{'&manifests=true' if self._containerd else ''}")
        names = sorted({str(row["Id"]) for row in rows if not self._containerd or (annotated(row) and is_whole(row))})
        for name in names:
            # One that is gone meanwhile has nothing.
            if name not in self._layers and (image := self._read(f"/images/{quote(name)}/json")) is not None:
                self._layers[name] = layer_ids(image)
        return [self._layers[name] for name in names if name in self._layers]


def annotated(image: Mapping[str, Any]) -> str | None:
    """The config digest that `load` noted beside the manifest; only the containerd image store shows it."""
    noted = ((image.get("Descriptor") or {}).get("annotations") or {}).get(archive.CONFIG_ANNOTATION)
    return None if noted is None else str(noted)


def is_whole(image: Mapping[str, Any]) -> bool:
    """Whether the containerd image store says that it has every blob of an image."""
    manifests = image.get("Manifests") or []
    return bool(manifests) and all(manifest.get("Available") for manifest in manifests)


def is_broken(image: Mapping[str, Any]) -> bool:
    """Whether the containerd image store says that it lacks a blob of an image; older ones do not tell."""
    return bool(image.get("Manifests")) and not is_whole(image)
