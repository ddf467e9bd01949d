"""A machine whose builds leave large weights where a person has them."""

import hashlib
import os
from pathlib import Path
from typing import Any

from small_project import Machine, NoEngine

from portside.build.many import build
from portside.config import Config, KeptFolder
from portside.fetch.fetcher import Fetcher


class Reading(NoEngine):
    """An engine that reads what it is sent before it has it. got: sha256 by diff ID."""

    def __init__(self) -> None:
        super().__init__()
        self.got: dict[str, str] = {}

    def load(self, image: Any, transfer: Any) -> None:
        for layer in image.layers:
            with layer.open() as stream:
                self.got[layer.diff_id] = hashlib.sha256(b"".join(iter(lambda: stream.read(1 << 16), b""))).hexdigest()
        super().load(image, transfer)


def config_of(machine: Machine) -> Config:
    return Config(home=machine.home, folders=(KeptFolder(path=machine.small.downloads, keep="in place"),))


def build_in_place(machine: Machine, **options: Any) -> Any:
    engine: Any = machine.engine
    return build(
        machine.plan, machine.store, Fetcher(machine.store, config_of(machine), offline=True), engine, **options
    )


def large(machine: Machine) -> list[Any]:
    return [part for part in machine.plan.build_order() if part.kind == "frame"]


def change(path: Path) -> None:
    """Other bytes, as many, at the same time."""
    before = path.stat()
    with path.open("r+b") as stream:
        stream.seek(1 << 19)
        stream.write(b"something else")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
