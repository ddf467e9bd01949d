"""What builds leave in a builder's cache: which records are ours, which of them stay, and a note of all of them.

Of each part of a recipe what its last build left stays, so that after a corrected step the steps above it need not be
executed again; what the builds before left goes, but for what the last one used again, and so do the folders that a
build was sent. What stays is at most KEPT_BYTES for a store and an engine, the newest first. The store notes every
record that is ours, so nothing depends on a process that lives to its end.

BuildKit does not say which build made a record. Those are ours that came while our build ran, as long as nobody else's
build did. Else only what can be told by itself: the steps of our Dockerfile and what lies below them, and folders of
the size of ours. Any other record stays, and so does what a build has in use: the engine does not remove that.
"""

import re
import stat
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from portside.common.values import FileName
from portside.engines import Builder, CacheRecord
from portside.store import files

FOLDER = "buildcache"
KEPT_BYTES = 4 << 30
BLOCK = 4096
"""Bytes that the smallest file takes where a builder counts the space that files take."""

_SOURCE = "source.local"
_STEP = "mount / from exec /bin/sh -c "
"""What BuildKit calls the result of a RUN (solver/llbsolver/ops/exec.go), with the command behind it."""
_CONTEXT, _DOCKERFILE = "local source for context", "local source for dockerfile"
_MOST_SOURCES = {_CONTEXT: 2, _DOCKERFILE: 1}
"""How many folders one build is sent: the context's first for its .dockerignore alone."""


@dataclass(frozen=True, slots=True)
class CacheTrace:
    """What is known of one build before it begins, and when it ends.

    part: `minilm/env/packages`. since: nanoseconds by the engine's clock; until: the same, None if nobody saw its end.
    commands: of its RUNs. sizes: what it is sent, as `local source for …` -> its bytes, and the space that it takes.
    """

    part: str
    since: int
    commands: tuple[str, ...]
    sizes: Mapping[str, tuple[int, int]]
    until: int | None = None


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """The records that one build made, as the store notes them. token: of the build."""

    token: str
    engine: str
    part: str
    since: int
    ids: tuple[str, ...]


def about_build(part: str, since: int, context: Path, dockerfile: str) -> CacheTrace:
    """part: as in CacheTrace. context: the folder that the build is sent. dockerfile: its text."""
    least, most = 0, BLOCK
    for path in context.rglob("*"):
        info = path.lstat()  # a link is sent as it is, wherever it leads: weights are elsewhere
        if stat.S_ISDIR(info.st_mode):
            most += BLOCK
        else:
            size = info.st_size
            least += size
            most += size + -size % BLOCK
    text = len(dockerfile.encode())
    sizes = {_CONTEXT: (least, most), _DOCKERFILE: (text, text + -text % BLOCK + BLOCK)}
    return CacheTrace(part, since, tuple(_commands(dockerfile)), sizes)


def _commands(dockerfile: str) -> Iterable[str]:
    """The commands of the RUNs, with one blank wherever there are some."""
    for line in dockerfile.replace("\\\n", "").splitlines():
        if run := re.match(r"RUN\s+(?:--\S+\s+)*(.+)", line):
            yield " ".join(run[1].split())


def made_by(records: Sequence[CacheRecord], made: CacheTrace) -> set[str]:
    """The IDs of the records that this build left, in doubt fewer."""
    until = made.until or max((record.created for record in records), default=0)
    new = {record.id: record for record in records if made.since <= record.created <= until}
    steps = {name for name, record in new.items() if _command(record) is not None}
    own = {name for name in steps if _command(new[name]) in made.commands}
    older = [r for r in records if r.created < made.since and (r.in_use or r.used >= made.since)]
    if own == steps and _is_alone([*new.values(), *older], new):
        return set(new)
    found = {name for name, record in new.items() if record.kind == _SOURCE and _is_sent(record, made)}
    while own:
        found |= own
        own = {parent for name in own for parent in new[name].parents if parent in new} - found
    return found


def _command(record: CacheRecord) -> str | None:
    return " ".join(record.text[len(_STEP) :].split()) if record.text.startswith(_STEP) else None


def _is_alone(touched: Sequence[CacheRecord], new: Collection[str]) -> bool:
    """Whether only one build was there: every build is sent a Dockerfile, or what it is made from in another way."""
    if any(record.kind not in (_SOURCE, "regular") for record in touched):
        return False
    sources = [record for record in touched if record.kind == _SOURCE]
    counts = [sum(record.text == text for record in sources) <= most for text, most in _MOST_SOURCES.items()]
    return all(record.id in new and record.text in _MOST_SOURCES for record in sources) and all(counts)


