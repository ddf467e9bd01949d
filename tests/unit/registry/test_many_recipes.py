"""Several recipes in one build: each part once, a failure ends only what depends on it, an interruption all."""

import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from registry_server import RegistryServer
from several_recipes import add, build, executing, plans
from small_project import Machine
from test_builds_share_parts import Executing, notes

from portside.build.graph import Graph
from portside.build.run_places import RunPlace
from portside.build.schedule import DoneWork
from portside.build.whole import critical_path, waited_for
from portside.common.values import Key
from portside.errors import BuildError, EngineError, InputError, StepError, StoreError
from portside.registry.reference import parse_reference
from portside.share.layers import Registries
from portside.share.manifests import layer_tag
from portside.share.publish import Publishing

REPO = "team/models"
STEP = 'install: ["true", "echo {}"]\n'


@pytest.fixture
def here(machine: Callable[..., Machine]) -> Machine:
    made = machine("here")
    executing(made)
    add(made, "a")
    add(made, "b", STEP.format("b"))
    add(made, "c", "files: [{from: more.py, to: more.py}]\n", {"more.py": "print('more')\n"})
    return made


def built(here: Machine) -> list[Any]:
    assert isinstance(here.engine, Executing)
    return here.engine.built


def test_a_part_that_several_have_is_made_once(here: Machine, machine: Callable[..., Machine]) -> None:
    names = ["small", "a", "b", "c"]
    report = build(here, names)
    assert report.failed == {}
    assert len(built(here)) == 2, "the step of small, a and c, and that of b"
    counts = report.counts()
    assert counts["parts"] < counts["uses"] and counts["made"] == counts["parts"] - 1  # the base was there
    alone = machine("alone")
    for name in names:
        executing(alone, install=False)
        [layers] = build(alone, [name]).built.values()
        assert layers[-1].image == report.built[name][-1].image
    assert {f"portside/{name}:latest" for name in names} <= set(here.engine.loaded)
    again = build(here, names)
    assert again.counts()["made"] == 0 and again.path != []  # naming and loading them


def test_parts_that_wait_for_nothing_come_before_those_that_need_them(here: Machine) -> None:
    graph = Graph.of(plans(here, ["b", "a", "c"]))
    seen: set[Key] = set()
    for key, item in graph.nodes.items():
        assert set(item.needs) <= seen
        assert all(graph.urgency[below] > graph.urgency[key] for below in item.needs)
        seen.add(key)


class FailingAt(Executing):
    """An engine in which a step fails whose Dockerfile has these words."""

    words = "echo b"

    def build(self, image: Any, log: Callable[[str], None]) -> None:
        if self.words in image.dockerfile.read_text():
            raise BuildError("no such option: --brake")
        super().build(image, log)


