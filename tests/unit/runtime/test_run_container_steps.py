"""Which container is started, entered, replaced or refused; the engine is an object that notes what it is asked."""

import dataclasses
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from portside.engines import COMMAND_LINES, ENGINES, Container, Output, RunSpec, docker_run
from portside.errors import EngineError
from portside.runtime import print_command, run_container

IMAGE = "a" * 64
SPEC = RunSpec(
    "portside/glm:weights", ("/bin/sh", "-c", "true"), name="portside-glm-li", labels={"portside.settings": "s1"}
)
SHELL = dataclasses.replace(
    SPEC, terminal=True, keep=True, labels={"portside.settings": "s1", "portside.kept": "shell"}
)
BACKGROUND = dataclasses.replace(SPEC, detach=True, labels={"portside.settings": "s1", "portside.kept": "command"})


class FakeEngine:
    """Answers as an engine with one image and at most one container. calls: what was asked of it."""

    name = "docker"

    def __init__(self, existing: Container | None = None, image: str | None = IMAGE, code: int = 0) -> None:
        self.existing = existing
        self.image = image
        self.code = code
        self.left: list[Container] = []
        self.calls: list[Any] = []

    def image_id(self, ref: str) -> str | None:
        return self.image

    def find_container(self, name: str) -> Container | None:
        return self.existing

    def containers(self, label: str) -> list[Container]:
        return self.left

    def signal(self, container: str, number: int) -> bool:
        self.calls.append(("signal", number))
        return True

    def remove_container(self, container: str) -> None:
        self.calls.append(("remove", container))

    def resume(self, container: str) -> None:
        self.calls.append(("resume", container))

    def run(self, spec: RunSpec, output: Output) -> int:
        self.calls.append(("run", spec.name))
        output(b"0.7642\n", b"")
        output(b"", b"a warning\n")
        return self.code

    def start(self, spec: RunSpec) -> str:
        self.calls.append(("start", spec.name))
        return "id"

    def as_command(self, spec: RunSpec) -> list[str]:
        return docker_run.as_command(spec)

    def enter_command(
        self, container: str, command: Sequence[str], *, terminal: bool, env: Mapping[str, str], workdir: str | None
    ) -> list[str]:
        self.calls.append(("enter", container, tuple(command), terminal))
        return [sys.executable, "-c", f"raise SystemExit({self.code})"]


def kept(**changes: Any) -> Container:
    return dataclasses.replace(Container("c1", True, IMAGE, SHELL.labels), **changes)


def run(engine: FakeEngine, spec: RunSpec, **options: bool) -> int:
    return run_container(engine, spec, **options)  # type: ignore[arg-type]


def test_a_dry_run_prints_one_line_and_asks_for_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print_command(SPEC, "docker")
    printed = capsys.readouterr().out
    assert shlex.split(printed) == docker_run.as_command(SPEC)
    assert printed.count("\n") == 1
    with pytest.raises(EngineError, match="no engine called 'x'"):
        print_command(SPEC, "x")


def test_every_engine_has_its_command_line() -> None:
    assert COMMAND_LINES.keys() == ENGINES.keys()


def test_output_and_exit_code_are_passed_on(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(FakeEngine(code=3), SPEC) == 3
    out, err = capfdbinary.readouterr()
    assert out == b"0.7642\n"
    assert err == b"a warning\n"


def test_without_the_image_the_build_command_is_said() -> None:
    engine = FakeEngine(image=None)
    with pytest.raises(EngineError) as caught:
        run(engine, SPEC)
    assert "invoke build --recipe glm --layer weights" in str(caught.value)
    assert engine.calls == []


def test_a_kept_shell_is_entered() -> None:
    engine = FakeEngine(kept(), code=5)
    assert run(engine, SPEC) == 5
    assert engine.calls == [("enter", "c1", SPEC.command, False)]


def test_a_stopped_shell_is_started_again_and_entered() -> None:
    engine = FakeEngine(kept(running=False))
    run(engine, SHELL)
    assert engine.calls == [("resume", "c1"), ("enter", "c1", SHELL.command, True)]


def test_recreate_removes_it_first() -> None:
    engine = FakeEngine(kept(image="b" * 64))
    run(engine, SPEC, recreate=True)
    assert engine.calls == [("remove", "c1"), ("run", "portside-glm-li")]


@pytest.mark.parametrize(
    ("existing", "spec", "complaint"),
    [
        (kept(image="b" * 64), SPEC, "of an older portside/glm:weights"),
        (kept(image=None), SPEC, "of an older portside/glm:weights"),
        (kept(labels={**SHELL.labels, "portside.settings": "s2"}), SPEC, "other devices, mounts, ports or rights"),
        (kept(labels=BACKGROUND.labels, running=False), SPEC, "has ended"),
        (kept(), BACKGROUND, "is running"),
        (kept(labels=SPEC.labels), SHELL, "is running"),
    ],
)
def test_a_container_that_cannot_serve_is_left_alone(existing: Container, spec: RunSpec, complaint: str) -> None:
    engine = FakeEngine(existing)
    with pytest.raises(EngineError, match=complaint) as caught:
        run(engine, spec)
    assert "--recreate" in str(caught.value)
    assert engine.calls == []


@pytest.mark.parametrize("recreate", [False, True])
@pytest.mark.parametrize("running", [False, True])
def test_a_container_of_somebody_else_is_left_alone(running: bool, recreate: bool) -> None:
    engine = FakeEngine(kept(labels={}, running=running))
    with pytest.raises(EngineError, match="is not one of Portside's"):
        run(engine, SPEC, recreate=recreate)
    assert engine.calls == []


def test_two_commands_of_one_person_run_beside_each_other() -> None:
    engine = FakeEngine(kept(labels=SPEC.labels))
    run(engine, SPEC)
    [(what, name)] = engine.calls
    assert what == "run"
    assert name.startswith(f"{SPEC.name}-")


def test_what_a_killed_command_left_is_removed() -> None:
    engine = FakeEngine(kept(labels=SPEC.labels, running=False))
    run(engine, SPEC)
    assert engine.calls == [("remove", "c1"), ("run", "portside-glm-li")]


def test_in_the_background_the_name_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    engine = FakeEngine()
    assert run(engine, BACKGROUND) == 0
    assert engine.calls == [("start", "portside-glm-li")]
    assert capsys.readouterr().out == "portside-glm-li\n"


def test_a_terminal_goes_through_the_engines_own_command(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []

    def call(command: list[str]) -> int:
        called.append(command)
        return -2

    monkeypatch.setattr(subprocess, "call", call)
    assert run(FakeEngine(), SHELL) == 130
    assert called == [docker_run.as_command(SHELL)]


def test_without_the_engines_command_a_terminal_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EngineError, match="there is no command docker"):
        run(FakeEngine(), SHELL)


def test_rights_reach_the_command_line() -> None:
    spec = dataclasses.replace(SPEC, cap_drop=("ALL",), cap_add=("CHOWN",), no_new_privileges=True)
    line = shlex.join(docker_run.as_command(spec))
    assert "--cap-drop ALL --cap-add CHOWN --security-opt no-new-privileges" in line
    assert docker_run.enter_command("c", ["sh"], terminal=True, env={"A": "1"}, workdir="/w") == [
        *("docker", "exec", "--interactive", "--tty", "--env", "A=1", "--workdir", "/w", "c", "sh")
    ]
