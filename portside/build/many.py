"""From plans to images: what is missing of all recipes is fetched, pulled or built, each part once."""

import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from portside.build.builder import PartMaker, PutContext
from portside.build.choose_places import Builders
from portside.build.engine_runs import EngineRuns
from portside.build.graph import Graph
from portside.build.run_places import RunPlace
from portside.build.schedule import Follow, Schedule, Workplace
from portside.build.space import need_room
from portside.build.whole import BuildReport, critical_path, waited_for
from portside.common.progress import Note, live, say, step
from portside.common.values import Key
from portside.engines import Builder
from portside.errors import DamagedError, EngineError, PortsideError
from portside.fetch.fetcher import Fetcher
from portside.image.built import Built, keep_images, load_images
from portside.image.config import image_name, make_image
from portside.plan.model import LayerPlan, Part, Plan
from portside.plan.states import blob_of
from portside.recipe.models import LAYERS
from portside.share.layers import Registries
from portside.store import Store
from portside.store.layout import Blob

AT_ONCE = 4
"""How many run parts one engine executes at once, at most, unless somebody says another number."""


class Publisher(Protocol):
    """Where layers and images go as soon as they are there. Every method raises RegistryError."""

    def layer(self, plan: Plan, layer: LayerPlan, made: Collection[Key]) -> Collection[Key]:
        """Have a layer there. made: keys of the parts that were made here; gives those that another machine made and
        pushed as well, with the same result."""

    def image(self, plan: Plan) -> None:
        """Have the finished image there, under its tag."""


@dataclass(frozen=True)
class Wish:
    """What is wanted of a build, beside the recipes.

    last: the last layer. no_cache: build every part again, whatever the store or a registry has, and read the whole
    base. registries: by recipe, repositories that are asked for a layer before it is built; what they give is
    verified. load: whether the engine gets the images of `last`; load_all: those of the layers below, too. jobs: how
    many run parts each place executes at once. builders: what executes run parts before the engine, or in its place.
    publisher: what gets layers and images as they come.
    """

    last: str = "weights"
    no_cache: bool = False
    registries: Mapping[str, Sequence[str]] = field(default_factory=dict)
    load: bool = True
    load_all: bool = False
    jobs: int | None = None
    builders: Builders = field(default_factory=Builders)
    publisher: Publisher | None = None

    def places(self, engine: RunPlace | None, builders: Sequence[RunPlace] = ()) -> list[Workplace]:
        number = self.jobs or max(2, min(AT_ONCE, os.cpu_count() or 1))
        own = [engine] if engine is not None and self.builders.engine_builds else []
        return [Workplace(place, number) for place in (*builders, *own)]


def build(
    plan: Plan,
    store: Store,
    fetcher: Fetcher,
    engine: Builder | None,
    *,
    last: str = "weights",
    no_cache: bool = False,
    registries: Sequence[str] = (),
    load: bool = True,
    load_all: bool = False,
    builders: Builders | None = None,
) -> list[Built]:
    """Build what is missing of one recipe up to the layer `last`, keep the images in the store and load that of `last`
    into the engine. The options are those of `Wish`. engine: None where it neither builds nor gets anything.

    What a part needs is fetched first. Raises the first error of any part; finished parts stay in the store.
    A blob that turns out to be damaged when an engine is to get it is put aside and made again.
    """
    asked: dict[str, Sequence[str]] = {plan.recipe.name: registries}
    wish = Wish(last, no_cache, asked, load, load_all, builders=builders or Builders())
    report = build_all([plan], store, fetcher, engine, wish)
    for error in report.failed.values():
        raise error
    return report.built[plan.recipe.name]


