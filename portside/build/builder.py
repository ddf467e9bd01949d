"""From a plan to layer blobs: what is missing is fetched, pulled, or built; `built` makes images of them."""

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path

from portside.build.engine_runs import EngineRuns
from portside.build.needed_files import say_needed_files
from portside.build.run_places import Steps
from portside.build.space import engine_needs
from portside.common.parallel import run_all, thread_pool
from portside.common.progress import live, say, step
from portside.common.tree import FileRange, Tree
from portside.common.values import FileName, Key
from portside.engines import Builder
from portside.errors import DamagedError, EngineError, PortsideError, StepError, StoreError
from portside.fetch.fetcher import JOBS, Fetcher
from portside.image.built import Built, keep_images, load_images
from portside.image.config import image_name, make_image
from portside.inputs.spool import Spool
from portside.layers.canonical import canonicalise
from portside.layers.engine_layer import read
from portside.layers.index import Index
from portside.layers.layer import Layer
from portside.layers.writer import write_layer
from portside.plan.model import Install, LayerPlan, Part, Plan
from portside.plan.places import check_layer, note_clear
from portside.plan.states import blob_of, expected_bytes
from portside.store import Store, files
from portside.store.indexes import image_index
from portside.store.layout import Blob
from portside.trees import parts as data

PutContext = Callable[[Tree, Path], None]
"""Writes a tree of store files to a new folder for the engine, which only reads it."""

_NUMBERS = re.compile(r"^#\d+ (\d+\.\d+ )?")
"""In front of BuildKit's lines: the step, and its seconds."""


def build(
    plan: Plan,
    store: Store,
    fetcher: Fetcher,
    engine: Builder,
    *,
    last: str = "weights",
    no_cache: bool = False,
    registries: Sequence[str] = (),
    load: bool = True,
    load_all: bool = False,
) -> list[Built]:
    """Build what is missing up to the layer `last`, keep the images in the store and load that of `last` into the
    engine.

    load: False leaves all of them in the store. load_all: load the images of the layers below it too.
    no_cache: build every part again, whatever the store or a registry has, and read the whole base.
    registries: repositories that are asked for a layer before it is built; what they give is verified.
    What a part needs is fetched first. Raises the first error of any part; finished parts stay in the store.
    A blob that turns out to be damaged when an engine is to get it is put aside and made again.
    """
    seen: set[str] = set()
    while True:
        try:
            return _build(plan, store, fetcher, engine, last, no_cache, registries, load, load_all)
        except DamagedError as error:
            # Each time one blob less is in the store; a blob that was made a moment ago and is damaged ends it.
            if error.digest in seen:
                raise
            seen.add(error.digest)
            say(f"{error.problem}, and made again")
            no_cache = False


def _build(
    plan: Plan,
    store: Store,
    fetcher: Fetcher,
    engine: Builder,
    last: str,
    no_cache: bool,
    registries: Sequence[str],
    load: bool,
    load_all: bool,
) -> list[Built]:
    builder = _Build(plan, store, engine, no_cache)
    wanted = plan.up_to(last)
    missing = [part for part in plan.build_order(last) if not builder.has(part)]
    _need_space(plan, missing, builder.blobs, store, engine, last, fetcher, load)
    with live(), builder:
        pulled = {} if no_cache or not missing else pull_layers(plan, wanted, missing, store, registries)
        unmade = [part for part in missing if part.key not in pulled or not builder.has(part)]
        _need_architecture(plan, unmade, engine)
        fetcher.require_manual(plan, unmade)
        builder.make(unmade, fetcher)
        built = keep_images(plan, store, wanted, missing, builder.blobs, pulled, builder.taken)
        if load:
            load_images(plan, built if load_all else built[-1:], store, engine)
    return built


def pull_layers(
    plan: Plan, layers: Sequence[LayerPlan], missing: Sequence[Part], store: Store, registries: Sequence[str]
) -> dict[Key, str]:
    """Bring missing parts from the registries that have them; gives for each part key where it came from."""
    if not registries:
        return {}
    from portside.share.layers import Registries

    with Registries(registries) as known:
        return known.pull(plan, layers, missing, store)


