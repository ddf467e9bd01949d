"""From a recipe and its lock to a plan: every layer's parts and what goes into each."""

from collections.abc import Sequence
from typing import Any

from portside.layers import FORMAT, RUN_FORMAT, volatile
from portside.lock.bases import LockedBase
from portside.lock.models import Lock, is_large
from portside.lock.packages import LockedBuild, PackageSet, PythonSet
from portside.lock.sources import LockedSource
from portside.plan.environment import building, variables
from portside.plan.instructions import (
    build_instructions,
    builder_context,
    convert_instructions,
    converter_context,
    env_instructions,
    install_instructions,
    vendor_instructions,
)
from portside.plan.model import (
    BaseLayer,
    BuiltPackages,
    Converted,
    Files,
    Install,
    InstallFiles,
    LargeWeight,
    LayerPlan,
    Packages,
    Part,
    PartType,
    Plan,
    RecipeFiles,
    SmallWeights,
    Source,
    Trees,
    VendorInstall,
    WeightLinks,
)
from portside.plan.places import check_named
from portside.plan.weight_links import weight_links
from portside.recipe import Recipe
from portside.recipe.models import File, MigratedFile


def plan(recipe: Recipe, lock: Lock) -> Plan:
    """The plan of a recipe: pure, needs neither store nor engine nor any input.

    Raises RecipeError where the recipe puts something where weights lie.
    """
    workspace = recipe.workspace.lstrip("/")
    model = recipe.model
    env = _env_parts(recipe, lock)
    sources = [_source_part(name, source, f"{workspace}/{name}") for name, source in sorted(lock.sources.items())]
    migrated = _migrated_parts(recipe, lock, workspace, [*env, *sources])
    below, above = _recipe_files(recipe, lock, workspace)
    migrated += below
    if model.install:
        parts = [*env, *sources, *migrated]
        epoch = max(part.epoch for part in parts)
        instructions = install_instructions(recipe, epoch)
        environment = variables(lock, recipe.stages[-1])
        migrated.append(_run_part(Install(), epoch, parts, instructions, environment, {}))
    migrated += [*above, *_link_parts(recipe, lock, workspace)]
    weights = _weights_parts(lock, workspace)
    layers = {"env": env, "sources": sources, "migrated": migrated, "weights": weights}
    made = Plan(recipe, lock, tuple(LayerPlan(name, tuple(parts)) for name, parts in layers.items()))
    check_named(made)
    return made


def _env_parts(recipe: Recipe, lock: Lock) -> list[Part]:
    """The base, then each stage's packages and files. A stage's parts, and so their keys, are the same in all recipes
    that extend the one it belongs to and have its accelerator."""
    parts = _base_parts(lock.base)
    without_card = building(recipe)
    epoch = lock.base.epoch
    for number, stage in enumerate(recipe.stages):
        lowest = number == 0
        packages = lock.env.of(stage.recipe)
        if packages is not None:
            epoch = max(epoch, packages.epoch)
            if inputs := _packages(packages):
                instructions = env_instructions(packages, epoch, without_card)
                environment = variables(lock, stage)
                of = Packages(stage.recipe, lowest)
                parts.append(_run_part(of, epoch, parts, instructions, environment, inputs))
            if stage.install:
                instructions = vendor_instructions(stage, epoch, without_card)
                files: dict[str, str | None] = {file.file: file.sha256 for file in packages.vendor}
                step = VendorInstall(stage.recipe, lowest)
                parts.append(_run_part(step, epoch, parts, instructions, variables(lock, stage), files))
            if packages.python is not None and (built := packages.python.built) is not None:
                epoch = max(epoch, built.epoch)
                instructions = build_instructions(stage.recipe, packages.python, epoch, without_card)
                environment = variables(lock, stage)
                made = _built(packages.python, built)
                parts.append(
                    _run_part(BuiltPackages(stage.recipe, lowest), epoch, parts, instructions, environment, made)
                )
        if named := _named(recipe, stage.files):
            manifest = {"format": FORMAT, "files": named, "epoch": epoch}
            parts.append(Part(Files(stage.recipe, lowest), epoch, manifest))
    return parts


def _base_parts(base: LockedBase) -> list[Part]:
    return [Part(BaseLayer(number), base.epoch, manifest) for number, manifest in base.parts()]


def _packages(packages: PackageSet) -> dict[str, str | None]:
    inputs: dict[str, str | None] = {f"{deb.name} {deb.version}": deb.sha256 for deb in packages.debs}
    if packages.python is not None:
        inputs |= {f"{w.name} {w.version}": w.sha256 for w in packages.python.wheels}
        inputs |= {f"{w.name} {w.version}": w.sha256 for w in packages.python.manual}
        inputs |= {f"installer {w.name} {w.version}": w.sha256 for w in packages.python.installers}
    return inputs


def _built(python: PythonSet, built: LockedBuild) -> dict[str, str | None]:
    inputs: dict[str, str | None] = {f"{s.name} {s.version}": s.sha256 for s in built.sdists}
    inputs |= {f"installer {pip.name} {pip.version}": pip.sha256 for pip in python.installers}
    inputs |= {f"tool {tool.name} {tool.version}": tool.sha256 for tool in built.tools}
    return inputs | {entry.path: entry.sha256 for entry in builder_context(built)}