def test_a_failure_ends_only_what_depends_on_it(here: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    here.engine = FailingAt()
    report = build(here, ["a", "b", "c"])
    assert sorted(report.built) == ["a", "c"]
    [(name, error)] = report.failed.items()
    assert name == "b" and error.problem == "no such option: --brake"
    assert notes(here) == []


def test_what_all_need_and_nobody_can_make_fails_all_of_them(here: Machine) -> None:
    engine = FailingAt()
    engine.words = "true"
    here.engine = engine
    assert set(build(here, ["a", "b", "c"]).failed) == {"a", "b", "c"}


def test_a_file_that_a_person_lacks_fails_those_that_need_it(here: Machine) -> None:
    (here.small.downloads / "big.bin").unlink()
    report = build(here, ["a", "b"])
    assert set(report.failed) == {"a", "b"} and all(isinstance(e, InputError) for e in report.failed.values())
    assert built(here) == [], "it is known before anything is executed"


def test_what_lies_in_the_way_in_one_recipe_may_not_in_another(here: Machine) -> None:
    """They share the step, but not what weights and files it may not touch; a step that fails is the same for all."""

    class FailingOnce(Executing):
        failing: Exception | None = BuildError("something lies where weights of the recipe do")

        def build(self, image: Any, log: Callable[[str], None]) -> None:
            super().build(image, log)
            error, self.failing = self.failing, None
            if error is not None:
                raise error

    here.engine = FailingOnce()
    report = build(here, ["a", "small", "c"])
    assert set(report.failed) == {"a"} and sorted(report.built) == ["c", "small"]
    add(here, "e", STEP.format("e"))
    add(here, "f", STEP.format("e"))
    here.engine = engine = FailingOnce()
    engine.failing = StepError("no such option: --brake", None, None, ())
    assert set(build(here, ["e", "f"]).failed) == {"e", "f"} and len(engine.built) == 1


class Interrupted(Executing):
    """An engine in which a signal arrives when a second step runs."""

    def __init__(self) -> None:
        super().__init__()
        self.both = threading.Barrier(2, timeout=60)

    def build(self, image: Any, log: Callable[[str], None]) -> None:
        super().build(image, log)
        self.both.wait()
        if "echo b" in image.dockerfile.read_text():
            raise KeyboardInterrupt
        while True:
            log("working")
            threading.Event().wait(0.01)


def test_an_interruption_ends_what_else_is_executed(here: Machine) -> None:
    here.engine = engine = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        build(here, ["a", "b"], jobs=2)
    assert sorted(engine.removed) == sorted(engine.names) != []
    assert notes(here) == []
    here.engine = Executing()
    assert sorted(build(here, ["a", "b"]).built) == ["a", "b"]


class Elsewhere:
    """A place that executes steps, and may stop answering."""

    def __init__(self, name: str, is_gone: bool = False) -> None:
        self.name, self.is_gone = name, is_gone
        self.executed_for: list[str] = []

    def describe(self) -> str:
        return self.name

    def runs(self, architecture: str) -> bool:
        return True

    def executed(self, steps: Any, log: Any) -> Any:
        if self.is_gone:
            raise EngineError(f"{self.name} does not answer")
        self.executed_for.append(steps.plan.recipe.name)
        return nullcontext([])


class Known:
    """Builders as `Builders` has them."""

    asked = None
    engine_builds = False

    def __init__(self, *places: RunPlace) -> None:
        self.places = places

    def open(self) -> list[RunPlace]:
        return list(self.places)


def test_what_a_builder_was_to_make_is_made_elsewhere_when_it_goes(
    here: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    gone, there = Elsewhere("gone", is_gone=True), Elsewhere("there")
    report = build(here, ["a", "b"], builders=Known(gone, there), jobs=1)
    assert sorted(report.built) == ["a", "b"] and len(there.executed_for) == 2
    assert "is built elsewhere: gone failed: gone does not answer" in capsys.readouterr().err
    for name in ("e", "f"):
        add(here, name, STEP.format(name))
    failed = build(here, ["e", "f"], builders=Known(gone, Elsewhere("also", is_gone=True))).failed
    assert set(failed) == {"e", "f"}


def test_layers_and_what_they_begin_with_are_pushed_as_they_come(
    here: Machine, machine: Callable[..., Machine], registry: RegistryServer
) -> None:
    """A second machine builds another recipe, and takes the step that both have from the first."""
    names = ["a", "b", "c"]
    with publishing(here, registry, names) as publisher:
        first = build(here, names, publisher=publisher)
    assert first.failed == {} and sorted(publisher.pushed) == names
    assert first.built_twice == set()
    there = machine("there", False)
    engine = executing(there, install=False)
    add(there, "g", "files: [{from: g.py, to: g.py}]\n", {"g.py": "print('g')\n"})
    asked = {"g": [f"{registry.host}/{REPO}"]}
    report = build(there, ["g"], registries=asked)
    assert engine.built == [] and report.failed == {}
    [layer] = [row for row in report.built["g"] if row.plan.name == "migrated"]
    assert [name for name, _ in layer.pulled] == ["install"] and layer.fresh == ("files",)


def publishing(here: Machine, registry: RegistryServer, names: list[str]) -> Publishing:
    return Publishing(here.store, {name: parse_reference(f"{registry.host}/{REPO}:{name}", None) for name in names})


def test_what_two_machines_build_at_once_is_counted(
    here: Machine, machine: Callable[..., Machine], registry: RegistryServer
) -> None:
    there = machine("there")
    executing(there, install=False)
    for one, expected in ((here, 0), (there, 1)):
        with publishing(one, registry, ["a"]) as publisher:
            report = build(one, ["a"], publisher=publisher)
        assert report.failed == {}
        assert (len(report.built_twice) > 0) == expected
    assert report.built_twice == report.made


def test_an_image_that_is_pushed_before_its_layers_has_brought_them(here: Machine, registry: RegistryServer) -> None:
    """Which of the two comes first is a matter of chance; neither makes the other look like another machine's."""
    build(here, ["a"])
    [plan] = plans(here, ["a"])
    for is_ours in (True, False):
        with publishing(here, registry, ["a"]) as publisher:
            publisher.image(plan)
            for layer in plan.layers:
                made = {part.key for part in layer.parts}
                if made:
                    assert publisher.layer(plan, layer, made) == (set() if is_ours else made)


def test_what_another_machine_has_pushed_meanwhile_is_taken(
    here: Machine, machine: Callable[..., Machine], registry: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not there when the build begins, and is when its step is about to be executed."""
    there = machine("there")
    executing(there, install=False)
    with publishing(there, registry, ["a"]) as publisher:
        build(there, ["a"], publisher=publisher)
    [wanted] = plans(here, ["a"])
    hidden = {layer_tag(start) for layer in wanted.layers for start in layer.beginnings}
    offer = Registries.offer

    def not_yet(self: Registries, layer: Any) -> Any:
        if layer_tag(layer) in hidden:
            hidden.discard(layer_tag(layer))
            return offer(Registries([]), layer)
        return offer(self, layer)

    monkeypatch.setattr(Registries, "offer", not_yet)
    report = build(here, ["a"], registries={"a": [f"{registry.host}/{REPO}"]})
    assert report.failed == {} and built(here) == []


def test_a_disk_that_cannot_take_it_is_told_before_any_work(here: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1 << 20})())
    with pytest.raises(StoreError, match="are needed at"):
        build(here, ["a", "b"])
    assert built(here) == [] and not (here.home / "keys").exists()


def test_the_critical_path_needs_no_builder_and_what_was_waited_for_does(here: Machine) -> None:
    graph = Graph.of(plans(here, ["b", "c"]))
    steps = [key for key, item in graph.nodes.items() if item.part.kind == "run"]
    first, second = steps
    spans = [
        DoneWork("one", "c", "run", first, 0.0, 5.0, None),
        DoneWork("two", "b", "run", second, 5.0, 8.0, 0),  # it waited for the builder
        DoneWork("image of b", "b", "load", None, 8.0, 9.0, 1),
    ]
    owners = [graph.nodes[key].recipes for key in steps]
    assert owners == [("b",), ("c",)] or owners == [("c",), ("b",)]
    assert [span.title for span in waited_for(spans)] == ["one", "two", "image of b"]
    path = critical_path(graph, spans)
    assert len(path) <= 2 and not {"one", "two"} <= {span.title for span in path}


def test_layers_are_pushed_beside_each_other(here: Machine) -> None:
    graph = Graph.of(plans(here, ["b"]))
    [step] = [key for key, item in graph.nodes.items() if item.part.kind == "run"]
    spans = [
        DoneWork("step", "b", "run", step, 0.0, 5.0, None),
        DoneWork("layer one", "b", "share", None, 5.0, 8.0, 0),
        DoneWork("layer two", "b", "share", None, 5.0, 9.0, 0),
        DoneWork("load", "b", "load", None, 5.0, 6.0, 0),
        DoneWork("image", "b", "push", None, 9.0, 10.0, 2),
    ]
    assert [span.title for span in critical_path(graph, spans)] == ["step", "layer two", "image"]
