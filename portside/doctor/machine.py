"""The machine as every recipe needs it: system, engine, disks, memory."""

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

from portside.accelerators import Host
from portside.common.progress import human_bytes
from portside.config import Config
from portside.doctor.findings import Finding, Status
from portside.engines import Builder, Choice, Engine
from portside.engines.buildx import OVERLAYS
from portside.engines.emulators import emulated
from portside.errors import EngineError
from portside.lock.models import Lock

LITTLE_DISK = 10 << 30
"""Bytes below which a disk gets a warning: a base image with its packages, and a copy of both in the engine."""
LITTLE_MEMORY = 2 << 30
"""Bytes of available memory below which there is a warning; a build needs some hundred MB, a model more."""
_MACHINES = {"amd64": ("x86_64", "amd64"), "arm64": ("aarch64", "arm64")}


def examine_system(host: Host, lock: Lock | None) -> Finding:
    release = dict(line.split("=", 1) for line in (host.read("/etc/os-release") or "").splitlines() if "=" in line)
    name = release.get("PRETTY_NAME", "an unknown system").strip("\"'")
    kernel = (host.read("/proc/sys/kernel/osrelease") or "of unknown version").strip()
    machine = host.machine
    text = f"{name}, Linux {kernel}, {machine}"
    wanted = lock.base.architecture if lock else None
    if wanted and machine not in _MACHINES.get(wanted, (wanted,)):
        return Finding(
            "warning",
            "system",
            f"{text}; the recipe's image is for {wanted}",
            f"Lock, fetch, render and bundle it here; what runs in it wants a machine for {wanted}.",
        )
    return Finding("ok", "system", text)


def examine_engine(choose_engine: Callable[[], Choice]) -> tuple[Finding, Engine | None]:
    try:
        choice = choose_engine()
        text = f"{choice.engine.describe()} ({choice.reason})"
        driver = choice.engine.storage()
    except EngineError as error:
        return Finding("problem", "engine", error.problem, error.solution), None
    if driver in OVERLAYS:
        return Finding("ok", "engine", text), choice.engine
    text += (
        f"; with {driver}, a step that changes a file which an earlier step hard-linked changes its other names too, "
        "and gives a layer another diff ID than overlay storage"
    )
    return Finding("warning", "engine", text, "Set overlay as the engine's storage driver."), choice.engine


def examine_architecture(engine: Builder, lock: Lock) -> Finding:
    """Whether the engine runs programs of the recipe's image: by its machine, or by an emulator."""
    wanted = lock.base.architecture
    try:
        runs = engine.runs(wanted)
    except EngineError as error:
        return Finding("problem", "architecture", error.problem, error.solution)
    if runs:
        how = "" if platform.machine() in _MACHINES.get(wanted, (wanted,)) else ": its machine is one, or emulates it"
        return Finding("ok", "architecture", f"the engine runs programs for {wanted}{how}")
    there = ", ".join(sorted(emulated())) or "none"
    return Finding(
        "problem",
        "architecture",
        f"the recipe's image is for {wanted}, and the engine is not known to run such programs; emulators that are "
        f"registered here for containers: {there}",
        f"Name an engine on a machine for {wanted} (DOCKER_HOST), or `apt-get install qemu-user-static` where the "
        "engine is (docs/configuration.md).",
    )


def examine_clock(engine: Builder, lock: Lock) -> Finding:
    """Whether the engine's machine lives after the lock's inputs were made.

    A build takes times later than the epoch back to it; earlier ones stay, as would those of a clock that is behind.
    """
    try:
        now = engine.clock()
    except EngineError as error:
        return Finding("problem", "clock", error.problem, error.solution)
    if now is None:
        return Finding("ok", "clock", "the engine does not tell it, so not looked at")
    if now >= lock.epoch:
        return Finding("ok", "clock", f"the engine's says {_date(now)}")
    return Finding(
        "warning",
        "clock",
        f"the engine's says {_date(now)}, and the recipe's newest input is of {_date(lock.epoch)}: files that a build "
        "writes there get other times than everywhere else, and layers other diff IDs",
        "Set the clock of the machine that the engine runs on: timedatectl set-ntp true",
    )


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def examine_disks(config: Config, engine: Builder | None, to_fetch: int, image: int) -> Iterator[Finding]:
    """to_fetch: bytes of inputs that the store lacks. image: bytes of all inputs, about what the engine will hold."""
    there = next(path for path in [config.home, *config.home.parents] if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield Finding(
            "problem", "store", f"{config.home} cannot be written", "Set PORTSIDE_HOME to a folder you may write to."
        )
    else:
        # What is fetched is there twice for a while: as an input, and in a layer's blob.
        yield _disk("store", there, shutil.disk_usage(there).free, 2 * to_fetch, "move PORTSIDE_HOME")
    if engine is None:
        return
    try:
        free = engine.free_bytes()
    except EngineError as error:
        yield Finding("problem", "engine's disk", error.problem, error.solution)
        return
    if free is None:
        yield Finding("ok", "engine's disk", "not on this machine, so not looked at")
    else:
        yield _disk("engine's disk", None, free, image, "move the engine's data to a larger disk")


def _disk(subject: str, place: Path | None, free: int, needed: int, other: str) -> Finding:
    text = f"{human_bytes(free)} free" + (f" at {place}" if place else "")
    status: Status = "ok"
    if free < needed:
        status, text = "problem", f"{text}, about {human_bytes(needed)} needed"
    elif free < LITTLE_DISK:
        status = "warning"
    return Finding(status, subject, text, None if status == "ok" else f"Free some, run `invoke clean`, or {other}.")


def examine_memory(host: Host, weights: int) -> Finding:
    """weights: bytes of the recipe's weights, which most programs hold in memory while they load."""
    values = {}
    for line in (host.read("/proc/meminfo") or "").splitlines():
        name, _, rest = line.partition(":")
        number = rest.split()[:1]
        if number and number[0].isdigit():
            values[name] = int(number[0]) << 10
    available, total = values.get("MemAvailable"), values.get("MemTotal")
    if available is None or total is None:
        return Finding("warning", "memory", "/proc/meminfo does not say how much there is")
    text = f"{human_bytes(available)} of {human_bytes(total)} available"
    if available < weights:
        return Finding(
            "warning", "memory", f"{text}, the recipe's weights have {human_bytes(weights)}", "End other programs."
        )
    if available < LITTLE_MEMORY:
        return Finding("warning", "memory", text, "End other programs.")
    return Finding("ok", "memory", text)