def build_all(plans: Sequence[Plan], store: Store, fetcher: Fetcher, engine: Builder | None, wish: Wish) -> BuildReport:
    """Build what is missing of several recipes, each part once; finished parts stay in the store whatever happens.

    What fails is in the report, and ends only what depends on it. Raises StoreError or EngineError before any work
    where the disks surely cannot take it. Blobs that turn out to be damaged are made again.
    """
    report = BuildReport()
    seen: set[str] = set()
    waiting = list(plans)
    start = time.monotonic()
    while waiting:
        _Building(waiting, store, fetcher, engine, wish, report).build()
        damaged = {name: error for name, error in report.failed.items() if isinstance(error, DamagedError)}
        # Each time one blob less is in the store; a blob that was made a moment ago and is damaged ends it.
        again = {name: error for name, error in damaged.items() if error.digest not in seen}
        for error in {error.digest: error for error in again.values()}.values():
            seen.add(error.digest)
            say(f"{error.problem}, and made again")
        waiting = [plan for plan in waiting if plan.recipe.name in again]
        report.failed = {name: error for name, error in report.failed.items() if name not in again}
        wish = replace(wish, no_cache=False)
    report.seconds = time.monotonic() - start
    return report


@dataclass
class _Unpushed:
    """A layer, or what one begins with, that is to be pushed. lacking: keys of parts that are not there yet."""

    plan: Plan
    layer: LayerPlan
    lacking: set[Key]


