"""The container of a working folder: the recipe's image with the folder over its workspace, kept until it is replaced.

Its first process waits; shells, commands and watched targets run beside it, so that all of them see what was installed
there. It stops when the last of them ends, and starts again with the next.
"""

import dataclasses
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from portside.accelerators import Host
from portside.common.progress import say
from portside.develop.code import source_folders
from portside.develop.work_folder import BESIDE, NOTHING, SHELL, WorkFolder, WorkState
from portside.engines import Mount, Runner, RunSpec
from portside.errors import EngineError, PortsideError
from portside.recipe import Recipe
from portside.runtime import Intent, container_name, container_spec, refuse
from portside.runtime.lacking import Lacking
from portside.runtime.shell_line import shell_line
from portside.runtime.spec import KEPT, SETTINGS, settings_digest
from portside.runtime.spec import SHELL as SHELL_COMMAND

IDLE = ("/bin/sh", "-c", "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done")
SHELL_PLACE = "/run/portside"
_GIVE_BACK = (
    'set -f; owner=$(stat -c %u:%g "$0") || exit 0; '
    'for path in "$@"; do chown -hR "$owner" "$path" 2>/dev/null; done; exit 0'
)


def code_mounts(work: WorkFolder, recipe: Recipe, state: WorkState) -> tuple[Mount, ...]:
    """The working folder over the workspace; what is not to be edited, and git's folder, stay as they are."""
    mounts = [
        Mount(str(work.path), recipe.workspace),
        Mount(str(work.kept / NOTHING), f"{recipe.workspace}/.git", read_only=True),
        Mount(str(work.kept / SHELL), SHELL_PLACE),
    ]
    if not state.sources:
        for name in source_folders(recipe):
            mounts.append(Mount(str(work.kept / BESIDE / name), f"{recipe.workspace}/{name}", read_only=True))
    return tuple(mounts)


def develop_spec(
    intent: Intent,
    host: Host,
    code: Sequence[Mount],
    weights: Sequence[Mount],
    data: Sequence[Mount],
    *,
    lacking: Lacking = refuse,
    warn: Callable[[str], None] = say,
) -> RunSpec:
    """The container of a working folder. intent: what its target asks for; its command and variables belong to what
    runs in it, not to the container. Raises RecipeError or EngineError."""
    asked = dataclasses.replace(intent, command="true", detach=True, workdir=None)
    spec = container_spec(asked, host, weights=weights, data=(*code, *data), lacking=lacking, warn=warn)
    name = intent.name or f"{container_name(intent.recipe.name, host.user)}-develop"
    spec = dataclasses.replace(spec, name=name, command=IDLE)
    return dataclasses.replace(spec, labels={KEPT: "develop", SETTINGS: settings_digest(spec)})


def ensure(engine: Runner, spec: RunSpec, *, recreate: bool = False) -> str:
    """Have the container run; gives its ID. Raises EngineError where there is one that differs from what is asked."""
    image = engine.image_id(spec.image)
    if image is None:
        recipe, _, layer = spec.image.partition("/")[2].partition(":")
        raise EngineError(
            f"the engine has no image {spec.image}", f"Build it: invoke build --recipe {recipe} --layer {layer}"
        )
    assert spec.name is not None
    existing = engine.find_container(spec.name)
    if existing is not None and existing.labels.get(KEPT) != "develop":
        raise EngineError(f"the container {spec.name} is not one of develop's", "--name gives another name.")
    if existing is not None and recreate:
        engine.remove_container(existing.id)
        existing = None
    if existing is None:
        return engine.start(spec)
    remedy = "--recreate starts a new one; what was installed in it is lost, unless `capture` has taken it."
    if existing.image != image:
        raise EngineError(f"the container {spec.name} is of an older {spec.image}", remedy)
    if existing.labels.get(SETTINGS) != spec.labels[SETTINGS]:
        raise EngineError(
            f"the container {spec.name} has other devices, mounts, ports or rights than asked for now", remedy
        )
    if not existing.running:
        engine.resume(existing.id)
    return existing.id


def run_in(
    engine: Runner,
    container: str,
    command: str | None,
    *,
    terminal: bool,
    env: Mapping[str, str],
    workdir: str | None,
) -> int:
    """Run a shell line, or a shell, in the container; gives its exit code."""
    argv = SHELL_COMMAND if command is None else ("/bin/sh", "-c", shell_line(command))
    variables = dict(env)
    if command is None:
        variables = {"HISTFILE": f"{SHELL_PLACE}/history", "PROMPT_COMMAND": "history -a", **variables}
    line = engine.enter_command(container, argv, terminal=terminal, env=variables, workdir=workdir)
    try:
        code = subprocess.call(line)
    except FileNotFoundError:
        raise EngineError(f"there is no command {line[0]}", "Install it.") from None
    return code if code >= 0 else 128 - code


def asked_in(engine: Runner, container: str, argv: Sequence[str], data: bytes = b"") -> tuple[int, bytes]:
    """Run a program in the container; gives its exit code and what it wrote to stdout."""
    line = engine.enter_command(container, argv, terminal=False, env={}, workdir="/")
    try:
        done = subprocess.run(line, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    except FileNotFoundError:
        raise EngineError(f"there is no command {line[0]}", "Install it.") from None
    return done.returncode, done.stdout


def leave(engine: Runner, container: str, work: WorkFolder, workspace: str, mounted: Sequence[str]) -> None:
    """What has to be done when nobody uses the container any more: files go back to the folder's owner, it stops.

    mounted: the folders of the workspace that other things are mounted over.
    """
    if work.in_use():
        return
    with suppress(PortsideError):
        own = _own(work, mounted) if os.geteuid() != 0 else []
        if own:
            paths = [f"{workspace}/{path}" for path in own]
            asked_in(engine, container, ("/bin/sh", "-c", _GIVE_BACK, workspace, *paths))
    with suppress(PortsideError):
        engine.signal(container, signal.SIGKILL)


def _own(work: WorkFolder, mounted: Sequence[str]) -> list[str]:
    """The topmost paths of the folder below which nothing is mounted."""
    found: list[str] = []
    waiting = [""]
    while waiting:
        above = waiting.pop()
        for item in sorted(path.name for path in (work.path / above).iterdir()):
            path = f"{above}/{item}".lstrip("/")
            if path == ".git" or path in mounted:
                continue
            if any(other.startswith(f"{path}/") for other in mounted):
                waiting.append(path)
            else:
                found.append(path)
    return found
