"""Several builds of one recipe at once, and what a build needs in the engine on its way."""

import fcntl
import json
import multiprocessing
import os
import re
import signal
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from small_project import Machine, NoEngine

from portside.build.temporary import Temporaries
from portside.errors import BuildError, EngineError

NAME = re.compile(r"portside\.invalid/build:[0-9a-f]{12}-[0-9a-f]{16}(-parent)?")


class Executing(NoEngine):
    """An engine that executes nothing, and keeps what it is told. base: what results stand on, None for the parent."""

    base: list[str] | None = None
    native = "amd64"

    def __init__(self) -> None:
        super().__init__()
        self.built: list[Any] = []
        self.names: list[str] = []
        self.removed: list[str] = []
        self.interrupted: list[str] = []
        self.during: Callable[[], None] = lambda: None

    def runs(self, architecture: str) -> bool:
        return architecture == self.native

    def build(self, image: Any, log: Callable[[str], None]) -> None:
        self.built.append(image)
        [parent] = image.parents()
        self.names += [image.tag, parent]
        self.layers[image.tag] = self.layers[parent] if self.base is None else self.base
        self.during()

    def new_layers(self, tag: str, below: int, shown: str) -> AbstractContextManager[list[Any]]:
        return nullcontext([])

    def remove_image(self, tag: str) -> None:
        self.removed.append(tag)

    def remove_interrupted(self, parent: str) -> None:
        self.interrupted.append(parent)


def with_install(here: Machine, engine: NoEngine) -> Machine:
    path = here.small.root / "recipes" / "small.yaml"
    if "install" not in path.read_text():
        path.write_text(path.read_text() + 'install: ["true"]\n')
    here.engine = engine
    return here


def notes(here: Machine) -> list[Path]:
    return sorted((here.home / "builds").glob("*"))


def test_one_builds_and_the_others_take_its_result(
    machine: Callable[..., Machine], capsys: pytest.CaptureFixture[str]
) -> None:
    """The second is started while the first is executing a step, and waits for it."""
    here = with_install(machine("here"), Executing())
    there = with_install(Machine(here.small, here.home), Executing())
    said = threading.Event()
    others: list[Any] = []

    def wait_for_the_other() -> None:
        other.start()
        assert said.wait(60)

    def build_there() -> None:
        others.extend(there.build())

    other = threading.Thread(target=build_there)
    assert isinstance(here.engine, Executing) and isinstance(there.engine, Executing)
    here.engine.during = wait_for_the_other
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "portside.build.builder.say", lambda text: said.set() if "waiting for another build" in text else None
        )
        first = here.build()
    other.join()
    assert len(here.engine.built) == 1 and there.engine.built == []
    assert [row.image.image_id for row in first] == [row.image.image_id for row in others]
    assert "install" in first[2].fresh and "install" not in others[2].fresh


def test_the_others_make_it_where_the_first_fails(machine: Callable[..., Machine]) -> None:
    here = with_install(machine("here"), Executing())
    there = with_install(Machine(here.small, here.home), Executing())
    assert isinstance(here.engine, Executing) and isinstance(there.engine, Executing)
    here.engine.base = ["0" * 64]
    with pytest.raises(BuildError):
        here.build()
    assert there.build() and len(there.engine.built) == 1


def test_names_are_no_registrys_and_nobody_elses(machine: Callable[..., Machine]) -> None:
    here = with_install(machine("here"), Executing())
    engine = here.engine
    assert isinstance(engine, Executing)
    here.build()
    here.build(no_cache=True)
    assert all(NAME.fullmatch(name) for name in engine.names)
    assert len(set(engine.names)) == 4 and engine.removed == engine.names
    ids = [engine.loaded[name] for name in engine.names if name.endswith("-parent")]
    assert len(set(ids)) == 2, "an engine forgets an image with its last name, so that two builds share none"
    assert notes(here) == []


def test_what_stands_on_something_else_is_not_kept(machine: Callable[..., Machine]) -> None:
    here = with_install(machine("here"), Executing())
    assert isinstance(here.engine, Executing)
    [part, _] = here.plan.layer("migrated").parts
    for wrong in (["0" * 64], [], [here.base.digest]):
        here.engine.base = wrong
        with pytest.raises(BuildError, match="migrated/install does not stand on the layers below it"):
            here.build()
        assert here.store.record("keys", part.key) is None
    here.engine.base = None
    assert here.build()[-1].image


def test_an_engine_of_another_architecture_is_refused_before_any_work(machine: Callable[..., Machine]) -> None:
    here = with_install(machine("here"), Executing())
    assert isinstance(here.engine, Executing)
    here.engine.native = "arm64"
    with pytest.raises(EngineError, match="base is for amd64, and nothing is known to run") as caught:
        here.build()
    assert "qemu-user-static" in str(caught.value.solution)
    assert here.engine.loaded == {} and not (here.home / "keys").exists()
    path = here.small.root / "recipes" / "small.yaml"
    path.write_text(path.read_text().replace('install: ["true"]\n', ""))
    assert here.build(), "where nothing is executed, nothing has to be"


