"""Start, enter or replace a container."""

import dataclasses
import secrets
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence

from portside.common.process import this_process
from portside.common.progress import say
from portside.common.values import ImageID
from portside.engines import Container, Runner, RunSpec, command_line
from portside.engines.base import RUN_LABEL
from portside.errors import EngineError
from portside.runtime.known import Known
from portside.runtime.spec import KEPT, SETTINGS
from portside.runtime.stopping import STOP_SECONDS, say_left, stopping


def run_container(engine: Runner, spec: RunSpec, *, recreate: bool = False, known: Known | None = None) -> int:
    """Run the container that a spec describes; gives its command's exit code.

    SIGINT, SIGTERM and SIGHUP reach the command as `stopping` says; what runs in the background is left alone.

    A container of that name with a shell, which stays when a person leaves it, is entered: the command runs in it.
    recreate: remove it first. known: what the store knows of the image; the engine's must not be another.
    The command's output goes to stdout and stderr. Raises EngineError.
    """
    image = engine.image_id(spec.image)
    if image is None:
        recipe, _, layer = spec.image.partition("/")[2].partition(":")
        raise EngineError(
            f"the engine has no image {spec.image}", f"Build it: invoke build --recipe {recipe} --layer {layer}"
        )
    if known is not None:
        known.compare(spec.image, image)
    assert spec.name is not None
    say_left(engine)
    existing = engine.find_container(spec.name)
    if existing is not None and SETTINGS not in existing.labels:
        raise EngineError(f"the container {spec.name} is not one of Portside's", "--name gives another name.")
    left_over = existing is not None and not existing.running and KEPT not in existing.labels
    if existing is not None and (recreate or left_over):
        engine.remove_container(existing.id)
        existing = None
    if existing is not None and KEPT not in existing.labels and KEPT not in spec.labels:
        # Another command of the same person runs at this moment; both may, and the name is taken.
        return _start(engine, dataclasses.replace(spec, name=f"{spec.name}-{secrets.token_hex(4)}"))
    if existing is not None:
        return _enter(engine, spec, existing, image)
    return _start(engine, spec)


def print_command(spec: RunSpec, engine: str | None = None) -> None:
    """Print the command line that does the same as a first start; no engine is asked.

    engine: its name, as for `open_engine`. Raises EngineError if there is none of that name.
    """
    print(shlex.join(command_line(spec, engine)))


def _start(engine: Runner, spec: RunSpec) -> int:
    if spec.detach:
        engine.start(spec)
        say(f"Started in the background: {engine.name} logs --follow {spec.name}")
        print(spec.name)
        return 0
    name = spec.name
    assert name is not None
    if not spec.keep:
        spec = dataclasses.replace(spec, labels={**spec.labels, RUN_LABEL: this_process()})
    seconds = STOP_SECONDS if spec.stop_seconds is None else spec.stop_seconds
    with stopping(engine, name, seconds) as state:
        if not spec.terminal:
            return engine.run(spec, _write)
        code = _call(engine.as_command(spec))
        # The command that shows the terminal ends at once; what it shows has its time.
        while state.came.is_set() and _runs(engine, name):
            time.sleep(0.1)
        return code


def _runs(engine: Runner, name: str) -> bool:
    found = engine.find_container(name)
    return found is not None and found.running


def _enter(engine: Runner, spec: RunSpec, existing: Container, image: ImageID) -> int:
    remedy = "--recreate removes it and starts a new one; what was changed in it is lost."
    if spec.detach or KEPT not in existing.labels:
        state = "is running" if existing.running else "exists already"
        other = "--name starts another beside it."
        raise EngineError(f"the container {spec.name} {state}", f"{other} {remedy}")
    if existing.image != image:
        raise EngineError(f"the container {spec.name} is of an older {spec.image}", remedy)
    if existing.labels.get(SETTINGS) != spec.labels[SETTINGS]:
        raise EngineError(
            f"the container {spec.name} has other devices, mounts, ports or rights than asked for now", remedy
        )
    if not existing.running and existing.labels[KEPT] != "shell":
        seen = f"{engine.name} logs {spec.name} shows what it wrote"
        raise EngineError(f"the container {spec.name} has ended; {seen}", remedy)
    if not existing.running:
        engine.resume(existing.id)
    say(f"Entering {spec.name}, which exists already")
    command = engine.enter_command(
        existing.id, spec.command, terminal=spec.terminal, env=spec.env, workdir=spec.workdir
    )
    return _call(command)


def _call(command: Sequence[str]) -> int:
    try:
        code = subprocess.call(list(command))
        return code if code >= 0 else 128 - code
    except FileNotFoundError:
        raise EngineError(f"there is no command {command[0]}", "Install it, or run without a terminal.") from None


def _write(stdout: bytes, stderr: bytes) -> None:
    for stream, data in ((sys.stdout.buffer, stdout), (sys.stderr.buffer, stderr)):
        if data:
            stream.write(data)
            stream.flush()
