"""The order of the work: what can be done is done, the most urgent first, each kind in a number of threads of its own.

Only the thread that calls `run` decides anything; the others work, and say when they have done so.
"""

import heapq
import os
import queue
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from portside.build.builder import NotNeededError, PartMaker
from portside.build.graph import Graph, GraphPart
from portside.build.run_places import RunPlace
from portside.common.progress import say
from portside.common.values import Key
from portside.engines.command import stop_in
from portside.errors import BuildError, EngineError, InputError, PortsideError, RecipeError, StepError
from portside.fetch.fetcher import Fetcher
from portside.plan.model import Plan

Pool = Literal["fetch", "write", "run", "load", "share", "push"]
"""fetch: inputs come. write: data parts. run: run parts, on builders. load: images, into the engine. share: layers are
pushed. push: images are."""

_SIZES: Mapping[Pool, int] = {"fetch": 4, "load": 1, "share": 2, "push": 1}
_PATIENCE = 20.0
"""Seconds that what works at an interruption has to clear up."""


@dataclass
class Workplace:
    """What executes run parts, and how many at once. working: how many at this moment. gone: it answers no more."""

    runs: RunPlace
    places: int
    working: int = 0
    gone: bool = False


@dataclass(frozen=True)
class Follow:
    """Work that a finished part makes possible: for a whole layer or image. then: gives, once it is done, what can be
    done thereby."""

    pool: Pool
    title: str
    plan: Plan
    work: Callable[[], object]
    then: "Callable[[], Iterable[Follow]]" = tuple


@dataclass(frozen=True)
class DoneWork:
    """What was done for a recipe, and when (seconds since the beginning).

    key: of the part that it was for; None: it was for a layer or an image. cause: the index of the one at whose end it
    could begin, because it needed that one, or its place; None for what could begin at once.
    """

    title: str
    recipe: str
    pool: Pool
    key: Key | None
    start: float
    end: float
    cause: int | None

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass
class _Task:
    pool: Pool
    title: str
    work: Callable[[], object]
    key: Key | None
    plan: Plan
    then: Callable[[], Iterable[Follow]] = tuple
    cause: int | None = None
    start: float = 0.0
    place: Workplace | None = None
    thread: threading.Thread | None = None


