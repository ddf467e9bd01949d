"""The images that builds need in an engine on their way: under names that no registry and nobody else has.

What is in use is noted in the store, by a file per build that its process holds by a lock; the engine's command
inherits the lock, because it may outlive a process that is killed. So the next build knows what was left behind.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portside.common.canonical import canonical_json
from portside.common.progress import say
from portside.common.values import ImageName, Key
from portside.engines import Builder
from portside.errors import EngineError
from portside.store import files

HOST = "portside.invalid"
"""RFC 6761: no host ever has a name below `invalid`, so no registry can."""
FOLDER = "builds"


@dataclass(frozen=True)
class Names:
    """token: random, of this build alone. result, parent: what its image and the one below are called meanwhile.
    holder: the file descriptor whose lock says that they are in use."""

    token: str
    result: str
    parent: str
    holder: int


class Temporaries:
    """The names of one build. At the end of its `with` block they go, and the images with them; at its beginning, what
    killed builds left.

    home: the store that notes them.
    """

    def __init__(self, engine: Builder, home: Path) -> None:
        self._engine = engine
        self._home = home
        self._stack = ExitStack()

    def __enter__(self) -> "Temporaries":
        self._remove_abandoned()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def new(self, key: Key) -> Names:
        """Names for building the part of this key."""
        return self._stack.enter_context(self._held(key))

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
                yield Names(token, note["result"], note["parent"], stream.fileno())
            finally:
                self._remove(final, note)

    def _remove(self, record: Path, note: dict[str, str]) -> None:
        """Remove the images, and then the note. Where an image stays, the note does: a later build tries again."""
        stays = False
        for name in (note["result"], note["parent"]):
            try:
                self._engine.remove_image(name)
            except EngineError as error:  # what ended the build is what matters, and a finished one is finished
                say(f"a temporary image stays: {error.problem}")
                stays = True
        if not stays:
            record.unlink(missing_ok=True)

    def _remove_abandoned(self) -> None:
        for path in sorted((self._home / FOLDER).glob("*.json")):
            try:
                handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            with os.fdopen(handle, "rb") as stream:
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                note = files.read_json(path, _note)
                if note is not None and note["engine"] == self._engine.identity():
                    try:
                        self._engine.remove_interrupted(note["parent"])
                    except EngineError as error:
                        say(f"what a killed build left stays: {error.problem}")
                    else:
                        self._remove(path, note)


def _note(value: Any) -> dict[str, str]:
    """A note of ours: what it has removed are temporary images and no others."""
    names = {name: ImageName(value[name]) for name in ("result", "parent")}
    if any(not name.startswith(f"{HOST}/build:") for name in names.values()):
        raise ValueError("no temporary image")
    return {"engine": str(value["engine"]), **names}
