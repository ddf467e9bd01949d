"""Packages that come as source distributions and are built in the env layer: what they need, and what builds them."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from portside.common.markers import marker_environment
from portside.config import Config
from portside.errors import RecipeError
from portside.inputs.archives import sdist_tree
from portside.inputs.python.asking import KEY, RECIPE, Asking
from portside.inputs.python.exact import parse_requirement, resolve_sdist
from portside.inputs.python.project_needs import build_system, needs_of
from portside.inputs.python.requirements_file import RequirementLine, normal
from portside.inputs.spool import Spool
from portside.lock.packages import Artefact, LockedSdistToBuild
from portside.recipe.python_packages import Python, ToBuild


@dataclass(frozen=True)
class Building:
    """sdists: in the recipe's order. needs: what they need where they run. tools: what building them needs. unknown:
    what cannot be read of their needs, a line for each."""

    sdists: tuple[LockedSdistToBuild, ...] = ()
    needs: tuple[RequirementLine, ...] = ()
    tools: tuple[RequirementLine, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def versions(self) -> dict[str, str]:
        return {sdist.name: sdist.version for sdist in self.sdists}


def building(
    wanted: Python,
    keep: Sequence[LockedSdistToBuild],
    update: Collection[str] | Literal["all"],
    config: Config,
    bring: Callable[[Artefact], Path],
    spool: Spool,
) -> Building:
    """The source distributions that a recipe has built. keep: those of the lock so far, which stay where they are
    allowed and `update` does not name them. bring: a file's place in the store.

    Raises RecipeError and InputError for what cannot be had, or cannot be built by what its files say.
    """
    assert wanted.version is not None and wanted.platform is not None, "the interpreter has filled in what is left out"
    environment = marker_environment(wanted.version, wanted.platform)
    found = Building()
    for item in wanted.to_build:
        sdist = _artefact(item, keep, update, wanted, config)
        found = _with(found, item, sdist, bring(sdist), spool)

    def applying(lines: Sequence[RequirementLine]) -> tuple[RequirementLine, ...]:
        markers = ((line, line.requirement.marker) for line in lines)
        return tuple(line for line, marker in markers if marker is None or marker.evaluate(dict(environment)))

    return replace(found, needs=applying(found.needs), tools=applying(found.tools))


def _artefact(
    item: ToBuild,
    keep: Sequence[LockedSdistToBuild],
    update: Collection[str] | Literal["all"],
    wanted: Python,
    config: Config,
) -> Artefact:
    requirement = parse_requirement(item.sdist, f"{KEY}.build")
    name = normal(requirement.name)
    kept = next((sdist for sdist in keep if sdist.name == name), None)
    stays = kept is not None and update != "all" and name not in {normal(each) for each in update}
    if kept is not None and stays and requirement.specifier.contains(kept.version, prereleases=True):
        return Artefact(name=name, version=kept.version, file=kept.file, size=kept.size, sha256=kept.sha256)
    return resolve_sdist(item.sdist, config, wanted)


def _with(before: Building, item: ToBuild, sdist: Artefact, path: Path, spool: Spool) -> Building:
    tree = sdist_tree(path, spool, sdist.file)
    requires, backend, places = build_system(tree, sdist.file)
    more = [parse_requirement(text, f"{sdist.file}: build-system") for text in (*requires, *item.needs)]
    locked = LockedSdistToBuild(**sdist.model_dump(), backend=backend, path=tuple(places))
    own = parse_requirement(item.sdist, f"{KEY}.build")
    extras, own.extras = sorted(own.extras), set()
    try:
        needs = list(needs_of(tree, sdist.name, recorded=True).wanted(extras))
        unknown: tuple[str, ...] = ()
    except RecipeError:
        needs = []
        unknown = (
            f"{sdist.name} {sdist.version}: what it needs is nowhere written down; name it under "
            f"{KEY}.requirements, `check` tells what is missing",
        )
    return Building(
        (*before.sdists, locked),
        (
            *before.needs,
            RequirementLine(own, RECIPE),
            *(RequirementLine(each, sdist.name) for each in needs if each.url is None),
        ),
        (*before.tools, *(RequirementLine(each, f"build of {sdist.name}") for each in more)),
        (*before.unknown, *unknown),
    )


def tools_asked(found: Building, of: Asking) -> Asking:
    """What building asks for, on the same target."""
    return Asking(found.tools, of.version, of.platform, {})
