"""The conditions that the second build runs under: other than those of the first wherever that is possible.

A build that depends on one of them should show it here, and not first on somebody else's machine.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from portside.common.canonical import CHUNK
from portside.common.tree import Tree

INPUT_TIME = 1_000_000_000
"""Seconds since 1970 (2001): the time of the inputs that a step sees in the second build."""

NOT_VARIED = (
    "the engine's clock, host name and processors (it cannot be told others); files are searched for traces of the "
    "day and the host name instead"
)


@dataclass(frozen=True)
class Conditions:
    """umask: of our own process. timezone, locale: TZ and LC_ALL. processors: those that our process may use."""

    umask: int
    timezone: str
    locale: str
    processors: tuple[int, ...]

    def describe(self) -> list[str]:
        """One short line for each thing that is varied."""
        return [
            "the time of the build",
            f"umask {self.umask:03o}",
            f"time zone {self.timezone}",
            f"locale {self.locale}",
            f"processors {len(self.processors)}",
            "Python's hash seed",
            "the folder",
            "inputs of a step: written in the reverse order, with other times and modes",
        ]

    def environment(self, old: Mapping[str, str]) -> dict[str, str]:
        """The variables for the process of the second build."""
        new = {key: value for key, value in old.items() if not key.startswith("LC_")}
        return new | {
            "TZ": self.timezone,
            "LC_ALL": self.locale,
            "LANG": self.locale,
            "PYTHONHASHSEED": "random",
        }

    def apply(self) -> None:
        """Change this process for good."""
        os.umask(self.umask)
        os.sched_setaffinity(0, self.processors)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def other_conditions(environment: Mapping[str, str]) -> Conditions:
    """Conditions that differ from this process's."""
    umask = os.umask(0o077)
    os.umask(umask)
    zone = "Pacific/Kiritimati"  # 14 hours ahead: it is another day there most of the time
    locale = environment.get("LC_ALL") or environment.get("LANG") or "C"
    return Conditions(
        umask=0o022 if umask == 0o077 else 0o077,
        timezone="America/Anchorage" if environment.get("TZ") == zone else zone,
        locale="C.UTF-8" if locale in ("C", "POSIX") else "C",
        processors=(min(os.sched_getaffinity(0)),),
    )


def put_reversed(tree: Tree, root: Path) -> None:
    """Write a step's inputs as files of their own: the last first, with another time and this process's umask."""
    for entry in reversed(list(tree)):
        target = root / entry.path
        target.parent.mkdir(parents=True, exist_ok=True)
        assert entry.content is not None, entry.path
        with entry.content.open() as source, target.open("wb") as out:
            shutil.copyfileobj(source, out, CHUNK)
        os.utime(target, (INPUT_TIME, INPUT_TIME))