class _Building:
    """One go at building."""

    def __init__(
        self,
        plans: Sequence[Plan],
        store: Store,
        fetcher: Fetcher,
        engine: Builder | None,
        wish: Wish,
        report: BuildReport,
    ) -> None:
        self._plans = plans
        self._store = store
        self._fetcher = fetcher
        self._engine = engine
        self._wish = wish
        self._report = report
        self._graph = Graph.of(plans, wish.last)
        self._maker = PartMaker(store, no_cache=wish.no_cache, several=len(plans) > 1)
        self._registries: dict[tuple[str, ...], Registries] = {}
        self._missing: set[Key] = set()
        self._lacking: dict[str, set[Key]] = {}
        self._unpushed: list[_Unpushed] = []
        self._unpushed_with: dict[Key, list[_Unpushed]] = {}

    def build(self) -> None:
        nodes, report, wish = self._graph.nodes, self._report, self._wish
        self._missing = {key for key, node in nodes.items() if not self._maker.has(node.plans[0], node.part)}
        report.parts = report.parts or len(nodes)
        report.uses = report.uses or sum(len(node.plans) for node in nodes.values())
        busy = [plan for plan in self._plans if not self._is_whole(plan)]
        if wish.builders.asked:
            wish.builders.open()
        need_room(self._graph, busy, self._missing, self._store, self._engine, self._fetcher, wish.load)
        with live(), self._overall() as note, ExitStack() as stack:
            own = stack.enter_context(EngineRuns(self._engine, self._store.home)) if self._engine else None
            self._pull(stack)
            unmade = [key for key in nodes if key in self._missing and not self._is_there(key)]
            runs = any(nodes[key].part.kind == "run" for key in unmade)
            places = wish.places(own, wish.builders.open() if runs else [])
            self._lacking = {plan.recipe.name: self._keys(plan) & set(unmade) for plan in self._plans}
            if wish.publisher is not None:
                self._look_for_layers(set(unmade))
            schedule = Schedule(self._graph, unmade, self._maker, self._fetcher, places, self._done, self._elsewhere)
            schedule.failed |= self._cannot(unmade, places)
            schedule.said = lambda: note(self._so_far(schedule))
            there = [plan for plan in self._plans if not self._lacking[plan.recipe.name]]
            with leaving_what_works(schedule, stack):
                schedule.run([*map(self._follow, self._unpushed), *map(self._finish, there)])
        report.failed |= schedule.failed
        report.taken |= self._maker.taken
        report.made |= {key for key in unmade if key in self._maker.blobs} - report.taken - report.pulled.keys()
        report.path = critical_path(self._graph, schedule.spans)
        report.chain = waited_for(schedule.spans)

    @contextmanager
    def _overall(self) -> Iterator[Note]:
        if len(self._plans) == 1:
            yield lambda line: None
            return
        with step(f"Building {len(self._plans)} recipes") as note:
            yield note

    def _so_far(self, schedule: Schedule) -> str:
        there = sum(key in self._maker.blobs for key in self._graph.nodes)
        failed = f", {len(schedule.failed)} failed" if schedule.failed else ""
        parts = f"{there} of {len(self._graph.nodes)} parts"
        return f"{parts}, {len(self._report.built)} of {len(self._plans)} images{failed}"

    def _keys(self, plan: Plan) -> set[Key]:
        return {part.key for part in plan.build_order(self._wish.last)}

    def _is_whole(self, plan: Plan) -> bool:
        """Whether nothing has to be made, and nothing loaded."""
        if self._keys(plan) & self._missing:
            return False
        if self._engine is None:
            return True
        name = image_name(plan.recipe.name, self._wish.last)
        blobs = self._maker.blobs
        return self._engine.image_id(name) == make_image(plan, self._wish.last, blobs).image_id

    def _is_there(self, key: Key) -> bool:
        """Whether a part that was missing has come from a registry."""
        node = self._graph.nodes[key]
        return key in self._report.pulled and self._maker.has(node.plans[0], node.part)

    def _pull(self, stack: ExitStack) -> None:
        """Bring missing parts from the registries that have them."""
        if self._wish.no_cache or not self._missing:
            return
        for plan in self._plans:
            asked = tuple(self._wish.registries.get(plan.recipe.name, ()))
            if asked and asked not in self._registries:
                self._registries[asked] = stack.enter_context(Registries(asked))
            layers = plan.up_to(self._wish.last)
            missing = [part for layer in layers for part in layer.parts if self._is_wanted(part)]
            if asked and missing:
                self._report.pulled |= self._registries[asked].pull(plan, layers, missing, self._store)

    def _is_wanted(self, part: Part) -> bool:
        return part.key in self._missing and part.key not in self._report.pulled

    def _elsewhere(self, plan: Plan, key: Key) -> bool:
        """Whether another machine has pushed a part since it was asked for, and the store has it now."""
        registries = self._registries.get(tuple(self._wish.registries.get(plan.recipe.name, ())))
        if registries is None:
            return False
        node = self._graph.nodes[key]
        layers = [plan.layer(node.part.layer)]
        self._report.pulled |= registries.pull(plan, layers, [node.part], self._store, again=True)
        return self._is_there(key)

    def _cannot(self, unmade: Collection[Key], places: Sequence[Workplace]) -> dict[str, PortsideError]:
        """By recipe, why there is no use in beginning: a file that a person brings, or a machine to execute it on."""
        failed: dict[str, PortsideError] = {}
        for plan in self._plans:
            parts = [part for part in plan.build_order(self._wish.last) if part.key in unmade]
            try:
                need_architecture(plan, parts, [place.runs for place in places])
                self._fetcher.require_manual(plan, parts)
            except PortsideError as error:
                failed[plan.recipe.name] = error
        return failed

    def _done(self, key: Key) -> Iterator[Follow]:
        """A part is there now: so is, perhaps, a layer that can be pushed, or an image."""
        ready = []
        for plan in self._graph.nodes[key].plans:
            lacking = self._lacking[plan.recipe.name]
            lacking.discard(key)
            if not lacking:
                ready.append(plan)
        for unpushed in self._unpushed_with.pop(key, ()):
            unpushed.lacking.discard(key)
            if not unpushed.lacking:
                yield self._follow(unpushed)
        yield from map(self._finish, ready)

    def _look_for_layers(self, unmade: Collection[Key]) -> None:
        """What will be pushed of layers, and of what they begin with."""
        layers = ((plan, layer) for plan in self._plans for layer in plan.up_to(self._wish.last))
        found = {start.key: (plan, start) for plan, layer in layers for start in layer.beginnings}
        for plan, layer in found.values():
            unpushed = _Unpushed(plan, layer, {part.key for part in layer.parts if part.key in unmade})
            if not unpushed.lacking:
                self._unpushed.append(unpushed)
            for key in unpushed.lacking:
                self._unpushed_with.setdefault(key, []).append(unpushed)

    def _follow(self, unpushed: "_Unpushed") -> Follow:
        plan, layer = unpushed.plan, unpushed.layer
        return Follow("share", f"pushing {plan.recipe.name} {layer.name}", plan, partial(self._push, plan, layer))

    def _push(self, plan: Plan, layer: LayerPlan) -> None:
        assert self._wish.publisher is not None
        made = {part.key for part in layer.parts if part.key in self._missing}
        made -= self._report.pulled.keys() | self._maker.taken
        self._report.built_twice |= set(self._wish.publisher.layer(plan, layer, made))

    def _finish(self, plan: Plan) -> Follow:
        """Name the image, and load it."""
        return Follow(
            "load", f"image of {plan.recipe.name}", plan, partial(self._keep, plan), partial(self._then, plan)
        )

    def _keep(self, plan: Plan) -> None:
        wish, report = self._wish, self._report
        wanted = plan.up_to(wish.last)
        missing = [part for layer in wanted for part in layer.parts if part.key in self._missing]
        built = keep_images(plan, self._store, wanted, missing, self._maker.blobs, report.pulled, self._maker.taken)
        if wish.load and self._engine is not None:
            load_images(plan, built if wish.load_all else built[-1:], self._store, self._engine)
        report.built[plan.recipe.name] = built
        if len(self._plans) > 1:
            say(f"{len(report.built)} of {len(self._plans)}: {plan.recipe.name} is sha256:{built[-1].image.image_id}")

    def _then(self, plan: Plan) -> Iterator[Follow]:
        if (publisher := self._wish.publisher) is not None and self._wish.last == LAYERS[-1]:
            yield Follow("push", f"pushing {plan.recipe.name}", plan, partial(publisher.image, plan))