def make_again(
    plan: Plan,
    store: Store,
    fetcher: Fetcher,
    engine: Builder,
    parts: Sequence[Part],
    *,
    put_context: PutContext,
    names: Path,
) -> dict[Key, Blob]:
    """Build these parts again, whatever the store and the engine have of them; gives the blobs by part key.

    Nothing gets a name that lasts. The parts below must be in the store or among `parts`. names: the store that notes
    the temporary names, one that stays there.
    """
    _need_architecture(plan, parts, engine)
    builder = _Build(plan, store, engine, no_cache=True, put_context=put_context, names=names)
    with live(), builder:
        builder.blobs |= {
            part.key: blob for part in plan.build_order() if part not in parts and (blob := blob_of(part, store))
        }
        builder.make(parts, fetcher)
    return builder.blobs


def _need_space(
    plan: Plan,
    missing: Sequence[Part],
    there: Mapping[Key, Blob],
    store: Store,
    engine: Builder,
    last: str,
    fetcher: Fetcher,
    load: bool,
) -> None:
    """Raise StoreError or EngineError before any work where the disks surely cannot take what is to be built.

    there: the blobs of all other parts, by their keys. load: whether the engine gets the images.
    """
    if missing:
        # One blob may stand for several parts: a vendor's image repeats an empty layer.
        made = {part.key: expected_bytes(part, plan.lock) for part in missing if not fetcher.has_file(part, plan)}
        files.need_space(store.home, sum(made.values()))
    elif engine.image_id(image_name(plan.recipe.name, last)) == make_image(plan, last, there).image_id:
        return
    if load or any(part.kind == "run" for part in missing):
        engine_needs(plan, store, engine, last=last, missing=missing).check(engine.name)


def _need_architecture(plan: Plan, missing: Sequence[Part], engine: Builder) -> None:
    """Raise EngineError before any work where the engine is not known to execute what is to run in it."""
    architecture = plan.lock.base.architecture
    if any(part.kind == "run" for part in missing) and not engine.runs(architecture):
        raise EngineError(
            f"{plan.recipe.name}'s base is for {architecture}, and the engine is not known to run such programs: "
            f"{engine.describe()}",
            f"Build it on a machine for {architecture}, or let the engine's machine emulate one: `apt-get install "
            "qemu-user-static` on Debian 12; it has to be registered with the flag F (docs/configuration.md).",
        )