def _run_part(
    of: PartType,
    epoch: int,
    below: Sequence[Part],
    instructions: str,
    environment: dict[str, str],
    inputs: dict[str, str | None],
) -> Part:
    on = {f"{part.layer}/{part.name}": part.key for part in below}
    manifest = {
        "format": [RUN_FORMAT, volatile.digest()],
        "on": on,
        "instructions": instructions,
        "environment": environment,
        "inputs": inputs,
        "epoch": epoch,
    }
    return Part(of, epoch, manifest)


def _source_part(name: str, source: LockedSource, at: str) -> Part:
    manifest = {"format": FORMAT, "source": source.identity, "at": at, "epoch": source.epoch}
    return Part(Source(name), source.epoch, manifest)


def _migrated_parts(recipe: Recipe, lock: Lock, workspace: str, below: Sequence[Part]) -> list[Part]:
    model = recipe.model
    migration = model.migration
    if migration is None and not model.patches:
        return []
    from portside.patches.apply import described
    from portside.patches.apply import digest as patches_digest

    epoch = max((lock.sources[name].epoch for name in recipe.tree_sources), default=_code_epoch(recipe, lock))
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "at": workspace,
        "patches": patches_digest(model.patches, recipe.folder_tree()),
        "epoch": epoch,
    }
    if migration is not None:
        manifest["migration"] = {
            "ruleset": recipe.ruleset.digest,
            "mode": migration.mode,
            "strict": migration.strict,
            # What was accepted once must not be taken for built where it is not any more.
            **({"accept": migration.accept} if migration.accept else {}),
        }
        manifest["sources"] = {name: lock.sources[name].identity for name in migration.sources}
    if recipe.patched_sources:
        manifest["patched"] = {name: lock.sources[name].identity for name in recipe.patched_sources}
    converted: list[Part] = []
    if migration is not None and migration.mode == "image":
        converted = [_converted_part(recipe, lock, below)]
        manifest["converted"] = converted[0].key
    return [*converted, Part(Trees(), epoch, manifest, {"patches": described(model.patches, recipe.folder_tree())})]


def _recipe_files(recipe: Recipe, lock: Lock, workspace: str) -> tuple[list[Part], list[Part]]:
    """The parts of the recipe's files: below the install steps, and on top of what they make."""
    epoch = _code_epoch(recipe, lock)
    of: list[tuple[PartType, Sequence[MigratedFile]]] = [
        (InstallFiles(), recipe.files_below_install),
        (RecipeFiles(), recipe.files_above_install),
    ]
    below, above = (
        [Part(kind, epoch, {"format": FORMAT, "at": workspace, "files": _named(recipe, files), "epoch": epoch})]
        if files
        else []
        for kind, files in of
    )
    return below, above


def _link_parts(recipe: Recipe, lock: Lock, workspace: str) -> list[Part]:
    links = weight_links(recipe, lock)
    epoch = _code_epoch(recipe, lock)
    manifest = {"format": FORMAT, "at": workspace, "links": links, "epoch": epoch}
    return [Part(WeightLinks(), epoch, manifest)] if links else []


def _named(recipe: Recipe, files: Sequence[File]) -> dict[str, list[Any]]:
    return {entry.path: [oct(entry.mode), entry.sha256] for entry in recipe.file_tree(files)}


def _code_epoch(recipe: Recipe, lock: Lock) -> int:
    """The time of what is the recipe's own: the newest of the sources that it works on."""
    migration = recipe.model.migration
    if migration is None:
        return max(lock.base.epoch, lock.env.epoch)
    return max(lock.sources[name].epoch for name in migration.sources)


def _converted_part(recipe: Recipe, lock: Lock, below: Sequence[Part]) -> Part:
    """The run of the converter that lies in the image, on everything below."""
    epoch = max(part.epoch for part in below)
    environment = variables(lock, recipe.stages[-1])
    programs: dict[str, str | None] = {entry.path: entry.sha256 for entry in converter_context()}
    instructions = convert_instructions(recipe, epoch)
    return _run_part(Converted(), epoch, below, instructions, environment, programs)


def _weights_parts(lock: Lock, workspace: str) -> list[Part]:
    parts: list[Part] = []
    for name, weights in sorted(lock.weights.items()):
        at = f"{workspace}/weights/{name}"
        small = {file.path: file.sha256 for file in weights.files if not is_large(file.size)}
        if small:
            manifest = {"format": FORMAT, "at": at, "files": small, "epoch": weights.epoch}
            parts.append(Part(SmallWeights(name, tuple(small)), weights.epoch, manifest))
        for file in weights.files:
            if is_large(file.size):
                manifest = {"format": FORMAT, "at": f"{at}/{file.path}", "sha256": file.sha256, "epoch": weights.epoch}
                of = LargeWeight(name, file.path, packed=weights.packed)
                parts.append(Part(of, weights.epoch, manifest))
    return parts
