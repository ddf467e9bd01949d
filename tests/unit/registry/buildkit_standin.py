"""BuildKit's cache as far as builds fill it: what a build makes, what it uses again, and what may be removed."""

import re
from collections.abc import Callable, Collection
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from test_builds_share_parts import Executing

from portside.engines import CacheRecord
from portside.errors import BuildError

STEP = "mount / from exec /bin/sh -c "


class Cache:
    """Records by ID. The clock goes on by one with every look and every record."""

    def __init__(self) -> None:
        self.there: dict[str, CacheRecord] = {}
        self.fails: Exception | None = None
        self._clock = count(10**9)
        self._names = count()

    def now(self) -> int | None:
        return next(self._clock)

    def records(self) -> list[CacheRecord]:
        if self.fails:
            raise self.fails
        return list(self.there.values())

    def remove(self, ids: Collection[str]) -> set[str]:
        gone: set[str] = set()
        while leaves := {
            name
            for name in set(ids) - gone
            if name in self.there
            and not self.there[name].in_use
            and not any(name in record.parents for record in self.there.values())
        }:
            for name in leaves:
                del self.there[name]
            gone |= leaves
        return gone

    def add(self, kind: str, text: str, parents: tuple[str, ...] = (), size: int = 0) -> str:
        name = f"record{next(self._names)}"
        now = next(self._clock)
        self.there[name] = CacheRecord(name, kind, text, parents, size, now, now)
        return name

    def use(self, name: str) -> str:
        self.there[name] = replace(self.there[name], used=next(self._clock))
        return name

    def put(self, text: str, parent: str | None, size: int = 0) -> str:
        """The record of this text above this one: the one that is there, or a new one."""
        parents = (parent,) if parent else ()
        for name, record in self.there.items():
            if (record.text, record.parents) == (text, parents):
                return self.use(name)
        return self.add("regular", text, parents, size)

    def texts(self, kind: str = "regular") -> list[str]:
        return sorted(record.text for record in self.there.values() if record.kind == kind)

    def steps(self) -> list[str]:
        return sorted(text.removeprefix(STEP) for text in self.texts() if text.startswith(STEP))


class Caching(Executing):
    """An engine with such a cache. beside: called while a build runs. failing: the command of a step that fails.
    step_size: bytes of each step's record."""

    def __init__(self, cache: Cache | None = None) -> None:
        super().__init__()
        self.cache = cache or Cache()
        self.beside: Callable[[], None] = lambda: None
        self.failing: str | None = None
        self.step_size = 100

    def build(self, image: Any, log: Callable[[str], None]) -> None:
        text = image.dockerfile.read_text()
        self.cache.add("source.local", "local source for dockerfile", size=len(text))
        self.cache.add("source.local", "local source for context")
        if "--mount" in text:
            files = [path for path in Path(image.context).rglob("*") if path.is_file()]
            self.cache.add("source.local", "local source for context", size=sum(path.stat().st_size for path in files))
        self.beside()
        below = None
        for diff_id in self.layers[image.parents()[0]]:
            below = self.cache.put(f"from local {diff_id}", below)
        for line in text.replace("\\\n", "").splitlines():
            if line.startswith("WORKDIR"):
                below = self.cache.put("fileop target", below)
            if run := re.match(r"RUN (?:--mount\S+ )?(.+)", line):
                if run[1] == self.failing:
                    raise BuildError(f"{run[1]} failed")
                below = self.cache.put(STEP + run[1], below, self.step_size)
        super().build(image, log)
