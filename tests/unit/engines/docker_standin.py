"""A Docker daemon as far as loading goes: which layers it opens, and what it says when one is not in the archive."""

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from portside.common.canonical import canonical_json
from portside.common.oci import chain_ids
from portside.engines import ImageLayer, ImageToLoad
from portside.engines.docker import DockerEngine


class Daemon:
    """images: the engine's ID -> what it tells of it. blobs: what the containerd store holds. chains: unpacked layers.
    sent: for each `load`, the layers of its archive. before_load: called once, before the next one."""

    def __init__(self, containerd: bool) -> None:
        self.containerd = containerd
        self.images: dict[str, dict[str, Any]] = {}
        self.names: dict[str, str] = {}
        self.blobs: set[str] = set()
        self.chains: set[str] = set()
        self.sent: list[list[str]] = []
        self.asked: list[str] = []
        self.before_load: Callable[[], None] = lambda: None

    def engine(self) -> DockerEngine:
        """An engine that asks this daemon."""
        engine: Any = object.__new__(DockerEngine)
        driver = ["driver-type", "io.containerd.snapshotter.v1"] if self.containerd else ["Backing Filesystem", "x"]
        engine.__dict__ |= {"_info": {"DriverStatus": [driver], "Driver": "overlay2"}, "_api": self, "_read": self.read}
        made: DockerEngine = engine
        return made

    def read(self, path: str) -> Any:
        self.asked.append(path)
        if path.startswith("/images/json"):
            return [self._shown(name) for name in self.images]
        found = re.fullmatch(r"/images/(.+)/json(\?.*)?", path)
        assert found is not None, path
        name = found[1].replace("%3A", ":")
        name = self.names.get(name, name)
        return self._shown(name) if name in self.images else None

    def _shown(self, name: str) -> dict[str, Any]:
        image = dict(self.images[name])
        diff_ids = image.pop("diff_ids")
        image |= {"Id": name, "RootFS": {"Layers": [f"sha256:{digest}" for digest in diff_ids]}}
        if self.containerd:
            image["Manifests"] = [{"Kind": "image", "ID": name, "Available": set(diff_ids) <= self.blobs}]
        else:
            image["GraphDriver"] = {"Data": {"UpperDir": "/x"}}
        return image

    def load_image(self, archive: Iterable[bytes]) -> Iterator[dict[str, str]]:
        """As moby image/tarexport/load.go and daemon/containerd/image_exporter.go do it."""
        before, self.before_load = self.before_load, lambda: None
        before()
        members = _members(b"".join(archive))
        [about] = json.loads(members["manifest.json"])
        diff_ids = [name.rpartition("/")[2] for name in about["Layers"]]
        given = {digest for digest in diff_ids if f"blobs/sha256/{digest}" in members}
        self.sent.append([digest for digest in dict.fromkeys(diff_ids) if digest in given])
        if self.containerd:
            self.blobs |= given
        for digest, chain in zip(diff_ids, chain_ids(diff_ids), strict=True):
            if chain in self.chains:
                continue
            if digest not in (self.blobs if self.containerd else given):
                yield {"error": f"open blobs/sha256/{digest}: no such file or directory"}
                return
            self.chains.add(chain)
        [descriptor] = json.loads(members["index.json"])["manifests"]
        config = about["Config"].rpartition("/")[2]
        if self.containerd:
            self.images[descriptor["digest"]] = {"Descriptor": descriptor, "diff_ids": diff_ids}
        else:
            self.images[f"sha256:{config}"] = {"diff_ids": diff_ids}
        yield {"stream": f"Loaded image ID: sha256:{config}"}

    def tag(self, image: str, repository: str, tag: str) -> None:
        self.names[f"{repository}:{tag}"] = image


def _members(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def layer(data: bytes) -> ImageLayer:
    return ImageLayer(hashlib.sha256(data).hexdigest(), len(data), lambda: io.BytesIO(data))  # type: ignore[arg-type]


def image(*layers: ImageLayer, name: str = "x:y") -> ImageToLoad:
    diff_ids = [f"sha256:{item.diff_id}" for item in layers]
    config = canonical_json({"name": name, "rootfs": {"type": "layers", "diff_ids": diff_ids}})
    return ImageToLoad(config, layers, (name,))


class Shown:
    """A Transfer that keeps what it is told."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.totals: list[int | None] = []
        self.done = 0

    @contextmanager
    def __call__(self, text: str, total: int | None) -> Iterator[Callable[[int], None]]:
        self.texts.append(text)
        self.totals.append(total)
        yield self._advance

    def _advance(self, count: int) -> None:
        self.done += count
