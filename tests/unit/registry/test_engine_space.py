"""Whether an engine has room for what it lacks, before any work."""

from collections.abc import Callable

import pytest
from small_project import LARGE, Machine, NoEngine

from portside.build.space import engine_needs
from portside.errors import EngineError


def needs(here: Machine) -> tuple[int, int]:
    engine = here.engine
    found = engine_needs([here.plan], here.store, engine)  # type: ignore[arg-type]
    return found.layers, found.room


def test_an_engine_without_room_is_named_before_any_work(machine: Callable[..., Machine]) -> None:
    here = machine("here")
    here.engine.free = 1 << 20
    before = here.blobs()
    with pytest.raises(EngineError, match=r"are needed where the engine keeps its images, 1\.0 MiB are free") as error:
        here.build()
    assert here.blobs() == before and here.engine.loaded == {}
    assert error.value.solution is not None and "invoke clean --engine" in error.value.solution


def test_what_the_engine_has_needs_no_room(machine: Callable[..., Machine]) -> None:
    here = machine("here")
    here.build()
    assert needs(here) == (0, 0)
    here.small.edit("print('another')\n")
    layers, room = needs(here)
    assert layers < 10_000 and room == layers  # of code that is not built yet nobody knows the size
    here.engine.free = LARGE
    here.build()
    assert needs(here) == (0, 0)


def test_what_only_the_store_has_needs_room_twice(machine: Callable[..., Machine]) -> None:
    here = machine("here")
    here.build()
    sizes = sum(here.store.layout.size(digest) or 0 for digest in here.diff_ids())
    here.engine = NoEngine()
    assert needs(here) == (sizes, 2 * sizes)
    here.engine.free = 2 * sizes - 1
    with pytest.raises(EngineError, match="are needed"):
        here.build()
    assert here.engine.loaded == {}
    here.engine.free = 2 * sizes
    here.build()
    assert here.engine.loaded


def test_where_nobody_knows_what_is_free_nothing_is_refused(machine: Callable[..., Machine]) -> None:
    here = machine("here")
    found = engine_needs([here.plan], here.store, here.engine)  # type: ignore[arg-type]
    assert found.line("Docker").endswith("what is free there is not known")
    here.build()


def test_a_person_is_told_both(machine: Callable[..., Machine]) -> None:
    here = machine("here")
    here.build()
    here.engine.free = 1 << 30
    line = engine_needs([here.plan], here.store, here.engine).line("docker")  # type: ignore[arg-type]
    assert line == "docker has all layers; 1.0 GiB are free"
    here.engine = NoEngine()
    here.engine.free = 1 << 30
    line = engine_needs([here.plan], here.store, here.engine).line("docker")  # type: ignore[arg-type]
    assert line == "docker lacks about 2.5 MiB of layers, 4.9 MiB while they are loaded; 1.0 GiB are free"
