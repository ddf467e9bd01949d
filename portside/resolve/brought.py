"""What people bring, or a URL gives: what is known of it while a recipe is locked."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from portside.common.progress import say
from portside.common.values import Sha256, Size
from portside.errors import MissingInputError
from portside.fetch.fetcher import Fetcher, say_first_seen
from portside.fetch.folders import ManualInput, candidates, look, passed_over
from portside.fetch.manual import locked_files
from portside.inputs import python
from portside.lock.models import Lock
from portside.lock.packages import LockedManualWheel, LockedVendorFile
from portside.lock.sources import LockedSource
from portside.recipe import asked as recipes
from portside.recipe.python_packages import ManualWheel
from portside.recipe.vendor_files import VendorFile

Known = tuple[Sha256 | None, Size | None]


class BroughtFiles:
    """The files of one resolution. old: what was locked so far. update: the names of what is looked at anew. wanted:
    all files that are looked for in folders, by kind and place there."""

    def __init__(
        self,
        old: Lock | None,
        update: Collection[str] | Literal["all"],
        wanted: Mapping[tuple[str, str], ManualInput],
        fetcher: Fetcher,
    ) -> None:
        self._old = old
        self._update = update
        self._wanted = wanted
        self._fetcher = fetcher
        self._store = fetcher.store

    def wheel(self, wanted: ManualWheel, stage: str) -> LockedManualWheel:
        """A vendor's wheel that a stage asks for."""
        said = python.wheel_version(wanted.file)
        old = locked_files(self._old).get(("wheel", wanted.file)) if self._old else None
        names = {*(said or ())[:1], *([old.name] if old else [])}
        file = self._wanted["wheel", wanted.file]
        sha256, size = self._known("wheel", wanted, stage, names)
        known = replace(file, input=replace(file.input, sha256=sha256, size=size))
        if said is None:  # only its content says what it is
            sha256, size = self._fetcher.manual(known, {})
        elif sha256 is not None:
            with suppress(MissingInputError):
                self._fetcher.manual(known, {})
        held = self._store.inputs.locate(sha256) if sha256 is not None else None
        found = python.vendor_wheel(held.path if held else None, wanted.file)
        return LockedManualWheel(**found._asdict(), file=wanted.file, sha256=sha256, size=size)

    def vendor_file(self, wanted: VendorFile, stage: str) -> LockedVendorFile:
        """What a command of a stage installs."""
        sha256, size = self._known("vendor", wanted, stage, {wanted.file})
        return LockedVendorFile(file=wanted.file, sha256=sha256, size=size)

    def _known(self, kind: str, wanted: VendorFile, stage: str, names: Collection[str]) -> Known:
        """names: those by which it is updated."""
        anew = self._update != "all" and not set(names).isdisjoint(self._update)
        before = None if anew else self.seen_before(kind, wanted.file, f"env.{stage}", wanted)
        return before or self.pinned_or_seen(kind, wanted.file, {})

    def seen_before(self, kind: str, place: str, request: str, row: recipes.Model) -> tuple[Sha256, Size] | None:
        """What the old lock knows of a file that is asked for in the same words, though others of its group changed."""
        if self._old is None or self._update == "all":
            return None
        asked: Any = self._old.requests.get(request) or {}
        rows = asked.get("files", ())
        if kind == "wheel":
            rows = (asked.get("python") or {}).get("manual", ())
        elif kind == "vendor":
            rows = [file for step in asked.get("install", ()) for file in step.get("files", ())]
        before = locked_files(self._old).get((kind, place))
        if before is None or not before.pinned or row.model_dump(mode="json") not in rows:
            return None
        sha256, size = before.pin()
        return (sha256, size) if _agree(self._wanted[kind, place], sha256, size) else None

    def pinned_or_seen(self, kind: str, name: str, sources: Mapping[str, LockedSource]) -> Known:
        """sha256 and size of a file: as the recipe pins them, else as it lies in a folder, else unknown for now."""
        file = self._wanted[kind, name]
        held = self._store.inputs.locate(file.sha256) if file.sha256 is not None else None
        if file.known or held is not None:
            return file.sha256, Size(held.size) if held is not None and file.size is None else file.size
        config = self._fetcher.config
        found = candidates(file, config, partial(self._fetcher.pointer, sources))
        seen = look(file, found, self._store.inputs.seen)
        if seen is None:
            for line in passed_over(file, config, found):
                say(line)
            return file.sha256, file.size
        if file.sha256 is None:
            say_first_seen(file.file, str(seen.path), seen.sha256, seen.size)
        return seen.sha256, seen.size


def _agree(file: ManualInput, sha256: str | None, size: int | None) -> bool:
    """Whether what is locked of a file is what the recipe pins of it."""
    return file.sha256 in (None, sha256) and (file.size is None or file.size == size or size is None)
