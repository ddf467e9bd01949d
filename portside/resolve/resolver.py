"""From a recipe to its lock: every range and name becomes exact bytes."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from portside.common.parallel import run_all
from portside.common.progress import say, step
from portside.common.tree import Tree
from portside.common.values import Sha256, Size
from portside.config import Config
from portside.engines import Engine, choose_engine
from portside.errors import LockError, MissingInputError, RecipeError, did_you_mean
from portside.fetch.fetcher import JOBS, Fetcher
from portside.fetch.folders import ManualInput, asked
from portside.inputs import python
from portside.inputs.bringer import artefact_date
from portside.inputs.kinds import BASES, DATA, SOURCES, WEIGHTS
from portside.inputs.python import Asking, asking
from portside.inputs.spool import Spool
from portside.lock.agree import contradicted, is_made_of
from portside.lock.bases import LockedBase
from portside.lock.comparison import named_rightly
from portside.lock.lower import complete
from portside.lock.models import Lock, LockedData, LockedWeights
from portside.lock.packages import (
    Deb,
    LockedEnv,
    LockedInterpreter,
    PackageSet,
    PythonSet,
)
from portside.lock.sources import LockedSource
from portside.lock.written import same_layers, writer
from portside.recipe import Recipe
from portside.recipe import asked as recipes
from portside.recipe.python_packages import Python
from portside.recipe.stages import Stage
from portside.resolve import base_python, built
from portside.resolve.base_facts import BaseFacts, unseen_base
from portside.resolve.brought import BroughtFiles
from portside.resolve.debian_packages import debian_packages
from portside.resolve.debian_python import check_interpreter, debian_python
from portside.store import Store

Update = Collection[str] | Literal["all"]
"""Names of inputs (packages, sources, weights, `base`) to resolve anew, or all of them."""


def make_lock(
    recipe: Recipe,
    old: Lock | None,
    update: Update,
    store: Store,
    config: Config,
    below: Lock | None = None,
    notes: list[str] | None = None,
    engine: Callable[[], Engine] | None = None,
) -> Lock:
    """Resolve a recipe. What `old` has stays as it is, unless `update` names it or the recipe no longer allows it.

    below: the lock of the recipe that it extends. What both ask for in the same words is taken from there, so that
    the two share layers. notes: gets a line for each package that is older than it had to be; see `passed_over`.
    engine: gives what runs scripts of the base (`env.activate`); default: as the configuration says. Inputs that are
    needed to know a hash or a date are brought into the store on the way.
    Raises RecipeError where the recipe cannot be satisfied, InputError where something cannot be brought.
    """
    _check_update(recipe, old, update, below)
    if old is not None and below is not None:
        # What this recipe's own build was the first to see is not forgotten.
        below = complete(below, old)

    def chosen() -> Engine:
        return choose_engine(config.engine).engine

    resolver = _Resolver(recipe, old, update, below, store, config, [] if notes is None else notes, engine or chosen)
    with step(f"Resolving {recipe.name}"):
        return resolver.lock()


def _check_update(recipe: Recipe, old: Lock | None, update: Update, below: Lock | None) -> None:
    if update == "all" or not update:
        return
    known = {"base", *recipe.model.sources, *recipe.model.weights, *recipe.model.data}
    if old is not None:
        known |= _packages(old)
    elif below is None and (unknown := sorted(set(update) - known)):
        raise LockError(
            f"{recipe.name} is not locked, so there is no {', '.join(unknown)} to update",
            f"Lock it first: invoke lock --recipe {recipe.name}",
        )
    shares = any(stage.recipe != recipe.name for stage in recipe.stages)
    if below is not None and shares and (lower := sorted(set(update) & _packages(below))):
        raise RecipeError(
            f"{', '.join(lower)} comes from {below.recipe}, which {recipe.name} extends",
            f"Update it there: invoke lock --recipe {below.recipe} --update {lower[0]}; then lock {recipe.name} again.",
        )
    if unknown := sorted(set(update) - known):
        raise RecipeError(
            f"the lock of {recipe.name} has no input named {', '.join(unknown)}",
            f"{did_you_mean(unknown[0], known)}Name a package, a source, a set of weights, a data set, or `base`.",
        )


def _packages(lock: Lock) -> set[str]:
    return {
        item.name for item in lock.inputs() if item.kind in ("deb", "wheel", "sdist", "tool", "vendor") and item.pinned
    }


class _Resolver:
    """One resolution."""

    def __init__(
        self,
        recipe: Recipe,
        old: Lock | None,
        update: Update,
        below: Lock | None,
        store: Store,
        config: Config,
        notes: list[str],
        engine: Callable[[], Engine],
    ) -> None:
        self.recipe = recipe
        self.old = old
        self.update = update
        self.below = below
        self.store = store
        self.config = config
        self.notes = notes
        self.fetcher = Fetcher(store, config, root=recipe.root)
        self.asked = recipe.requests()
        self.wanted: dict[tuple[str, str], ManualInput] = {file.place: file for file in asked(recipe)}
        self.brought = BroughtFiles(old, update, self.wanted, self.fetcher)
        # What somebody edited into a lock, against its recipe, does not stay.
        self.wrong_below = contradicted(recipe, below) if below is not None else frozenset[str]()
        self.wrong_old = contradicted(recipe, old) if old is not None else frozenset[str]()
        self.engine = engine

    def lock(self) -> Lock:
        model = self.recipe.model
        # First what a wrong URL shows in soon: a base takes minutes.
        sources: dict[str, LockedSource] = {}
        for name, source in sorted(model.sources.items()):
            kept = self._kept(f"sources.{name}", name)
            sources[name] = kept.sources[name] if kept else SOURCES[source.kind].resolve(source, self.fetcher)
        kept = self._kept("base", "base")
        base = kept.base if kept else self._base()
        base = unseen_base(base, self.wanted, self.fetcher, self.recipe)
        before = None if self.update == "all" or "base" in self.update else self.old
        self.facts = BaseFacts(self.recipe, base, before, self.wanted, self.fetcher, self.engine)
        env = self._env(base, sources)
        if kept is None:
            self.facts.say_sourced()
        weights: dict[str, LockedWeights] = {}
        for name, wanted in sorted(model.weights.items()):
            kept = self._kept(f"weights.{name}", name)
            kept = kept if kept is not None and is_made_of(kept.weights[name], sources) else None
            weights[name] = kept.weights[name] if kept else self._weights(name, wanted, sources)
        data: dict[str, LockedData] = {}
        for name, data_set in sorted(model.data.items()):
            kept = self._kept(f"data.{name}", name)
            data[name] = kept.data[name] if kept else self._data(name, data_set)
        groups = [base.epoch, env.epoch, *(s.epoch for s in sources.values()), *(w.epoch for w in weights.values())]
        return Lock(
            written_by=writer(),
            recipe=self.recipe.name,
            epoch=max(groups),
            requests=self.asked,
            base=base,
            env=env,
            sources=sources,
            weights=weights,
            data=data,
        )

    def _kept(self, request: str, name: str) -> Lock | None:
        """The lock to take an input from: the lower recipe's if it asks for the same, else the old one."""
        if self.below is not None and self._can_stay(request, self.below, self.wrong_below):
            return self.below
        if self.old is None or self.update == "all" or name in self.update:
            return None
        return self.old if self._can_stay(request, self.old, self.wrong_old) else None

    def _can_stay(self, request: str, lock: Lock, wrong: Collection[str]) -> bool:
        """Whether a lock asks for the same, and has it."""
        if request == "base" and lock.base.made_here and not same_layers(lock):
            return False  # the same inputs make another layer here
        return lock.requests.get(request) == self.asked[request] and request not in wrong

    def _env(self, base: LockedBase, sources: Mapping[str, LockedSource]) -> LockedEnv:
        """The lower recipes' sets as their lock has them, as long as base, requests and the sources that are read for
        them are the same; the rest anew."""
        sets: list[PackageSet] = []
        for stage in self.recipe.stages:
            request = f"env.{stage.recipe}"
            same = self.below is not None and self.below.base == base and self._reads_same(stage, sources)
            lower = self.below.env.of(stage.recipe) if self.below is not None and same else None
            if lower is not None and self.below is not None and self._can_stay(request, self.below, self.wrong_below):
                sets.append(lower)
            else:
                sets.append(self._packages(stage, base, sets, sources))
        return LockedEnv(sets=tuple(sets))

    def _reads_same(self, stage: Stage, sources: Mapping[str, LockedSource]) -> bool:
        """Whether the sources that requirements are read from are those of the lower lock."""
        names = stage.python.sources if stage.python is not None else ()
        return all(self.below is not None and self.below.sources.get(name) == sources[name] for name in names)

    def _tree(self, sources: Mapping[str, LockedSource], spool: Spool, name: str) -> Tree:
        """The files of a source, which is brought if need be."""
        source = sources[name]
        kind = SOURCES[source.kind]
        if not kind.is_here(source, self.store):
            if kind.bring is not None:
                kind.bring(source, self.fetcher)
            for item in source.inputs(f"sources.{name}") if kind.bring is None else ():
                file = self.wanted["sources", name]
                found = replace(file, input=replace(file.input, sha256=item.sha256, size=item.size))
                self.fetcher.manual(found, {})
        return kind.tree(source, self.store, spool)

    def _packages(
        self, stage: Stage, base: LockedBase, below: Sequence[PackageSet], sources: Mapping[str, LockedSource]
    ) -> PackageSet:
        """What a stage adds to the base and the sets below it."""
        there = LockedEnv(sets=tuple(below))
        old = self.old.env.of(stage.recipe) if self.old else None
        debs, suites, epoch = debian_packages(
            stage, base, there, old, lambda: self.facts.files, self.recipe.file, self.update, self.fetcher
        )
        activation = self.facts.activation(stage, there)
        python: PythonSet | None = None
        if stage.python is not None:
            its = self.facts.interpreter(stage.python, stage.recipe, there, activation)
            wanted = base_python.filled(stage.python, its)
            with self.store.workspace() as folder, Spool(folder) as spool:
                of = asking(wanted, partial(self._tree, sources, spool))
            python = self._python(wanted, its, of, stage.recipe, old, base, there, debs)
        if python is not None:
            epoch = max([epoch, *(artefact_date(wheel, self.store) for wheel in python.all_wheels())])
        vendor = tuple(self.brought.vendor_file(file, stage.recipe) for file in stage.vendor_files)
        return PackageSet(
            recipe=stage.recipe,
            epoch=epoch,
            suites=suites,
            debs=debs,
            python=python,
            activation=activation,
            vendor=vendor,
        )

    def _python(
        self,
        wanted: Python,
        its: LockedInterpreter | None,
        of: Asking,
        stage: str,
        old: PackageSet | None,
        base: LockedBase,
        below: LockedEnv,
        debs: Sequence[Deb],
    ) -> PythonSet:
        """The Python packages of a stage, with their files in the store. debs: the stage's own."""
        manual = tuple(self.brought.wheel(wheel, stage) for wheel in wanted.manual)
        lower = below.python.all_wheels() if below.python else ()
        # What is given in the base, below, or by hand satisfies requirements; its own needs are not looked at.
        installed = base_python.installed(wanted, its) | {w.name: w.version for w in (*lower, *below.sdists)}
        installed |= {w.name: w.version for w in manual}
        system = debian_python(base, (*below.debs, *debs), self.fetcher, self.store)
        system.check_manual(manual)
        before = old.python.built if old and old.python else None
        made = built.find(wanted, before, self.update, self.fetcher)
        of = replace(of, lines=(*of.lines, *made.needs))
        installed |= made.versions
        fixed = system.fixed(installed)
        target: dict[str, Any] = {"installed": installed | fixed, "config": self.config, "store": self.store}
        target["bound"] = python.bindings(wanted, self.config)
        wheels = python.resolve_wheels(
            of,
            keep=[wheel for wheel in (old.python.wheels if old and old.python else ()) if named_rightly(wheel)],
            update=self.update,
            fixed=fixed,
            built=made.versions,
            replaceable=its is not None,
            **target,
        )
        there = {wheel.name: system.packages[wheel.name] for wheel in wheels if system.has(wheel.name, wheel.version)}
        found = PythonSet(
            interpreter=its,
            version=of.version,
            platform=of.platform,
            wheels=tuple(wheel for wheel in wheels if wheel.name not in there),
            manual=manual,
            read=dict(of.read),
            built=built.locked(
                wanted,
                made,
                of,
                before,
                self.update,
                {**system.packages, **installed, **{w.name: w.version for w in wheels}},
                self.fetcher,
            ),
        )
        if its is not None and (found.wheels or found.manual or found.sdists) and not base_python.has_pip(its):
            found = found.model_copy(update={"installer": built.installer(of, old, self.update, target)})
        if its is None and base.distribution is not None and (found.all_wheels() or found.sdists):
            check_interpreter(found.version, (*base.debs, *below.debs, *debs))
        run_all(
            [partial(self.fetcher.artefact, wheel, wanted) for wheel in (*found.all_wheels(), *found.installers)], JOBS
        )
        found = python.without_unasked(found, of, target["bound"], self.store)
        names = python.needed(of, found.all_wheels(), self.store)
        there |= {name: version for name, version in fixed.items() if name in names}
        for note in python.passed_over(of, found.wheels, **target):
            say(f"  {note}")
            self.notes.append(str(note))
        own = {item.name for item in (*found.all_wheels(), *found.sdists)} | {wheel.name for wheel in found.manual}
        asked = python.who_asks(of, found.all_wheels(), self.store)
        return found.model_copy(
            update={
                "given": dict(sorted((base_python.given(wanted, its) | there).items())),
                "asked": {name: who for name, who in asked.items() if name in own},
            }
        )

    def _weights(self, name: str, wanted: recipes.Asked, sources: Mapping[str, LockedSource]) -> LockedWeights:
        def look(path: str, row: recipes.Model) -> tuple[Sha256 | None, Size | None]:
            place = f"{name}/{path}"
            before = None if name in self.update else self.brought.seen_before("weights", place, f"weights.{name}", row)
            return before or self.brought.pinned_or_seen("weights", place, sources)

        return WEIGHTS[wanted.kind].resolve(wanted, self.fetcher, look, sources)

    def _data(self, name: str, wanted: recipes.AskedData) -> LockedData:
        found: LockedData = DATA[wanted.kind].resolve(
            wanted, self.fetcher, lambda path, row: self.brought.pinned_or_seen("data", name, {})
        )
        return found

    def _base(self) -> LockedBase:
        asked = self.recipe.model.base.chosen
        old = None if "base" in self.wrong_old or "base" in self.update or self.update == "all" else self.old
        base: LockedBase = BASES[asked.kind].resolve(asked, old.base.debs if old else (), self.update, self.fetcher)
        for file in asked.brought("base"):
            with suppress(MissingInputError):
                return self.fetcher.archive(base, self.wanted["base", file.file])
        return base