def _is_sent(record: CacheRecord, made: CacheTrace) -> bool:
    """Whether it is as large as the folder that was sent; an empty one is worth nothing to anybody."""
    return record.size in made.sizes.get(record.text, ()) or (record.text == _CONTEXT and record.size in (0, BLOCK))


def sort_out(entries: Sequence[CacheEntry], records: Sequence[CacheRecord]) -> set[str]:
    """The IDs that go, of those that the entries have."""
    found = {record.id: record for record in records}
    last: dict[str, CacheEntry] = {}
    gone: set[str] = set()
    total = 0
    for entry in sorted(entries, key=lambda entry: (-entry.since, entry.token)):
        newest = last.setdefault(entry.part, entry)
        there = [found[name] for name in entry.ids if name in found]
        kept = [r for r in there if r.kind != _SOURCE and (entry is newest or r.used >= newest.since)]
        size = sum(record.size for record in kept)
        if total + size > KEPT_BYTES:
            kept = []
        else:
            total += size
        gone |= {record.id for record in there} - {record.id for record in kept}
    return gone


class CacheNotes:
    """What a store has noted of one engine's cache. home: the store's folder."""

    def __init__(self, engine: Builder, home: Path) -> None:
        self._engine = engine
        self._home = home

    def entries(self) -> list[CacheEntry]:
        """Raises StoreError for a damaged note."""
        found = [
            CacheEntry(path.stem, **note)
            for path in sorted((self._home / FOLDER).glob("*.json"))
            if (note := files.read_json(path, _note)) is not None
        ]
        return [entry for entry in found if entry.engine == self._engine.identity()]

    def records(self) -> tuple[list[CacheRecord], list[CacheRecord]]:
        """Those of the engine's cache that are noted, and all others."""
        records = self._engine.cache.records() if self._engine.cache is not None else []
        ids = {name for entry in self.entries() for name in entry.ids}
        return [r for r in records if r.id in ids], [r for r in records if r.id not in ids]

    def collect(self, builds: Mapping[str, CacheTrace]) -> None:
        """Note what these builds (by their tokens) made, and remove what is not to stay. Raises EngineError."""
        cache = self._engine.cache
        if cache is None or not builds:
            return
        records = cache.records()
        with files.lock(self._home, FileName(FOLDER)):
            for token, made in builds.items():
                ids = made_by(records, made)
                self._write(CacheEntry(token, self._engine.identity(), made.part, made.since, tuple(sorted(ids))))
            entries = self.entries()
            self._remove(entries, records, sort_out(entries, records))

    def remove_all(self) -> set[str]:
        """Remove all that is noted; gives what is gone. Raises EngineError."""
        cache = self._engine.cache
        if cache is None or not self.entries():  # such as in a store that is not there yet
            return set()
        with files.lock(self._home, FileName(FOLDER)):
            entries = self.entries()
            return self._remove(entries, cache.records(), {name for entry in entries for name in entry.ids})

    def _remove(self, entries: Sequence[CacheEntry], records: Sequence[CacheRecord], ids: Collection[str]) -> set[str]:
        """Remove records, and note those that are left."""
        cache = self._engine.cache
        gone = cache.remove(ids) if cache is not None and ids else set()
        there = {record.id for record in records} - gone
        for entry in entries:
            if (left := tuple(name for name in entry.ids if name in there)) != entry.ids:
                self._write(replace(entry, ids=left))
        return gone

    def _write(self, entry: CacheEntry) -> None:
        path = self._home / FOLDER / f"{entry.token}.json"
        if entry.ids:
            value = {"engine": entry.engine, "part": entry.part, "since": entry.since, "ids": list(entry.ids)}
            files.write_json(self._home, path, value)
        else:
            with files.store_errors(path):
                path.unlink(missing_ok=True)


def to_json(made: CacheTrace) -> dict[str, Any]:
    return {
        "part": made.part,
        "since": made.since,
        "commands": list(made.commands),
        "sizes": {text: list(sizes) for text, sizes in made.sizes.items()},
    }


def from_json(value: Any) -> CacheTrace:
    """What `to_json` gave. Raises ValueError, KeyError or TypeError for anything else."""
    sizes = {str(text): (int(least), int(most)) for text, (least, most) in value["sizes"].items()}
    return CacheTrace(str(value["part"]), int(value["since"]), tuple(map(str, value["commands"])), sizes)


def _note(value: Any) -> dict[str, Any]:
    ids = tuple(map(str, value["ids"]))
    return {"engine": str(value["engine"]), "part": str(value["part"]), "since": int(value["since"]), "ids": ids}
