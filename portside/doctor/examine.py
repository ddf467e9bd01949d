"""All examinations, in the order in which a person would repair things."""

import os
from collections.abc import Callable
from pathlib import Path

from portside.accelerators import AcceleratorProfile, Host
from portside.config import Config
from portside.doctor.builders import examine_builders
from portside.doctor.devices import examine_devices
from portside.doctor.findings import Finding
from portside.doctor.in_engine import examine_left
from portside.doctor.lacking import Inventory, examine_inputs, take_inventory
from portside.doctor.machine import (
    examine_architecture,
    examine_clock,
    examine_disks,
    examine_engine,
    examine_memory,
    examine_system,
)
from portside.doctor.registries import examine_registries
from portside.engines import Choice
from portside.errors import PortsideError
from portside.lock.file import check_lock
from portside.lock.models import Lock
from portside.recipe import Recipe


def examine(
    host: Host,
    config: Config,
    recipe: Recipe | None,
    lock: Lock | None,
    choose_engine: Callable[[], Choice],
    *,
    accelerator: AcceleratorProfile | None = None,
    root: Path | None = None,
) -> list[Finding]:
    """Look at everything; nothing is changed, and no finding stops the next one.

    recipe: None looks at the machine alone. lock: the recipe's, None where it has none. choose_engine: opens the engine
    or raises EngineError. accelerator: default: the recipe's. root: the project's, if there is one.
    """
    findings = [examine_system(host, lock)]
    found, engine = examine_engine(choose_engine)
    findings.append(found)
    findings += examine_builders(config.builder_settings, os.environ)
    if engine is not None and lock is not None:
        findings.append(examine_architecture(engine, lock))
        findings.append(examine_clock(engine, lock))
    inventory = take_inventory(recipe, lock, config) if recipe and lock else Inventory((), (), 0)
    to_fetch = sum(file.size or 0 for file in inventory.missing)
    everything = sum(file.size or 0 for file in inventory.files)
    findings += examine_disks(config, engine, to_fetch, everything)
    if engine is not None:
        findings.append(examine_left(engine, config.home))
    findings.append(examine_memory(host, inventory.weights))
    try:
        findings += examine_devices(host, recipe, accelerator, root)
    except PortsideError as error:
        findings.append(Finding("problem", "devices", error.problem, error.solution))
    if recipe is not None:
        findings += _lock(recipe, lock)
        if lock is not None:
            findings += examine_inputs(inventory, recipe, lock, config)
    own = recipe.model.registry if recipe else None
    findings += examine_registries([*config.registries, *([own] if own else [])])
    return findings


def examine_described(
    host: Host, recipe: Recipe | None, lock: Lock | None, *, root: Path | None = None
) -> list[Finding]:
    """Another machine: its system, memory and cards. Engine, disks and inputs are this one's, and not looked at."""
    findings = [examine_system(host, lock)]
    if host.exists("/proc/meminfo"):
        findings.append(examine_memory(host, 0))
    try:
        findings += examine_devices(host, recipe, None, root)
    except PortsideError as error:
        findings.append(Finding("problem", "devices", error.problem, error.solution))
    if recipe is not None:
        findings += _lock(recipe, lock)
    return findings


def _lock(recipe: Recipe, lock: Lock | None) -> list[Finding]:
    if lock is None:
        return [Finding("warning", "lock", f"{recipe.name} has none yet", f"invoke lock --recipe {recipe.name}")]
    try:
        check_lock(recipe, lock)
    except PortsideError as error:
        return [Finding("problem", "lock", error.problem, error.solution)]
    return [Finding("ok", "lock", f"{recipe.lock_path.name} belongs to this version of the recipe")]
