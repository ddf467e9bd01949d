"""A recipe whose layers are all data, and machines (each a store of its own) that build, push and pull it."""

import hashlib
import io
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from portside.build.many import build
from portside.common.tree import Tree, file_entry
from portside.config import Config
from portside.fetch.fetcher import Fetcher
from portside.image.built import Built
from portside.layers.canonical import data_layer
from portside.layers.writer import write_layer
from portside.lock.bases import DebianBase
from portside.lock.models import Lock, LockedWeightFile, LockedWeights
from portside.lock.packages import LockedEnv
from portside.lock.written import writer
from portside.plan.model import Plan
from portside.plan.parts import plan
from portside.recipe import load_recipe
from portside.store import Store
from portside.store.layout import Blob

LARGE = 1 << 20
"""What counts as a large weight file in these tests."""

RECIPE = """\
description: a small model
base: {{debian: {{suite: bookworm}}}}
accelerator: {{name: cpu}}
env:
  files: [{{from: motd, to: /etc/motd}}]
files:
  - {{from: code.py, to: code.py}}
weights:
  model:
    files:
{files}
"""


class NoEngine:
    """An engine that only takes images; a recipe without run parts needs no more."""

    cache: Any = None
    name = "docker"
    free: int | None = None

    def __init__(self) -> None:
        self.loaded: dict[str, str] = {}
        self.layers: dict[str, list[str]] = {}

    def identity(self) -> str:
        return "none"

    def runs(self, architecture: str) -> bool:
        return architecture == "amd64"

    def diff_ids(self, ref: str, shown: str) -> list[str]:
        return self.layers[ref]

    def image_id(self, tag: str) -> str | None:
        return self.loaded.get(tag)

    def load(self, image: Any, transfer: Any) -> None:
        self.loaded |= dict.fromkeys(image.tags, image.image_id)
        self.layers |= {tag: [layer.diff_id for layer in image.layers] for tag in image.tags}

    def free_bytes(self) -> int | None:
        return self.free

    def room(self, size: int) -> int:
        return 2 * size

    def lacks(self, diff_ids: list[str | None]) -> list[bool]:
        known = {digest for layers in self.layers.values() for digest in layers}
        return [digest not in known for digest in diff_ids]

    def describe(self) -> str:
        return "nothing"


@dataclass
class Small:
    """The project. weights: name -> bytes; those of LARGE bytes or more have blobs of their own."""

    root: Path
    weights: dict[str, bytes]

    def __post_init__(self) -> None:
        self.downloads.mkdir(parents=True)
        for name, data in self.weights.items():
            (self.downloads / name).write_bytes(data)
        rows = [
            f"      - {{path: {name}, origin: a test, sha256: {weights_sha(d)}}}" for name, d in self.weights.items()
        ]
        folder = self.root / "recipes" / "small"
        folder.mkdir(parents=True)
        (self.root / "recipes" / "small.yaml").write_text(RECIPE.format(files="\n".join(rows)))
        (folder / "motd").write_text("hello\n" * 1000)
        self.edit("print('one')\n")

    @property
    def downloads(self) -> Path:
        return self.root / "downloads"

    def edit(self, code: str) -> None:
        (self.root / "recipes" / "small" / "code.py").write_text(code)

    def plan(self, base: str, size: int) -> Plan:
        recipe = load_recipe(self.root, "small")
        files = tuple(
            LockedWeightFile(path=name, size=len(data), sha256=weights_sha(data)) for name, data in self.weights.items()
        )
        return plan(
            recipe,
            Lock(
                written_by=writer(),
                recipe="small",
                epoch=1700000000,
                requests=recipe.requests(),
                base=DebianBase(
                    suite="bookworm",
                    architecture="amd64",
                    snapshot="20240101T000000Z",
                    epoch=1690000000,
                    debs=(),
                    diff_id=base,
                    size=size,
                ),
                env=LockedEnv(),
                sources={},
                weights={"model": LockedWeights(epoch=1700000000, files=files)},
            ),
        )


@dataclass
class Machine:
    """One store; `at_birth`: it has the base, as if it had been fetched."""

    small: Small
    home: Path
    has_base: bool = True
    engine: NoEngine = field(default_factory=NoEngine)

    def __post_init__(self) -> None:
        self.store = Store(self.home)
        self.base, data = base_layer()
        if self.has_base:
            self.store.layout.put_blob(data)

    @property
    def plan(self) -> Plan:
        return self.small.plan(self.base.digest, self.base.size)

    def build(self, *registries: str, folders: bool = True, **more: Any) -> list[Built]:
        config = Config(home=self.home, folders=(self.small.downloads,) if folders else ())
        fetcher = Fetcher(self.store, config, offline=True)
        engine: Any = self.engine
        return build(self.plan, self.store, fetcher, engine, registries=registries, **more)

    def image_id(self) -> str:
        image = self.store.layout.image("small:weights")
        assert image is not None
        return image.image_id

    def diff_ids(self) -> list[str]:
        image = self.store.layout.image("small:weights")
        assert image is not None
        return [layer.digest for layer in image.layers]

    def blobs(self) -> set[str]:
        folder = self.home / "oci" / "blobs" / "sha256"
        return {path.name for path in folder.iterdir()} if folder.is_dir() else set()

    def check_blobs(self) -> None:
        """Everything under a final name is what its name says."""
        for digest in self.blobs():
            assert sha(self.store.layout.blob(digest).read_bytes()) == digest

    def scratch(self) -> list[str]:
        folder = self.home / "partial"
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


@cache
def base_layer() -> tuple[Blob, bytes]:
    """The base that all machines have: its name and its bytes."""
    tree = Tree([file_entry("bin/tool", b"\x7fELF" + Random(1).randbytes(200_000))])
    out = io.BytesIO()
    written = write_layer(data_layer(tree, 1690000000), out)
    return Blob(written.diff_id, written.size), out.getvalue()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@lru_cache(maxsize=32)
def weights_sha(data: bytes) -> str:
    """As `sha`, for what many projects have: a plan asks for it again and again."""
    return sha(data)


@cache
def random_bytes(seed: str, size: int) -> bytes:
    return Random(seed).randbytes(size)


def small_project(root: Path, monkeypatch: pytest.MonkeyPatch, sizes: dict[str, int] | None = None) -> Small:
    import portside.lock.models

    monkeypatch.setattr(portside.lock.models, "LARGE", LARGE)
    sizes = sizes or {"big.bin": 5 << 18, "other.bin": LARGE, "vocab.txt": 5000}
    return Small(root, {name: random_bytes(name, size) for name, size in sizes.items()})