@contextmanager
def leaving_what_works(schedule: Schedule, stack: ExitStack) -> Iterator[None]:
    """Where something works still after an interruption, leave what it needs to the next build, which clears up."""
    try:
        yield
    except BaseException:
        if schedule.is_at_work:
            stack.pop_all()
        raise


def need_architecture(plan: Plan, missing: Sequence[Part], places: Sequence[RunPlace]) -> None:
    """Raise EngineError where no place is known to execute what is to run in it."""
    architecture = plan.lock.base.architecture
    runs = any(place.runs(architecture) for place in places)
    if any(part.kind == "run" for part in missing) and not runs:
        described = "; ".join(place.describe() for place in places)
        raise EngineError(
            f"{plan.recipe.name}'s base is for {architecture}, and nothing is known to run such programs: "
            f"{described or 'there is no engine and no builder'}",
            f"Name a builder for {architecture} (docs/builders.md), or let the engine's machine emulate one: `apt-get "
            "install qemu-user-static` on Debian 12; it has to be registered with the flag F (docs/configuration.md).",
        )


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
    maker = PartMaker(store, no_cache=True, put_context=put_context)
    wanted = [part.key for part in parts]
    with live(), ExitStack() as stack:
        runs = EngineRuns(engine, names)
        need_architecture(plan, parts, [runs])
        places = Wish().places(stack.enter_context(runs))
        maker.blobs |= {
            part.key: blob for part in plan.build_order() if part.key not in wanted and (blob := blob_of(part, store))
        }
        schedule = Schedule(Graph.of([plan]), wanted, maker, fetcher, places, lambda key: ())
        with leaving_what_works(schedule, stack):
            schedule.run()
        for error in schedule.failed.values():
            raise error
    return maker.blobs