@dataclass
class Schedule:
    """What is done for a graph. missing: the keys of the parts that are to be made; the others are there.

    done: called with each part that is there from now on; gives what can be done thereby. elsewhere: called before a
    run part is executed; whether somebody else has made it meanwhile and it is in the store now.
    failed: by recipe, the first error. spans: what was done, in the order in which it ended. said: called whenever
    something has ended. is_at_work: after an interruption, whether something of it works still.
    """

    graph: Graph
    missing: Collection[Key]
    maker: PartMaker
    fetcher: Fetcher
    places: Sequence[Workplace]
    done: Callable[[Key], Iterable[Follow]]
    elsewhere: Callable[[Plan, Key], bool] = lambda plan, key: False
    failed: dict[str, PortsideError] = field(default_factory=dict)
    spans: list[DoneWork] = field(default_factory=list)
    said: Callable[[], object] = lambda: None
    is_at_work: bool = False

    def __post_init__(self) -> None:
        self._events: queue.SimpleQueue[tuple[_Task, BaseException | None]] = queue.SimpleQueue()
        self._sizes = {**_SIZES, "write": os.cpu_count() or 1}
        self._waiting: dict[Pool, list[tuple[float, int, _Task]]] = {
            pool: [] for pool in ("fetch", "write", "run", "load", "share", "push")
        }
        self._working: list[_Task] = []
        self._number = 0
        self._start = time.monotonic()
        self._lacking: dict[Key, int] = {}
        self._waits_for: dict[Key, list[Key]] = {}
        self._is_stopped = False

    def run(self, there: Iterable[Follow] = ()) -> None:
        """Do everything that can be done. there: what can be done at once, of recipes of which nothing is missing.

        What fails is in `failed`, by recipe; only what no other recipe needs is left undone for it. Raises what is no
        expected failure, as KeyboardInterrupt, after everything that an engine was doing has ended.
        """
        for follow in there:
            self._put(follow)
        for key in self.missing:
            needs = [below for below in self.graph.nodes[key].needs if below in self.missing]
            self._lacking[key] = len(needs) + 1  # and its inputs
            for below in needs:
                self._waits_for.setdefault(below, []).append(key)
            self._fetch(key)
        try:
            self._give_out(None)
            while any(self._counts(task) for task in self._working):
                task, error = self._events.get()
                self._ended(task, error)
                self._give_out(len(self.spans) - 1)
                self.said()
        except BaseException:
            self._stop()
            raise
        for _, _, task in self._waiting["run"]:
            if self._is_task_needed(task):
                wanted = task.plan.lock.base.architecture
                self._failed(task, EngineError(f"no builder is left for {task.title}, which is for {wanted}"))

    def is_needed(self, key: Key) -> bool:
        """Whether there is a recipe with this part that has not failed."""
        return any(name not in self.failed for name in self.graph.nodes[key].recipes)

    def _plan(self, key: Key) -> Plan:
        """A plan to make the part by."""
        plans = self.graph.nodes[key].plans
        return next((plan for plan in plans if plan.recipe.name not in self.failed), plans[0])

    def _counts(self, task: _Task) -> bool:
        """Whether the end of something is waited for: of what an engine executes always, for it has to clear up."""
        return task.pool == "run" or self._is_task_needed(task)

    def _is_task_needed(self, task: _Task) -> bool:
        return self.is_needed(task.key) if task.key is not None else task.plan.recipe.name not in self.failed

    def _fetch(self, key: Key) -> None:
        plan, part = self._plan(key), self.graph.nodes[key].part
        self._push(
            "fetch", f"inputs of {part.layer}/{part.name}", partial(self.maker.bring, plan, part, self.fetcher), key
        )

    def _make(self, key: Key) -> None:
        plan, part = self._plan(key), self.graph.nodes[key].part
        if part.kind == "run":
            self._push("run", self.maker.title(plan, part), lambda: None, key)  # the work depends on the builder
        else:
            self._push("write", self.maker.title(plan, part), partial(self.maker.write, plan, part), key)

    def _push(self, pool: Pool, title: str, work: Callable[[], object], key: Key) -> None:
        self._wait(_Task(pool, title, work, key, self._plan(key)), self.graph.urgency[key])

    def _put(self, follow: Follow) -> None:
        self._wait(_Task(follow.pool, follow.title, follow.work, None, follow.plan, follow.then), 0.0)

    def _wait(self, task: _Task, urgency: float) -> None:
        self._number += 1
        heapq.heappush(self._waiting[task.pool], (-urgency, self._number, task))

    def _give_out(self, cause: int | None) -> None:
        for pool, waiting in self._waiting.items():
            later: list[tuple[float, int, _Task]] = []
            while waiting and self._has_place(pool):
                entry = heapq.heappop(waiting)
                task = entry[2]
                if not self._is_task_needed(task):
                    continue
                if pool == "run" and not self._choose(task):
                    later.append(entry)  # another may have a builder that is free
                    continue
                self._begin(task, cause)
            for entry in later:
                heapq.heappush(waiting, entry)

    def _has_place(self, pool: Pool) -> bool:
        if pool == "run":
            return any(place.working < place.places and not place.gone for place in self.places)
        return sum(task.pool == pool for task in self._working) < self._sizes[pool]

    def _choose(self, task: _Task) -> bool:
        """Give a run part the builder that has least to do, of those that can."""
        architecture = task.plan.lock.base.architecture
        free = [place for place in self.places if place.working < place.places and not place.gone]
        able = [place for place in free if place.runs.runs(architecture)]
        if not able:
            return False
        task.place = min(able, key=lambda place: place.working / place.places)
        task.place.working += 1
        return True

    def _begin(self, task: _Task, cause: int | None) -> None:
        task.cause, task.start = cause, time.monotonic() - self._start
        task.thread = threading.Thread(target=self._work, args=(task,), daemon=True)
        self._working.append(task)
        task.thread.start()

    def _work(self, task: _Task) -> None:
        """In a thread of its own."""
        error: BaseException | None = None
        try:
            if task.place is not None:
                self._execute(task, task.place.runs)
            else:
                task.work()
        except BaseException as raised:  # whatever it is, it reaches the one who waits
            error = raised
        self._events.put((task, error))

    def _execute(self, task: _Task, runs: RunPlace) -> None:
        assert task.key is not None
        key = task.key
        if not self.elsewhere(task.plan, key):
            self.maker.run(task.plan, self.graph.nodes[key].part, runs, lambda: self._need(key))

    def _need(self, key: Key) -> None:
        if self._is_stopped or not self.is_needed(key):
            raise NotNeededError

    def _ended(self, task: _Task, error: BaseException | None) -> None:
        self._working.remove(task)
        if task.place is not None:
            task.place.working -= 1
        end = time.monotonic() - self._start
        self.spans.append(DoneWork(task.title, task.plan.recipe.name, task.pool, task.key, task.start, end, task.cause))
        if isinstance(error, PortsideError):
            self._failed(task, error)
        elif error is not None and not isinstance(error, NotNeededError):
            raise error
        elif error is None and task.key is not None:
            self._progress(task.key, is_there=task.pool != "fetch")
        elif error is None:
            for follow in task.then():
                self._put(follow)

    def _progress(self, key: Key, *, is_there: bool) -> None:
        """The inputs of a part are there, or the part is."""
        if is_there or self.graph.nodes[key].part.kind in ("base", "frame"):
            for follow in self.done(key):
                self._put(follow)
            for waiting in self._waits_for.pop(key, ()):
                self._one_less(waiting)
        else:
            self._one_less(key)

    def _one_less(self, key: Key) -> None:
        self._lacking[key] -= 1
        if not self._lacking[key]:
            self._make(key)

    def _failed(self, task: _Task, error: PortsideError) -> None:
        if task.key is None:
            self._fail([task.plan.recipe.name], error)
            return
        node = self.graph.nodes[task.key]
        if not self.is_needed(task.key):
            return
        if task.place is not None and isinstance(error, EngineError) and self._is_left(task.place, task.plan):
            say(f"{task.title} is built elsewhere: {task.place.runs.name} failed: {error.problem}")
            task.place.gone = True
            self._make(task.key)
            return
        self._fail([task.plan.recipe.name] if _is_of_recipe(error, node) else node.recipes, error)
        if self.is_needed(task.key):
            (self._fetch if task.pool == "fetch" else self._make)(task.key)

    def _is_left(self, place: Workplace, plan: Plan) -> bool:
        """Whether another builder than this one can do its work."""
        others = [other for other in self.places if other is not place and not other.gone]
        return any(other.runs.runs(plan.lock.base.architecture) for other in others)

    def _fail(self, names: Iterable[str], error: PortsideError) -> None:
        for name in names:
            self.failed.setdefault(name, error)
        # A wrong count in a patch is known in seconds: nobody waits for the packages to hear of it.
        for task in self._working:
            if task.place is not None and not self._is_task_needed(task) and task.thread and task.thread.ident:
                stop_in(task.thread.ident)

    def _stop(self) -> None:
        """End what engines execute, and wait for it: what it needed there goes with it."""
        self._is_stopped = True
        deadline = time.monotonic() + _PATIENCE
        for task in [task for task in self._working if task.place is not None and task.thread is not None]:
            assert task.thread is not None
            while task.thread.is_alive() and time.monotonic() < deadline:
                stop_in(task.thread.ident or 0)  # again and again: it may just be about to begin
                task.thread.join(0.1)
            self.is_at_work = self.is_at_work or task.thread.is_alive()


def _is_of_recipe(error: PortsideError, node: GraphPart) -> bool:
    """Whether another recipe's plan may give the same part where this one's failed: what lies in the way of its own
    weights or files, and weights that its own folders lack."""
    if isinstance(error, InputError):
        return node.part.layer == "weights"
    return isinstance(error, RecipeError) or (isinstance(error, BuildError) and not isinstance(error, StepError))
