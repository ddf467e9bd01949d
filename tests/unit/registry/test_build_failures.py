"""What a person sees when a build fails: the reason first, and as soon as it is known."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
from small_project import Machine, NoEngine

from portside.errors import BuildError, EngineError, InputError


class Building(NoEngine):
    """An engine whose build says a line now and then, and goes on for much longer than anybody would wait."""

    lines_left = 1000

    def build(self, image: Any, log: Callable[[str], None]) -> None:
        while self.lines_left:
            self.lines_left -= 1
            log("#5 0.1 working")
            time.sleep(0.01)

    def remove_image(self, tag: str) -> None:
        pass


class Failing(Building):
    def build(self, image: Any, log: Callable[[str], None]) -> None:
        log("#5 0.1 no such option: --brake")
        raise BuildError(f"{image.title} could not be built at RUN true")


class Holding(Failing):
    """An engine that does not give temporary images up: containers use them, or its connection is gone."""

    fails = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def build(self, image: Any, log: Callable[[str], None]) -> None:
        if self.fails:
            super().build(image, log)
        self.layers[image.tag] = self.layers[image.parents()[0]]

    def new_layers(self, tag: str, below: int, shown: str) -> AbstractContextManager[list[Any]]:
        return nullcontext([])

    def remove_image(self, tag: str) -> None:
        self.asked.append(tag)
        raise EngineError(f"Docker broke off while removing {tag}", "Look at Docker.")


def with_install(here: Machine, engine: NoEngine) -> Machine:
    path = here.small.root / "recipes" / "small.yaml"
    path.write_text(path.read_text() + 'install: ["true"]\n')
    here.engine = engine
    return here


def test_a_mistake_elsewhere_stops_a_step_that_runs(
    machine: Callable[..., Machine], capsys: pytest.CaptureFixture[str]
) -> None:
    engine = Building()
    here = with_install(machine("here"), engine)
    name = sorted(here.small.weights)[0]
    (here.small.downloads / name).write_bytes(b"x" * len(here.small.weights[name]))
    with pytest.raises(InputError, match=name):
        here.build()
    assert engine.lines_left > 0
    assert "whole output" not in capsys.readouterr().err


def test_a_step_that_fails_is_named_as_the_plan_names_it(
    machine: Callable[..., Machine], capsys: pytest.CaptureFixture[str]
) -> None:
    here = with_install(machine("here"), Failing())
    with pytest.raises(BuildError, match=r"^migrated/install could not be built at RUN true"):
        here.build()
    [kept] = (here.home / "logs").iterdir()
    assert f"The whole output of the failed step is in {kept}" in capsys.readouterr().err
    assert kept.read_text() == "#5 0.1 no such option: --brake\n"


def test_what_ended_the_build_is_said_although_its_images_cannot_be_removed(
    machine: Callable[..., Machine], capsys: pytest.CaptureFixture[str]
) -> None:
    engine = Holding()
    here = with_install(machine("here"), engine)
    with pytest.raises(BuildError, match=r"^migrated/install could not be built at RUN true"):
        here.build()
    assert len(engine.asked) == 2
    said = capsys.readouterr().err
    assert all(f"Docker broke off while removing {tag}" in said for tag in engine.asked)


def test_a_finished_build_is_finished_although_its_images_cannot_be_removed(machine: Callable[..., Machine]) -> None:
    engine = Holding()
    here = with_install(machine("here"), engine)
    engine.fails = False
    assert here.build()[-1].fresh
    assert len(engine.asked) == 2
