"""SIGINT, SIGTERM and SIGHUP while a container runs: the command sees them first, and nothing is left running."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from portside.common import stopped
from portside.common.process import this_process
from portside.engines import Container
from portside.engines.base import RUN_LABEL
from portside.runtime import stopping


class FakeRunner:
    """A container that notes its signals. obeys: the signals at which it ends. starts: when it runs."""

    name = "docker"

    def __init__(self, *obeys: int) -> None:
        self.seen: list[int] = []
        self.obeys = obeys
        self.runs = True
        self.ended = threading.Event()
        self.left: list[Container] = []

    def signal(self, container: str, number: int) -> bool:
        assert container == "c"
        if not self.runs:
            return False
        self.seen.append(number)
        if number in (*self.obeys, signal.SIGKILL):
            self.ended.set()
        return True

    def containers(self, label: str) -> list[Container]:
        assert label == RUN_LABEL
        return self.left


@pytest.fixture(autouse=True)
def as_a_person_starts_it() -> Iterator[None]:
    """A shell starts what runs in the background with SIGINT ignored, and the tests may run there."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in stopping.SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def run(runner: FakeRunner, seconds: float, *numbers: int, before: Callable[[], object] = lambda: None) -> None:
    with stopping.stopping(runner, "c", seconds):  # type: ignore[arg-type]
        for number in numbers:
            os.kill(os.getpid(), number)
            before()
        assert runner.ended.wait(20)


@pytest.mark.parametrize("number", stopping.SIGNALS)
def test_the_command_sees_the_signal(number: signal.Signals) -> None:
    handler = signal.getsignal(number)
    runner = FakeRunner(number)
    run(runner, 60, number)
    assert runner.seen == [number]
    assert signal.getsignal(number) is handler


def test_after_its_time_it_is_killed() -> None:
    runner = FakeRunner()
    run(runner, 0.05, signal.SIGTERM)
    assert runner.seen[:2] == [signal.SIGTERM, signal.SIGKILL]


def test_a_second_signal_kills_it_at_once() -> None:
    runner = FakeRunner()
    run(runner, 3600, signal.SIGTERM, signal.SIGHUP)
    assert runner.seen[:2] == [signal.SIGTERM, signal.SIGKILL]


def test_a_container_that_does_not_run_yet_is_told_when_it_does() -> None:
    runner = FakeRunner(signal.SIGTERM)
    runner.runs = False
    threading.Timer(0.15, lambda: setattr(runner, "runs", True)).start()
    run(runner, 60, signal.SIGTERM)
    assert runner.seen == [signal.SIGTERM]


def test_what_is_ignored_stays_ignored() -> None:
    runner = FakeRunner()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        run(runner, 60, signal.SIGHUP, before=runner.ended.set)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert runner.seen == []


def test_without_a_signal_nothing_happens() -> None:
    runner = FakeRunner()
    runner.ended.set()
    run(runner, 0)
    assert runner.seen == []


def test_what_a_killed_call_left_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    runner = FakeRunner()
    here = this_process()
    place = here.partition(".")[0]
    runner.left = [
        Container(f"{n}" * 20, True, None, {RUN_LABEL: word}) for n, word in enumerate((here, f"{place}.1.1"))
    ]
    stopping.say_left(runner)  # type: ignore[arg-type]
    said = capsys.readouterr().err
    assert "docker rm --force 111111111111 ends it" in said
    assert "000000000000" not in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_calls_clear_up(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {n: signal.getsignal(n) for n in (*stopping.SIGNALS,)}
    gone: list[Any] = []
    monkeypatch.setattr(stopped.os, "_exit", gone.append)
    signal.signal(number, signal.SIG_DFL)
    try:
        stopped.end_cleanly()
        with pytest.raises(stopped.StoppedError) as ended:
            os.kill(os.getpid(), number)
            time.sleep(5)
        assert ended.value.number == number
        os.kill(os.getpid(), signal.SIGTERM)
        assert gone == [128 + signal.SIGTERM]
    finally:
        for n, handler in kept.items():
            signal.signal(n, handler)
