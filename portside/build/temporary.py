"""What builds need in an engine on their way: images, under names that no registry and nobody else has, and its cache.

What is in use is noted in the store, by a file per build that its process holds by a lock; the engine's command
inherits the lock, because it may outlive a process that is killed. So the next build knows what was left behind.
"""

import fcntl
import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from portside.build.cache import CacheNotes, CacheTrace, about_build, from_json, to_json
from portside.common.canonical import canonical_json
from portside.common.progress import say
from portside.common.values import ImageName, Key
from portside.engines import Builder
from portside.errors import EngineError, PortsideError
from portside.store import files

HOST = "portside.invalid"
"""RFC 6761: no host ever has a name below `invalid`, so no registry can."""
FOLDER = "builds"


@dataclass(frozen=True)
class Names:
    """token: random, of this build alone. result, parent: what its image and the one below are called meanwhile.
    holder: the file descriptor whose lock says that they are in use. note: the file that it is of."""

    token: str
    result: str
    parent: str
    holder: int
    note: Path


class Temporaries:
    """The names of one build. At the end of its `with` block they go, and the images with them, and what the engine's
    cache need not keep of the build; at its beginning, what killed builds left.

    home: the store that notes them.
    """

    def __init__(self, engine: Builder, home: Path) -> None:
        self._engine = engine
        self._home = home
        self._stack = ExitStack()
        self._cache = CacheNotes(engine, home)
        self._made: dict[str, CacheTrace] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> "Temporaries":
        self.remove_abandoned()
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._cache.collect(self._made)
        except PortsideError as failed:
            say(f"the engine's cache keeps what this build left there: {failed.problem}")
        else:
            self._made.clear()
        self._stack.close()

    def new(self, key: Key) -> Names:
        """Names for building the part of this key; several threads may ask."""
        with self._lock:
            return self._stack.enter_context(self._held(key))

    @contextmanager
    def building(self, names: Names, part: str, context: Path, dockerfile: str) -> Iterator[None]:
        """Around a build under these names: the store notes what to look for in the engine's cache.

        part: for people, `minilm/env/packages`. context: the folder that the build is sent. dockerfile: its text.
        """
        cache = self._engine.cache
        since = None if cache is None else cache.now()
        if cache is None or since is None:
            yield
            return
        made = about_build(part, since, context, dockerfile)
        files.write_json(self._home, _made_path(names.note), to_json(made))
        self._made[names.token] = made
        try:
            yield
        finally:
            with suppress(EngineError):
                self._made[names.token] = replace(made, until=cache.now())

    @contextmanager
    def _held(self, key: Key) -> Iterator[Names]:
        token = secrets.token_hex(8)
        tag = f"{HOST}/build:{key[:12]}-{token}"
        note = {"engine": self._engine.identity(), "result": tag, "parent": f"{tag}-parent"}
        final = self._home / FOLDER / f"{token}.json"
        with files.new_file(self._home) as (stream, path):
            stream.write(canonical_json(note))
            stream.flush()
            files.publish(path, final, 0o644)  # the lock is the open file's, whatever its name
            try:
                yield Names(token, note["result"], note["parent"], stream.fileno(), final)
            finally:
                self._remove(final, note, token in self._made)

    def _remove(self, record: Path, note: Mapping[str, str], stays: bool = False) -> None:
        """Remove the images, and then the note. Where something stays, the note does: a later build tries again."""
        for name in (note["result"], note["parent"]):
            try:
                self._engine.remove_image(name)
            except EngineError as error:  # what ended the build is what matters, and a finished one is finished
                say(f"a temporary image stays: {error.problem}")
                stays = True
        if not stays:
            _made_path(record).unlink(missing_ok=True)
            record.unlink(missing_ok=True)

    def remove_abandoned(self) -> None:
        """Remove what killed builds of this store left in this engine."""
        for path, note in abandoned(self._home):
            if note["engine"] == self._engine.identity():
                try:
                    self._engine.remove_interrupted(note["parent"])
                    if (made := files.read_json(_made_path(path), from_json)) is not None:
                        self._cache.collect({path.stem: made})
                except EngineError as error:
                    say(f"what a killed build left stays: {error.problem}")
                else:
                    self._remove(path, note)


def _made_path(note: Path) -> Path:
    """The file beside a note that says what to look for in the engine's cache; there is none before a build begins."""
    return note.with_suffix(".made")


def abandoned(home: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """The notes of builds that have ended without removing theirs; each is held meanwhile."""
    return ((path, note) for path, note, is_held in _notes(home) if not is_held)


def held_names(home: Path) -> set[str]:
    """The names of images that builds of a store need at this moment."""
    return {name for _, note, is_held in _notes(home) if is_held for name in (note["result"], note["parent"])}


def _notes(home: Path) -> Iterator[tuple[Path, dict[str, str], bool]]:
    """Each note, and whether a build holds it. Else it is held here, until the next one is asked for."""
    for path in sorted((home / FOLDER).glob("*.json")):
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        with os.fdopen(handle, "rb") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                is_held = False
            except BlockingIOError:
                is_held = True
            note = files.read_json(path, _note)
            if note is not None:
                yield path, note, is_held


def _note(value: Any) -> dict[str, str]:
    """A note of ours: what it has removed are temporary images and no others."""
    names = {name: ImageName(value[name]) for name in ("result", "parent")}
    if any(not name.startswith(f"{HOST}/build:") for name in names.values()):
        raise ValueError("no temporary image")
    return {"engine": str(value["engine"]), **names}
