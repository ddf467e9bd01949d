"""One part becomes a layer blob: written by us, or executed by an engine."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from portside.build.needed_files import say_needed_files
from portside.build.run_places import RunPlace, Steps
from portside.common.parallel import run_all
from portside.common.progress import say, step
from portside.common.tree import FileRange, Tree
from portside.common.values import FileName, Key
from portside.errors import DamagedError, PortsideError, StepError, StoreError
from portside.fetch.fetcher import JOBS, Fetcher
from portside.inputs.spool import Spool
from portside.layers.canonical import canonicalise
from portside.layers.engine_layer import read
from portside.layers.index import Index
from portside.layers.layer import Layer
from portside.layers.writer import write_layer
from portside.plan.model import Install, Part, Plan
from portside.plan.places import check_layer, note_clear
from portside.plan.states import blob_of
from portside.store import Store
from portside.store.indexes import image_index
from portside.store.layout import Blob
from portside.trees import parts as data

PutContext = Callable[[Tree, Path], None]
"""Writes a tree of store files to a new folder for the engine, which only reads it."""

_NUMBERS = re.compile(r"^#\d+ (\d+\.\d+ )?")
"""In front of BuildKit's lines: the step, and its seconds."""


class NotNeededError(Exception):
    """What is being made is not needed any more: every recipe that has it has failed elsewhere."""


class PartMaker:
    """Makes parts of any number of recipes in one store, several at once. blobs: what there is, by part key. taken: the
    keys of those that another process made meanwhile."""

    def __init__(
        self,
        store: Store,
        *,
        no_cache: bool = False,
        put_context: PutContext | None = None,
        several: bool = False,
    ) -> None:
        """no_cache: make parts again that the store has. several: whether there is more than one recipe, so that a part
        is shown with the name of its own."""
        self.blobs: dict[Key, Blob] = {}
        self.taken: set[Key] = set()
        self._store = store
        self._no_cache = no_cache
        self._put_context = put_context or link_tree
        self._several = several

    def has(self, plan: Plan, part: Part) -> bool:
        """Whether there is nothing to make; if so, its blob is known from now on."""
        blob = blob_of(part, self._store)
        if blob is None or not _has_locked_size(plan, part, blob):
            return False
        if self._no_cache:
            try:
                self._store.layout.check(blob)
            except DamagedError as error:
                say(error.problem)
                return False
            # The base is an input that the lock pins: building it again could only give the same bytes or an error.
            if part.kind != "base":
                return False
        self.blobs[part.key] = blob
        return True

    def bring(self, plan: Plan, part: Part, fetcher: Fetcher) -> None:
        """Fetch what the part is made of; a base and a large weight are there then."""
        run_all(fetcher.jobs(part, plan), JOBS)
        if part.kind not in ("data", "run"):
            blob = blob_of(part, self._store)
            assert blob is not None, part.name
            self.blobs[part.key] = blob

    def write(self, plan: Plan, part: Part) -> None:
        """Make a data part of what was brought."""
        with self._alone(plan, part) as is_missing:
            if is_missing:
                with step(self.title(plan, part)), self._store.workspace() as folder, Spool(folder) as spool:
                    self._keep(plan, part, data.part_layer(plan, part, self._store, spool, self.blobs))

    def run(self, plan: Plan, part: Part, place: RunPlace, needed: Callable[[], None]) -> None:
        """Let a builder make a run part; the parts below it are there.

        needed: called while it works; raises NotNeededError when it is not any more.
        """
        with self._alone(plan, part) as is_missing:
            if is_missing:
                self._execute(plan, part, place, needed)

    def title(self, plan: Plan, part: Part) -> str:
        """What a person is shown it as."""
        name = f"{part.layer}/{part.name}"
        return f"{plan.recipe.name} {name}" if self._several else name

    @contextmanager
    def _alone(self, plan: Plan, part: Part) -> Iterator[bool]:
        """Be the only one that makes this part in this store; says whether it has to be made still."""
        name = self.title(plan, part)
        with self._store.lock(FileName(f"part-{part.key}"), lambda: say(f"waiting for another build of {name}")):
            if not self._no_cache and self.has(plan, part):
                self.taken.add(part.key)
                yield False
            else:
                yield True

    def _keep(self, plan: Plan, part: Part, layer: Layer) -> None:
        with self._store.layout.new_blob() as new:
            written = write_layer(layer, new.stream)
            new.commit(written.diff_id)
        self._store.keep("keys", part.key, part.record(written.diff_id, written.size))
        self.blobs[part.key] = Blob(written.diff_id, written.size)
        note_clear(plan, part, self.blobs[part.key], self._store)

    def _execute(self, plan: Plan, part: Part, place: RunPlace, needed: Callable[[], None]) -> None:
        with (
            step(f"{self.title(plan, part)} in {place.describe().partition(',')[0]}") as note,
            self._store.workspace() as folder,
        ):
            context = folder / "context"
            context.mkdir()
            for below, tree in data.run_context(plan, part, self._store).items():
                self._put_context(tree, context / below)
            steps = Steps(plan, part, self.blobs, self._store, context, folder, self._no_cache)
            lines: list[str] = []

            def log(line: str) -> None:
                lines.append(line)
                note(_NUMBERS.sub("", line))
                needed()

            try:
                with place.executed(steps, log) as sources:
                    layer = canonicalise([read(source) for source in sources], self._index(plan, part), part.epoch)
                    check_layer(plan, part, layer)
                    self._keep(plan, part, layer)
            except PortsideError as error:
                if isinstance(error, DamagedError):
                    raise
                needed()
                log_name = FileName(f"{plan.recipe.name}-{part.layer}-{part.name}")
                with suppress(StoreError):  # what failed is the step
                    kept = self._store.keep_log(log_name, "\n".join(lines) + "\n")
                    say(f"The whole output of the failed step is in {kept}")
                if isinstance(error, StepError) and isinstance(part.of, Install):
                    say_needed_files(plan.recipe, error)
                raise

    def _index(self, plan: Plan, part: Part) -> Index:
        below = plan.below(part)
        base = 0 if plan.lock.base.distribution else sum(part.kind == "base" for part in below)
        return image_index([self.blobs[part.key] for part in below], self._store, foreign=base)


def _has_locked_size(plan: Plan, part: Part, blob: Blob) -> bool:
    """Whether a base's blob is as large as the lock says; of other parts the store has noted the size."""
    base = plan.lock.base
    if part.kind != "base":
        return True
    return all(layer.size in (None, blob.size) for layer in base.layers if layer.diff_id == blob.digest)


def link_tree(tree: Tree, root: Path) -> None:
    """Write a tree of store files as hard links where the file system allows it: they are only read."""
    for entry in tree:
        target = root / entry.path
        target.parent.mkdir(parents=True, exist_ok=True)
        content = entry.content
        if isinstance(content, FileRange) and content.offset == 0 and content.path.stat().st_size == content.size:
            with suppress(OSError):
                os.link(content.path, target)
                continue
        assert content is not None, entry.path
        with content.open() as source, target.open("wb") as out:
            shutil.copyfileobj(source, out)
