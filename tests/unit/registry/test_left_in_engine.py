"""What of Portside's in an engine may go, and what stays: whatever somebody may need."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from buildkit_standin import Caching
from small_project import Machine
from test_build_cache import builds

from portside.build.in_engine import InEngine, look, remove
from portside.build.temporary import Temporaries
from portside.common.process import this_process
from portside.engines import Container, EngineImage
from portside.engines.base import PROCESS_LABEL, RECIPE_LABEL
from portside.errors import EngineError

ENDED = this_process().rpartition(".")[0] + ".1"
"""A process of this machine that has ended: nobody started at that time."""


def image(name: str, *names: str, size: int = 10, is_recipes: bool = True, **labels: str) -> EngineImage:
    """Of two layers: one that all have, and one of its own."""
    own = {"portside." + label: value for label, value in labels.items()}
    layers = (("base", 1000), (name, size))
    return EngineImage(name, names, {RECIPE_LABEL: "small"} | own, layers, is_recipes)


class Holding(Caching):
    """An engine that has these images and containers. stands_on: image -> the one below, which cannot go before it."""

    def __init__(self, *images: EngineImage, containers: tuple[Container, ...] = ()) -> None:
        super().__init__()
        self.there = {item.id: item for item in images}
        self.running = {item.id: item for item in containers}
        self.stands_on: dict[str, str] = {}
        self.needed: set[str] = set()

    def images(self) -> list[EngineImage]:
        return list(self.there.values())

    def containers(self) -> list[Container]:
        return list(self.running.values())

    def remove_container(self, container: str) -> None:
        del self.running[container]

    def remove_image(self, tag: str) -> None:
        found = [item for item in self.there.values() if tag == item.id or tag in item.names]
        for item in found:
            if item.id in self.needed or any(self.stands_on.get(other) == item.id for other in self.there):
                raise EngineError(f"{tag} is in use")
            del self.there[item.id]


def seen(engine: Holding, home: Path) -> InEngine:
    found: Any = engine
    return look(found, home)


def cleaned(engine: Holding, home: Path) -> list[str]:
    found: Any = engine
    return remove(found, home, look(found, home))


def test_what_has_a_name_or_is_somebodys_work_stays(tmp_path: Path) -> None:
    engine = Holding(
        image("named", "portside/small:weights"),
        image("tagged", "mine:1"),
        image("unnamed"),
        image("derived", is_recipes=False),
    )
    left = seen(engine, tmp_path)
    assert [item.id for item in left.unnamed] == ["unnamed"] and left.temporary == ()
    # The base is in images that stay.
    assert left.free_bytes == 10 and left.image_bytes == 1040 and left.own_bytes(left.unnamed[0]) == 10
    assert cleaned(engine, tmp_path) == [] and sorted(engine.there) == ["derived", "named", "tagged"]


def test_images_of_builds_go_when_the_build_has_ended(tmp_path: Path) -> None:
    engine = Holding(
        image("over", "portside.invalid/build:a", build="1", process=ENDED),
        image("running", "portside.invalid/build:b", build="2", process=this_process()),
        image("elsewhere", "portside.invalid/build:c", build="3", process="boot-9.1.1"),
        image("older", "portside.invalid/build:d", build="4"),
        image("nameless", build="5"),
        image("step", build="6", process=ENDED, is_recipes=False),
    )
    assert [item.id for item in seen(engine, tmp_path).temporary] == ["nameless", "step", "over"]
    assert cleaned(engine, tmp_path) == [] and sorted(engine.there) == ["elsewhere", "older", "running"]


def test_names_that_a_build_of_this_store_holds_stay(machine: Callable[..., Machine]) -> None:
    """The engine's command outlives the process that began it."""
    here, engine = machine("here"), Holding()
    found: Any = engine
    with Temporaries(found, here.home) as temporaries:
        names = temporaries.new("a" * 64)
        engine.there["held"] = image("held", names.parent, build=names.token, process=ENDED)
        assert seen(engine, here.home).temporary == ()
    engine.there["held"] = image("held", names.parent, build=names.token, process=ENDED)
    assert [item.id for item in seen(engine, here.home).temporary] == ["held"]


def test_containers_of_checks_go_when_the_check_has_ended(tmp_path: Path) -> None:
    ends = {"a": ENDED, "b": this_process(), "c": "boot-9.1.1"}
    containers = (Container(name, True, None, {PROCESS_LABEL: process}) for name, process in ends.items())
    engine = Holding(image("x", "portside/small:env"), containers=tuple(containers))
    assert cleaned(engine, tmp_path) == [] and sorted(engine.running) == ["b", "c"]


def test_what_stands_on_another_goes_first_and_what_is_needed_is_named(tmp_path: Path) -> None:
    engine = Holding(*(image(name, build="1", process=ENDED) for name in "abc"), image("used"))
    engine.stands_on = {"c": "a", "a": "b"}
    engine.needed = {"used"}
    assert cleaned(engine, tmp_path) == ["image used stays: used is in use"] and sorted(engine.there) == ["used"]


def test_the_cache_of_this_stores_builds_goes(machine: Callable[..., Machine]) -> None:
    here, engine = machine("here"), Holding()
    engine.step_size = 12345
    theirs = engine.cache.add("regular", "theirs", size=5)
    builds(here, "echo one", engine=engine)
    left = seen(engine, here.home)
    assert left.free_bytes == 12345 and theirs not in {record.id for record in left.cache}
    assert cleaned(engine, here.home) == [] and list(engine.cache.there) == [theirs]
    assert list((here.home / "buildcache").glob("*")) == [] and seen(engine, here.home).cache == ()


def test_a_store_that_is_not_there_yet_is_not_needed(tmp_path: Path) -> None:
    engine = Holding(image("unnamed"))
    assert cleaned(engine, tmp_path / "no" / "store") == [] and engine.there == {}
    assert not (tmp_path / "no").exists()


def test_an_engine_of_another_identity_has_a_cache_of_its_own(
    machine: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, engine = machine("here"), Holding()
    builds(here, "echo one", engine=engine)
    monkeypatch.setattr(engine, "identity", lambda: "another")
    assert seen(engine, here.home).cache == ()
    [note] = (here.home / "buildcache").glob("*.json")
    assert json.loads(note.read_bytes())["engine"] == "none"
