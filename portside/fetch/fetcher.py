"""Bring every locked input into the store, verified; several at a time."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from portside.common.canonical import sha256_hex
from portside.common.never import never
from portside.common.parallel import Job, run_all
from portside.common.progress import say
from portside.common.url import shown
from portside.common.values import FileName, Sha256, Size
from portside.config import Config
from portside.errors import InputError, MissingInputError, Remedy, fetch_it
from portside.fetch.folders import ManualInput, candidates, passed_over, sought, where
from portside.fetch.manual import manual_inputs, missing, missing_text, remedy, require_manual, stored_pointer
from portside.inputs import git, python
from portside.inputs.debian.mirrors import deb_locations
from portside.inputs.debian.repositories import NOWHERE, Roots, archive_roots
from portside.inputs.kinds import BASES, SOURCES, WEIGHTS
from portside.lock.bases import LockedBase
from portside.lock.models import is_large
from portside.lock.packages import Artefact, Deb, DebOrigin, PackageSet
from portside.lock.sources import LockedSource
from portside.net import transfer
from portside.net.suspect import Pointer
from portside.plan.model import (
    BaseLayer,
    BuiltPackages,
    Converted,
    Files,
    Install,
    InstallFiles,
    LargeWeight,
    Packages,
    Part,
    Plan,
    RecipeFiles,
    SmallWeights,
    Source,
    Trees,
    VendorInstall,
    WeightLinks,
)
from portside.plan.states import frame_layer
from portside.recipe.asked import Brought
from portside.recipe.python_packages import Python
from portside.store import Store, frame
from portside.store.inputs import InPlace

JOBS = 8
"""Transfers at the same time; more do not make a network faster, fewer leave it idle while hashes are computed."""


class Fetcher:
    """Knows where this machine finds inputs.

    offline: nothing but the store and the configured folders. lenient: what people look for in folders (a vendor's
    files, weights) may stay missing; wrong bytes are an error nevertheless. mounting: large weights are only to be
    mounted, so those in a folder are used there, whatever the configuration says. root: the folder of the project.
    """

    def __init__(
        self,
        store: Store,
        config: Config,
        offline: bool = False,
        lenient: bool = False,
        mounting: bool = False,
        root: Path | None = None,
    ) -> None:
        self.store = store
        self.config = config
        self.offline = offline
        self.lenient = lenient
        self.mounting = mounting
        self.root = root

    def jobs(self, part: Part, plan: Plan) -> list[Job]:
        """What brings the inputs of one part into the store."""
        lock = plan.lock
        match part.of:
            case BaseLayer():
                made = BASES[lock.base.kind].bring
                return [partial(made, lock.base, self)] if made is not None else self._in_folders(part, plan)
            case Packages(recipe):
                packages = lock.env.of(recipe)
                return self._packages(packages, part, plan) if packages else []
            case VendorInstall():
                return self._in_folders(part, plan)
            case BuiltPackages(recipe):
                packages = lock.env.of(recipe)
                built = packages.python.built if packages and packages.python else None
                if packages is None or packages.python is None or built is None:
                    return []
                files = (*built.sdists, *built.tools, *packages.python.installers)
                return [partial(self.artefact, file, self._asked(plan, recipe)) for file in files]
            case Source(name):
                return self._sources([name], part, plan)
            case Trees():
                return self._sources(plan.recipe.tree_sources, part, plan)
            case SmallWeights(name) | LargeWeight(name):
                weights = lock.weights[name]
                bring = WEIGHTS[weights.kind].bring
                return [partial(bring, weights, self)] if bring is not None else self._in_folders(part, plan)
            case Files() | Converted() | InstallFiles() | Install() | RecipeFiles() | WeightLinks():
                return []
            case other:
                never(other)

    def require_manual(self, plan: Plan, parts: Sequence[Part] | None = None, last: str = "weights") -> None:
        """Raise InputError that lists every file for these parts that a person has to bring and that is not here."""
        require_manual(
            plan.recipe,
            plan.lock,
            self.store,
            self.config,
            offline=self.offline,
            last=last,
            parts=parts,
            pointer_of=partial(self.pointer, plan.lock.sources),
        )

    def debs(self, debs: Iterable[Deb], origin: DebOrigin, archives: Roots = NOWHERE) -> None:
        """Several .debs at a time. archives: the roots of those that the recipe names."""
        run_all([partial(self.deb, deb, origin, archives) for deb in debs], JOBS)

    def archive(self, base: LockedBase, file: ManualInput) -> LockedBase:
        """The layers of a base that a person brings, out of the first file in the folders that is the right one; gives
        the base as the lock should have it.

        Raises MissingInputError where no folder has such a file, InputError where none of them is right.
        """
        with self.store.lock(FileName(f"archive-{sha256_hex(file.file.encode())}")):
            if base.layers and all(self.store.layout.has(layer.diff_id, layer.size) for layer in base.layers):
                return base
            errors: list[InputError] = []
            read = BASES[base.kind].read
            assert read is not None, f"nobody brings {base.kind}"
            for candidate in candidates(file, self.config, lambda _: None):
                try:
                    found: LockedBase = read(candidate.path, base, self.store, file.pinned)
                except InputError as error:
                    errors.append(error)
                    continue
                [old], [new] = base.inputs("base"), found.inputs("base")
                if old.sha256 is None and new.sha256 is not None:
                    say_first_seen(file.file, str(candidate.path), new.sha256, new.size)
                elif not base.layers and new.sha256 is None:
                    say(f"{file.file}: first seen at {candidate.path}, locked by its {len(found.layers)} layers")
                return found
            if len(errors) == 1:
                raise errors[0]
            if errors:
                problems = [f"  {error.problem}" for error in errors]
                raise InputError("\n".join([f"no folder has the right {file.file}:", *problems]), errors[0].remedy)
            raise MissingInputError(
                f"{file.file} is in none of the configured folders", f"Put it at {where(file, self.config)}."
            )

    def _sources(self, names: Sequence[str], part: Part, plan: Plan) -> list[Job]:
        """What brings the sources of these names, which a part is made of."""
        own = Fetcher(self.store, self.config, self.offline, self.lenient, root=plan.recipe.root)
        sources = [plan.lock.sources[name] for name in names]
        jobs: list[Job] = [
            partial(bring, source, own) for source in sources if (bring := SOURCES[source.kind].bring) is not None
        ]
        return jobs + self._in_folders(part, plan)

    def _packages(self, packages: PackageSet, part: Part, plan: Plan) -> list[Job]:
        origin = packages.suites or plan.lock.base.distribution
        wheels = (*packages.python.wheels, *packages.python.installers) if packages.python else ()
        stage = next((stage for stage in plan.recipe.stages if stage.recipe == packages.recipe), None)
        archives = archive_roots(stage.archives, self.config) if stage is not None else {}
        debs = [partial(self.deb, deb, origin, archives) for deb in packages.debs] if origin is not None else []
        own = [wheel.file for wheel in packages.python.manual] if packages.python else []
        asked = self._asked(plan, packages.recipe)
        return [*debs, *(partial(self.artefact, wheel, asked) for wheel in wheels), *self._in_folders(part, plan, own)]

    def _asked(self, plan: Plan, recipe: str) -> Python | None:
        """What one recipe of the chain says of Python packages."""
        return next((stage.python for stage in plan.recipe.stages if stage.recipe == recipe), None)

    def _in_folders(self, part: Part, plan: Plan, wheels: Collection[str] = ()) -> list[Job]:
        """What brings the files of a part that people put into folders. wheels: the names of those that it installs."""

        def bring(file: ManualInput) -> None:
            with self._missing(plan):
                if file.kind == "base":
                    self.archive(plan.lock.base, file)
                elif not file.known:
                    raise MissingInputError(f"nobody knows the sha256 of {file.file} yet")
                elif part.kind == "frame":
                    self._large_weight(file, part, plan.lock.sources)
                else:
                    self.manual(file, plan.lock.sources)

        files = [file for file in manual_inputs(plan.recipe, plan.lock) if file.is_for(part)]
        return [partial(bring, file) for file in files if file.kind != "wheel" or file.file in wheels]

    @contextmanager
    def _missing(self, plan: Plan) -> Iterator[None]:
        """For people who look in vain: all that is missing in one message, instead of one each."""
        try:
            yield
        except MissingInputError as error:
            if self.lenient:
                return
            lacking = missing(manual_inputs(plan.recipe, plan.lock), plan.lock, self.store, self.config)
            text = [missing_text(plan.recipe, lacking)] if lacking else []
            closed = sorted({note for file in lacking if (note := self._closed(file))})
            again = " ".join([remedy(plan.recipe, self.config), *closed]) if lacking else error.remedy
            raise MissingInputError("\n".join([error.problem, *text]), again) from None

    def manual(self, file: ManualInput, sources: Mapping[str, LockedSource]) -> tuple[Sha256, Size]:
        """A file that a person brings, or that its URL gives; gives its sha256 (hex) and its size in bytes.

        What nobody knew the hash of is said, with the place that had it. sources: of the lock.
        """
        sha256 = file.sha256
        if sha256 is None or self.store.inputs.verified(sha256, file.file) is None:
            note = self._note(file)
            places = self._places(file, sources)
            in_place = self._in_place(file)
            sha256, place = transfer.first_seen(
                file.file, sha256, file.size, places, self.store, note, in_place=in_place
            )
            if file.sha256 is None:
                say_first_seen(file.file, place, sha256, self.store.inputs.require(sha256, file.file).size)
        self._check_size(file.file, sha256, file.size)
        return sha256, Size(self.store.inputs.require(sha256, file.file).size)

    def brought(self, file: Brought) -> tuple[Sha256, Size]:
        return self.manual(sought(file), {})

    def _places(self, file: ManualInput, sources: Mapping[str, LockedSource]) -> list[str]:
        """The places that may be asked for a file that people put into folders."""
        found = candidates(file, self.config, partial(self.pointer, sources))
        for line in passed_over(file, self.config, found):
            say(line)
        here = [str(candidate.path) for candidate in found if candidate.counts(self.store.inputs.seen)]
        if not self.offline and (downloads := self._downloads(file, sources)):
            return [*here, *downloads]
        if self.offline and not here:
            raise _offline(file.file)
        return here

    def _downloads(self, file: ManualInput, sources: Mapping[str, LockedSource]) -> list[str]:
        """Where a file may be downloaded."""
        if file.url is not None:
            return [file.url]
        places = WEIGHTS[file.weights.kind].places if file.weights is not None else None
        if file.weights is None or places is None:
            return []
        row = next(row for row in file.weights.files if row.path == file.input.file)
        return places(file.weights, row, self, sources)

    def pointer(self, sources: Mapping[str, LockedSource], file: ManualInput) -> Pointer | None:
        """As `stored_pointer`, with sources that the store lacks brought first."""
        for source in sources.values():
            if (commit := source.commit_of) is not None:
                with suppress(InputError):
                    git.fetch(commit, self.store, self.config, self.offline)
        return stored_pointer(sources, self.store, file)

    def _note(self, file: ManualInput) -> Remedy:
        """What a person can do where no place has the right file."""
        right = f"Put the right file at {where(file, self.config)}, or correct what the recipe says about it."
        name = file.place[1].partition("/")[0]
        right = " ".join(filter(None, (right, self._closed(file))))
        if file.kind not in ("weights", "data") or file.sha256 is None:
            return right
        return lambda recipe: f"{right} If another is meant: invoke lock --recipe {recipe} --update {name}"

    def _closed(self, file: ManualInput) -> str | None:
        """What a person can do where a hub wants a login."""
        closed = WEIGHTS[file.weights.kind].closed if file.weights is not None else None
        return closed(file.weights, self.config) if closed is not None else None

    def _in_place(self, file: ManualInput) -> InPlace:
        """Which files of this machine the store uses where they lie: large weights and data sets, where the
        configuration says so."""

        def chosen(path: Path) -> bool:
            large = file.kind == "data" or (file.kind == "weights" and is_large(Size(path.stat().st_size)))
            return large and (self.mounting or self.config.is_in_place(path))

        return chosen

    def has_file(self, part: Part, plan: Plan) -> bool:
        """Whether the file of a large weight is in the store, or lies where it is left in place.

        One that the store only knows where it lies, since it was mounted from there, is still to be copied.
        """
        if part.kind != "frame":
            return False
        for file in manual_inputs(plan.recipe, plan.lock):
            if file.is_for(part):
                found = candidates(file, self.config, partial(stored_pointer, plan.lock.sources, self.store))
                return self._has_its_own(file.sha256) or any(
                    self._in_place(file)(candidate.path) for candidate in found[:1]
                )
        return False

    def _has_its_own(self, sha256: Sha256 | None) -> bool:
        place = None if sha256 is None else self.store.inputs.locate(sha256)
        if place is None or sha256 is None:
            return False
        return self.store.inputs.in_place(sha256) is None or self.config.is_in_place(place.path)

    def deb(self, deb: Deb, origin: DebOrigin, archives: Roots = NOWHERE) -> None:
        def note(recipe: str) -> str:
            return f"If no mirror has it any more, resolve it anew: invoke lock --recipe {recipe} --update {deb.name}"

        places = partial(deb_locations, deb, origin, self.config, archives)
        self._bring(f"{deb.name} {deb.version}", deb.sha256, deb.size, places, note)

    def artefact(self, artefact: Artefact, wanted: Python | None = None) -> None:
        """A wheel or an sdist. wanted: what the recipe says of indexes, for what is asked for under `env.python`."""

        def note(recipe: str) -> str:
            again = f"invoke lock --recipe {recipe} --update {artefact.name}"
            return f"If it is gone from the index, resolve it anew: {again}"

        places = partial(python.locations, artefact, self.config, wanted)
        self._bring(artefact.file, artefact.sha256, artefact.size, places, note)

    def _bring(
        self, name: str, sha256: Sha256, size: Size | None, places: Callable[[], list[str]], note: Remedy
    ) -> None:
        if self.store.inputs.verified(sha256) is None:
            transfer.bring(name, sha256, size, self._allowed(places, name), self.store, note)
        self._check_size(name, sha256, size)

    def _check_size(self, name: str, sha256: Sha256, size: int | None) -> None:
        """Raise InputError where what is pinned contradicts itself: the bytes with this sha256 are more or fewer."""
        found = self.store.inputs.locate(sha256)
        if found is not None and size is not None and found.size != size:
            raise InputError(
                f"{name}: what has the sha256 {sha256} has {found.size} bytes, {size} are pinned",
                "One of the two is wrong: correct the recipe, then lock it again.",
            )

    def _allowed(self, places: Callable[[], list[str]], name: str) -> list[str]:
        """The places that may be asked. Offline, that is what is on this machine."""
        file = [str(folder / name) for folder in self.config.folder_paths]
        if not self.offline:
            return file + places()
        here = [place for place in file if Path(place).is_file()]
        if not here:
            raise _offline(name)
        return here

    def _large_weight(self, file: ManualInput, part: Part, sources: Mapping[str, LockedSource]) -> None:
        """Have a large weight file, and note the blob of its layer, which is made of it when it is read."""
        assert file.sha256 is not None and file.size is not None, file.file
        layer = frame_layer(part, file.sha256, file.size)
        used = self.store.inputs.in_place(file.sha256)
        in_folder = used is not None and any(used.is_relative_to(folder) for folder in self.config.folder_paths)
        if used is not None and in_folder and not self.config.is_in_place(used):
            self.store.inputs.forget_place(file.sha256)  # it was only mounted; the store of a build has its own
        if frame.make(self.store, part.key, layer):
            return
        self._check_size(file.file, file.sha256, file.size)
        attempt = partial(frame.receive, self.store, part.key, layer, self._in_place(file), file.file)
        note = self._note(file)
        transfer.stream_from(file.file, self._places(file, sources), file.size, attempt, note)


def _offline(name: str) -> MissingInputError:
    return MissingInputError(
        f"{name} is not in the store, and --offline forbids to fetch it",
        fetch_it,
    )


def say_first_seen(name: str, place: str, sha256: str, size: int | None) -> None:
    """Say what is locked now because of bytes that nobody knew before. place: a path or a URL."""
    at = shown(place) if "://" in place else place
    say(f"{name}: first seen at {at}, locked with sha256 {sha256} ({size} bytes); compare it with its publisher's")


def fetch(plan: Plan, fetcher: Fetcher) -> None:
    """Bring everything that the plan's parts are made of."""
    run_all([job for part in plan.build_order() for job in fetcher.jobs(part, plan)], JOBS)
