"""Who asks for what: the requirements of a recipe, those in its sources, and what packages themselves need."""

import email
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from portside.common.markers import marker_environment
from portside.common.tree import Tree
from portside.errors import InputError, RecipeError, did_you_mean
from portside.inputs import archives
from portside.inputs.python.exact import parse_requirement
from portside.inputs.python.project_needs import needs_of
from portside.inputs.python.requirements_file import RequirementLine, normal, read_requirements
from portside.lock.packages import Artefact, PythonSet
from portside.recipe.python_packages import NeedsOf, Python, RequirementsFile

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from portside.store import Store

KEY = "env.python"
"""The recipe's key that messages name."""

RECIPE = "recipe"
"""Who asks for what stands in the recipe itself."""


@dataclass(frozen=True)
class Asking:
    """All requirements of one stage, on its target. lines: those that count there."""

    lines: tuple[RequirementLine, ...]
    version: str
    platform: str
    read: Mapping[str, tuple[str, ...]]
    """What stands in sources, by what locks call the place."""

    @property
    def requirements(self) -> list[str]:
        return [str(line.requirement) for line in self.lines if not line.constraint]

    @property
    def constraints(self) -> list[str]:
        return [str(line.requirement) for line in self.lines if line.constraint]

    @property
    def hashes(self) -> dict[str, frozenset[str]]:
        """By package, which sha256s (hex) a file of it may have, where somebody says it."""
        found: dict[str, frozenset[str]] = {}
        for line in self.lines:
            if line.hashes:
                name = normal(line.requirement.name)
                found[name] = found.get(name, frozenset()) | line.hashes
        return found

    def origins(self, name: str) -> str:
        """Where this package is asked for, for messages."""
        return ", ".join(line.origin for line in self.lines if normal(line.requirement.name) == name)


def asking(wanted: Python, tree_of: Callable[[str], Tree]) -> Asking:
    """What a recipe asks for. tree_of: the files of a source. Raises RecipeError for what cannot be taken."""
    assert wanted.version is not None and wanted.platform is not None, "a stage says them, or its interpreter does"
    environment = marker_environment(wanted.version, wanted.platform)
    lines: list[RequirementLine] = []
    read: dict[str, tuple[str, ...]] = {}
    for item in wanted.requirements:
        if isinstance(item, str):
            found = [RequirementLine(parse_requirement(item, KEY), RECIPE)]
        else:
            found = list(_in_file(item, tree_of) if isinstance(item, RequirementsFile) else _needs(item, tree_of))
        applying = [line for line in found if _applies(line.requirement, environment)]
        lines += applying
        if not isinstance(item, str):
            read[item.shown] = tuple(str(line.requirement) for line in applying if not line.constraint)
    return Asking(tuple(lines), wanted.version, wanted.platform, read)


def _in_file(item: RequirementsFile, tree_of: Callable[[str], Tree]) -> list[RequirementLine]:
    source, _, path = item.source.partition("/")
    if not path:
        raise RecipeError(
            f"env.python.requirements: from: {source}: which file of the source?", f"Write {source}/requirements.txt."
        )
    return read_requirements(tree_of(source), path, source, item.without)


def _needs(item: NeedsOf, tree_of: Callable[[str], Tree]) -> Iterator[RequirementLine]:
    source, _, folder = item.source.partition("/")
    tree = tree_of(source)
    if folder and not any(entry.path.startswith(f"{folder}/") for entry in tree):
        raise RecipeError(f"needs-of: no folder {folder} in the source {source}", "Correct the path.")
    needs = needs_of(tree.below(folder) if folder else tree, item.source, recorded=item.recorded)
    out = {normal(name): name for name in item.without}
    met: set[str] = set()
    for requirement in needs.wanted(item.extras):
        met.add(normal(requirement.name))
        if normal(requirement.name) in out:
            continue
        if requirement.url is not None:
            raise RecipeError(
                f"{needs.place}: {requirement.name} is given by a URL, which a lock cannot hold",
                f"Name a version in the recipe, and leave it out here: `without: [{requirement.name}]`.",
            )
        yield RequirementLine(requirement, item.shown)
    if unused := [name for normalised, name in out.items() if normalised not in met]:
        raise RecipeError(
            f"{needs.place}: nothing to leave out: it does not need {', '.join(unused)}",
            f"{did_you_mean(unused[0], met)}Take it out of `without`.",
        )


def _applies(requirement: "Requirement", environment: Mapping[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(dict(environment))


def requires(wheel: Artefact, store: "Store") -> "Iterator[Requirement]":
    """The lines Requires-Dist of a wheel's metadata; none where the store lacks it or it cannot be read."""
    from packaging.requirements import Requirement

    place = store.inputs.locate(wheel.sha256)
    if place is None:
        return
    lines: list[str] = []
    with suppress(InputError):
        [(member, _)] = archives.wheel_members(place.path, ["*.dist-info/METADATA"], wheel.file)
        with archives.open_member(place.path, member, wheel.file).open() as stream:
            lines = email.message_from_bytes(stream.read()).get_all("Requires-Dist", [])
    for line in lines:
        with suppress(ValueError):  # what pip would not understand either
            yield Requirement(line)


def needs_on(wheels: Sequence[Artefact], version: str, platform: str, store: "Store") -> "Iterator[Requirement]":
    """What these wheels say that they need on the target, without their extras."""
    environment = marker_environment(version, platform)
    for wheel in wheels:
        yield from (found for found in requires(wheel, store) if _applies(found, environment))


def needed(of: Asking, wheels: Sequence[Artefact], store: "Store") -> set[str]:
    """The names (PEP 503) that the requirements and these wheels, which the store has, ask for on the target."""
    needs = needs_on(wheels, of.version, of.platform, store)
    return {normal(line.requirement.name) for line in of.lines} | {normal(each.name) for each in needs}


def without_unasked(found: PythonSet, of: Asking, bound: Collection[str], store: "Store") -> PythonSet:
    """Without what is there only because uv takes the index of a package from who names it itself: packages with an
    index of their own that nothing asks for, and what those need. bound: names (PEP 503)."""
    asked = who_asks(of, found.all_wheels(), store)
    if all(wheel.name in asked for wheel in found.wheels if wheel.name in bound):
        return found
    return found.model_copy(update={"wheels": tuple(wheel for wheel in found.wheels if wheel.name in asked)})


def who_asks(
    of: Asking, wheels: Sequence[Artefact], store: "Store", others: Iterable[RequirementLine] = ()
) -> dict[str, tuple[str, ...]]:
    """By package (PEP 503), who asks for it on the target: where a requirement stands, or the name of a package.

    wheels: which the store has. others: what packages need that are no wheels, with their names as origins.
    """
    wanted: dict[str, set[str]] = {}
    found: dict[str, set[str]] = {}
    by_name = {wheel.name: wheel for wheel in wheels}
    needs = {name: list(requires(wheel, store)) for name, wheel in by_name.items()}
    waiting = [(line.origin, line.requirement) for line in (*of.lines, *others) if not line.constraint]
    while waiting:
        who, requirement = waiting.pop()
        name = normal(requirement.name)
        found.setdefault(name, set()).add(who)
        extras = {"", *map(normal, requirement.extras)}
        new = extras - wanted.setdefault(name, set())
        wanted[name] |= new
        for extra in new:
            environment = marker_environment(of.version, of.platform, extra)
            waiting += [(name, each) for each in needs.get(name, ()) if _applies(each, environment)]
    return {name: tuple(sorted(who)) for name, who in sorted(found.items())}