class _Build:
    """One build: which blobs it has, and how it makes the missing ones. taken: keys of those that another made."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        engine: Builder,
        no_cache: bool,
        put_context: PutContext | None = None,
        names: Path | None = None,
    ) -> None:
        self.blobs: dict[Key, Blob] = {}
        self.taken: set[str] = set()
        self._jobs: dict[str, Future[None]] = {}
        self._place = EngineRuns(engine, names or store.home)
        self._plan = plan
        self._store = store
        self._no_cache = no_cache
        self._put_context = put_context or link_tree

    def __enter__(self) -> "_Build":
        self._place.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._place.__exit__(*error)

    def has(self, part: Part) -> bool:
        blob = blob_of(part, self._store)
        if blob is None or not self._has_locked_size(part, blob):
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

    def _has_locked_size(self, part: Part, blob: Blob) -> bool:
        """Whether a base's blob is as large as the lock says; of other parts the store has noted the size."""
        base = self._plan.lock.base
        if part.kind != "base":
            return True
        return all(layer.size in (None, blob.size) for layer in base.layers if layer.diff_id == blob.digest)

    def make(self, missing: Sequence[Part], fetcher: Fetcher) -> None:
        """Data parts beside each other and beside the run parts, which follow each other."""
        unmade = {part.key for part in missing}
        with thread_pool(max(2, os.cpu_count() or 1)) as pool:
            self._jobs = {
                part.key: pool.submit(self._bring_and_make, part, fetcher)
                for part in missing
                if part.kind != "run" and part.after not in unmade
            }
            for part in missing:
                if part.kind == "run":
                    run_all(fetcher.jobs(part, self._plan), JOBS)
                    self._wait(self._plan.below(part))
                    self._run(part)
                elif part.key not in self._jobs:
                    self._jobs[part.key] = pool.submit(self._bring_and_make, part, fetcher)
            self._wait(missing)

    def _wait(self, parts: Sequence[Part]) -> None:
        """Wait until these parts are there. What any other part failed with by then is raised too."""
        for part in parts:
            if part.key in self._jobs:
                self._jobs[part.key].result()
        for error in self._failures():
            raise error

    def _failures(self) -> list[BaseException]:
        """What data parts have failed with so far."""
        return [error for job in self._jobs.values() if job.done() and (error := job.exception()) is not None]

    def _bring_and_make(self, part: Part, fetcher: Fetcher) -> None:
        run_all(fetcher.jobs(part, self._plan), JOBS)
        if part.kind == "data":
            self._data(part)
        blob = blob_of(part, self._store)
        assert blob is not None, part.name
        self.blobs[part.key] = blob

    @contextmanager
    def _alone(self, part: Part) -> Iterator[bool]:
        """Be the only one that makes this part in this store; says whether it has to be made still."""
        name = f"{part.layer}/{part.name}"
        with self._store.lock(FileName(f"part-{part.key}"), lambda: say(f"waiting for another build of {name}")):
            if not self._no_cache and self.has(part):
                self.taken.add(part.key)
                yield False
            else:
                yield True

    def _data(self, part: Part) -> None:
        with self._alone(part) as is_missing:
            if is_missing:
                with step(f"{part.layer}/{part.name}"), self._store.workspace() as folder, Spool(folder) as spool:
                    self._keep(part, data.part_layer(self._plan, part, self._store, spool, self.blobs))

    def _keep(self, part: Part, layer: Layer) -> None:
        with self._store.layout.new_blob() as new:
            written = write_layer(layer, new.stream)
            new.commit(written.diff_id)
        self._store.keep("keys", part.key, part.record(written.diff_id, written.size))
        self.blobs[part.key] = Blob(written.diff_id, written.size)
        note_clear(self._plan, part, self.blobs[part.key], self._store)

    def _run(self, part: Part) -> None:
        with self._alone(part) as is_missing:
            if is_missing:
                self._execute(part)

    def _execute(self, part: Part) -> None:
        place = self._place
        name = f"{part.layer}/{part.name}"
        with (
            step(f"{name} in {place.describe().partition(',')[0]}") as note,
            self._store.workspace() as folder,
        ):
            context = folder / "context"
            context.mkdir()
            for below, tree in data.run_context(self._plan, part, self._store).items():
                self._put_context(tree, context / below)
            steps = Steps(self._plan, part, self.blobs, self._store, context, folder, self._no_cache)
            lines: list[str] = []

            def log(line: str) -> None:
                lines.append(line)
                note(_NUMBERS.sub("", line))
                # A wrong count in a patch is known in seconds: nobody waits for the packages to hear of it.
                for error in self._failures():
                    raise error

            try:
                with place.executed(steps, log) as sources:
                    layer = canonicalise([read(source) for source in sources], self._index(part), part.epoch)
                    check_layer(self._plan, part, layer)
                    self._keep(part, layer)
            except PortsideError as error:
                if isinstance(error, DamagedError) or error in self._failures():
                    raise
                log_name = FileName(f"{self._plan.recipe.name}-{part.layer}-{part.name}")
                with suppress(StoreError):  # what failed is the step
                    kept = self._store.keep_log(log_name, "\n".join(lines) + "\n")
                    say(f"The whole output of the failed step is in {kept}")
                if isinstance(error, StepError) and isinstance(part.of, Install):
                    say_needed_files(self._plan.recipe, error)
                raise

    def _index(self, part: Part) -> Index:
        below = self._plan.below(part)
        base = 0 if self._plan.lock.base.distribution else sum(part.kind == "base" for part in below)
        return image_index([self.blobs[part.key] for part in below], self._store, foreign=base)


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
