"""A recipe and its lock, an engine that is none, and what the doctor says of them."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from runtime_recipes import TARGETS, make_recipe

from portside.accelerators import Host
from portside.config import Config
from portside.doctor import Finding, examine
from portside.engines import Choice, Engine, EngineImage
from portside.errors import EngineError
from portside.lock.bases import DebianBase
from portside.lock.models import Lock, LockedWeightFile, LockedWeights
from portside.lock.packages import Deb, LockedEnv
from portside.lock.written import writer
from portside.recipe import Recipe

SHARD = "c" * 64
ICE = b"a small model file"


class FakeEngine:
    def __init__(self, free: int | None = 1 << 40, now: int | None = 2_000_000_000, driver: str = "overlay2") -> None:
        self.free = free
        self.now = now
        self.driver = driver

    cache: Any = None

    def images(self) -> list[EngineImage]:
        return []

    def containers(self) -> list[Any]:
        return []

    def clock(self) -> int | None:
        return self.now

    def describe(self) -> str:
        return f"Docker 20.10.24, {self.driver}, BuildKit through /usr/bin/docker"

    def storage(self) -> str:
        return self.driver

    def runs(self, architecture: str) -> bool:
        return True

    def free_bytes(self) -> int | None:
        return self.free


def chooser(engine: FakeEngine | EngineError) -> Callable[[], Choice]:
    def choose() -> Any:
        if isinstance(engine, EngineError):
            raise engine
        return Choice(cast(Engine, engine), "no Docker daemon answers")

    return choose


def doctor(
    host: Host,
    home: Path,
    recipe: Recipe | None = None,
    lock: Lock | None = None,
    *,
    engine: FakeEngine | EngineError | None = None,
    folders: tuple[Path, ...] = (),
    registries: tuple[str, ...] = (),
) -> list[Finding]:
    config = Config(home=home, folders=folders, registries=registries)
    return examine(host, config, recipe, lock, chooser(engine or FakeEngine()))


def about(findings: list[Finding], subject: str) -> list[Finding]:
    return [finding for finding in findings if finding.subject == subject]


def one(findings: list[Finding], subject: str) -> Finding:
    (finding,) = about(findings, subject)
    return finding


def glm() -> Recipe:
    files = [
        {"path": "pytorch_model-00001-of-00008.bin", "origin": "the Tsinghua cloud drive"},
        {"path": "ice_text.model", "url": "https://models.example/ice_text.model"},
    ]
    return make_recipe(weights={"glm": {"files": files}}, run=TARGETS)


def glm_lock(*, shard_size: int = 1_700_000_000, shard: str | None = SHARD, ice: bytes = ICE) -> Lock:
    deb = Deb(name="a", version="1", architecture="all", path="pool/a.deb", size=1 << 20, sha256="d" * 64)
    base = DebianBase(
        suite="bookworm",
        architecture="amd64",
        snapshot="20240101T000000Z",
        epoch=1,
        debs=(deb,),
        diff_id="0" * 64,
        size=1,
    )
    files = (
        LockedWeightFile(path="pytorch_model-00001-of-00008.bin", size=shard_size, sha256=shard),
        LockedWeightFile(path="ice_text.model", size=len(ice), sha256=hashlib.sha256(ice).hexdigest()),
    )
    return Lock(
        written_by=writer(),
        recipe="glm",
        epoch=1,
        requests=glm().requests(),
        base=base,
        env=LockedEnv(),
        sources={},
        weights={"glm": LockedWeights(epoch=1, files=files)},
    )