class Interrupting(Executing):
    """An engine in whose build a signal arrives."""

    def build(self, image: Any, log: Callable[[str], None]) -> None:
        super().build(image, log)
        raise KeyboardInterrupt


def test_an_interrupted_build_takes_its_names_along(machine: Callable[..., Machine]) -> None:
    here = with_install(machine("here"), Interrupting())
    assert isinstance(here.engine, Executing)
    with pytest.raises(KeyboardInterrupt):
        here.build()
    assert here.engine.removed == here.engine.names != []
    assert notes(here) == []


def killed(here: Machine) -> None:
    """A build that is killed in the middle of a step."""
    assert isinstance(here.engine, Executing)
    here.engine.during = lambda: os.kill(os.getpid(), signal.SIGKILL)
    process = multiprocessing.get_context("fork").Process(target=here.build)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def test_what_a_killed_build_left_goes_with_the_next(machine: Callable[..., Machine]) -> None:
    here = with_install(machine("here"), Executing())
    killed(here)
    [note] = notes(here)
    left = json.loads(note.read_bytes())
    here.engine = engine = Executing()
    here.build()
    assert engine.interrupted == [left["parent"]]
    assert engine.removed[:2] == [left["result"], left["parent"]] and len(engine.removed) == 4
    assert notes(here) == []


def test_a_build_with_nothing_to_do_removes_it_too(machine: Callable[..., Machine]) -> None:
    here = with_install(machine("here"), Executing())
    here.build()
    here.engine = engine = Executing()
    note = here.home / "builds" / "left.json"
    note.parent.mkdir(exist_ok=True)
    names = {"result": "portside.invalid/build:a", "parent": "portside.invalid/build:a-parent"}
    note.write_text(json.dumps({"engine": "none", **names}))
    here.build()
    assert engine.built == [] and engine.removed == list(names.values()) and notes(here) == []


def test_what_another_engine_has_waits_for_it(machine: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch) -> None:
    here = with_install(machine("here"), Executing())
    killed(here)
    [note] = notes(here)
    here.engine = engine = Executing()
    monkeypatch.setattr(engine, "identity", lambda: "another")
    here.build()
    assert engine.interrupted == [] and notes(here) == [note]


def test_names_that_somebody_holds_stay(machine: Callable[..., Machine]) -> None:
    """Such as the engine's command, when it outlives a process that was killed."""
    here = with_install(machine("here"), Executing())
    killed(here)
    [note] = notes(here)
    engine: Any = Executing()
    with note.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with Temporaries(engine, here.home) as temporaries:
            mine = temporaries.new("a" * 64)
            with Temporaries(engine, here.home) as others:
                others.new("b" * 64)
        assert engine.interrupted == [] and note in notes(here)
        assert mine.parent in engine.removed and len(engine.removed) == 4
    with Temporaries(engine, here.home) as temporaries:
        temporaries.new("c" * 64)
    assert len(engine.interrupted) == 1 and notes(here) == []


def test_a_name_that_stays_is_tried_again(machine: Callable[..., Machine], capsys: pytest.CaptureFixture[str]) -> None:
    class Holding(Executing):
        def remove_image(self, tag: str) -> None:
            raise EngineError(f"{tag} is in use")

    here = with_install(machine("here"), Holding())
    assert here.build()[-1].fresh
    assert capsys.readouterr().err.count("a temporary image stays: portside.invalid/build:") == 2
    [note] = notes(here)
    left = json.loads(note.read_bytes())
    here.engine = engine = Executing()
    here.build(no_cache=True)
    assert engine.removed[:2] == [left["result"], left["parent"]] and len(engine.removed) == 4
    assert notes(here) == []


def test_the_engines_command_holds_the_names_too(machine: Callable[..., Machine]) -> None:
    here = with_install(machine("here"), Executing())
    engine = here.engine
    assert isinstance(engine, Executing)
    held: list[str] = []
    engine.during = lambda: held.extend(os.readlink(f"/proc/self/fd/{fd}") for fd in engine.built[-1].held)
    here.build()
    assert len(held) == 1 and Path(held[0]).parent == here.home / "builds"


def test_a_variable_that_the_build_sets_is_the_builds(machine: Callable[..., Machine]) -> None:
    """Engines disagree on which one counts, the image's or that of an ARG."""
    here = machine("here")
    path = here.small.root / "recipes" / "small.yaml"
    path.write_text(path.read_text().replace("env:\n", "env:\n  variables: {LC_ALL: C, OTHER: x}\n"))
    here = with_install(here, Executing())
    configs: list[Any] = []
    load = here.engine.load
    here.engine.load = lambda image, transfer: (configs.append(json.loads(image.config)), load(image, transfer))[1]  # type: ignore[method-assign]
    here.build()
    variables = [config["config"]["Env"] for config in configs]
    assert "LC_ALL=C" not in variables[0] and "OTHER=x" in variables[0]
    assert all({"LC_ALL=C", "OTHER=x"} <= set(env) for env in variables[1:])
