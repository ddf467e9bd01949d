"""Make a draft's Python packages fit each other and the image's Python, as far as the indexes can say.

Upstream's pins are for upstream's Python. Where the draft stands on another, a pin without a wheel for it is widened,
a package that only has a source distribution is built, one that no index has is left out; each is said in the draft.
"""

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from portside.common.progress import step
from portside.common.tree import Tree
from portside.config import Config
from portside.draft.clue import Clue
from portside.draft.drafted import Draft
from portside.draft.facts import normal
from portside.errors import InputError, PortsideError, RecipeError
from portside.inputs import python
from portside.inputs.python.uv_compile import OnlySourceError, UnsatisfiedError, Uv
from portside.recipe.python_packages import Python

_ROUNDS = 40
_PLATFORM = {"amd64": "x86_64-manylinux_2_28", "arm64": "aarch64-manylinux_2_28"}


def fit(draft: Draft, tree_of: Callable[[str], Tree], config: Config) -> str:
    """Change the draft until its packages can be had; gives why they cannot, or nothing where they can.

    Only for bases whose Python is known without them. tree_of: the files of a source.
    """
    if draft.version is None or not draft.items:
        return ""
    with (
        step("Asking the indexes for the packages") as note,
        tempfile.TemporaryDirectory(prefix="portside-draft-") as folder,
    ):
        fitter = _Fitter(draft, tree_of, config, Path(folder))
        for number in range(_ROUNDS):
            try:
                if fitter.once():
                    return ""
            except InputError as error:
                return error.problem.partition("\n")[0]
            except PortsideError as error:
                return " ".join(error.problem.split())[:600]
            note(f"{number + 1} changed")
    return "no selection of versions was found"


class _Fitter:
    def __init__(self, draft: Draft, tree_of: Callable[[str], Tree], config: Config, folder: Path) -> None:
        self.draft, self.tree_of, self.config, self.folder = draft, tree_of, config, folder
        self.widened: dict[str, str] = {}

    def once(self) -> bool:
        """Resolve; True where that works, else one thing is another now. Raises where nothing can be changed."""
        draft = self.draft
        assert draft.version is not None
        wanted = Python.model_validate(
            {
                "version": draft.version.value,
                "platform": _PLATFORM[draft.base.value.get("debian", {}).get("architecture", "amd64")],
                "requirements": [clue.value for clue in draft.items],
                "indexes": {name: clue.value for name, clue in draft.indexes.items()},
            }
        )
        of = python.asking(wanted, self.tree_of)
        built = {normal(re.split(r"[\[ <>=!~]", clue.value)[0]) for clue in draft.build}
        lines = [line for line in of.lines if normal(line.requirement.name) not in built and not line.constraint]
        assert of.platform is not None
        uv = Uv(
            self.folder,
            self.config,
            of.version,
            of.platform,
            dict.fromkeys(built, "built here"),
            built=frozenset(built),
            limits=tuple(of.constraints),
            bound=python.bindings(wanted, self.config),
        )
        asked: dict[str, Requirement] = {}
        for line in lines:  # of several for one package, one that is limited: that can be widened
            key = normal(line.requirement.name)
            if key not in asked or _is_pinned(line.requirement):
                asked[key] = line.requirement
        try:
            uv.compile([str(line.requirement) for line in lines], {}, {})
        except OnlySourceError as error:
            self._only_source(error, asked)
            return False
        except UnsatisfiedError as error:
            self._unsatisfied(error, asked)
            return False
        return True

    def _only_source(self, error: OnlySourceError, asked: dict[str, Requirement]) -> None:
        for name in error.names:
            key, pinned = normal(name), asked.get(normal(name))
            if pinned is not None and _is_pinned(pinned) and key not in self.widened:
                self._widen(pinned)
            else:
                text = self.widened.get(key) or name
                why = (
                    f"only to be had as a source distribution; asked for by {self._asks(key)}"
                    if key in asked
                    else "needed, and only to be had as a source distribution"
                )
                self._restore(key)
                self.draft.build.append(Clue(text, "", key in asked, why))

    def _restore(self, key: str) -> None:
        """Ask for a package as upstream does: widening did not help."""
        for number, clue in enumerate(self.draft.items):
            if isinstance(clue.value, str) and _key(clue.value) == key and key in self.widened:
                self.draft.items[number] = Clue(self.widened[key], clue.place)

    def _asks(self, key: str) -> str:
        places = [clue.place for clue in self.draft.items if isinstance(clue.value, str) and _key(clue.value) == key]
        return places[0] if places and places[0] else "the requirements"

    def _unsatisfied(self, error: UnsatisfiedError, asked: dict[str, Requirement]) -> None:
        if elsewhere := error.unknown(self.draft.indexes):
            for name in elsewhere:
                del self.draft.indexes[name]
            return
        if unknown := error.unknown(asked):
            for key in unknown:
                self._drop(asked[key], "no index has it")
            return
        named = error.names(asked)
        pinned = [key for key in named if _is_pinned(asked[key])]
        if not pinned:
            raise error
        self._widen(asked[pinned[0]])

    def _widen(self, requirement: Requirement) -> None:
        """Let newer versions do than the ones asked for."""
        key = normal(requirement.name)
        again = key in self.widened
        self.widened.setdefault(key, str(requirement).split(";")[0].strip())
        lower = [
            spec.version.rstrip("*").rstrip(".")
            for spec in requirement.specifier
            if spec.operator in ("==", "===", "~=", ">=")
        ]
        extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
        text = f"{requirement.name}{extras}{f'>={lower[0]}' if lower and not again else ''}"
        if again and not _is_pinned(requirement):
            raise RecipeError(f"{requirement}: no version of it can be had")
        assert self.draft.version is not None
        note = f"upstream: {self.widened[key]}, which does not go with Python {self.draft.version.value} and the rest"
        self._replace(key, requirement, text, note)

    def _drop(self, requirement: Requirement, why: str) -> None:
        key = normal(requirement.name)
        place = self._take_out(key, requirement)
        self.draft.left.append(f"{place}: {requirement} ({why})")

    def _replace(self, key: str, requirement: Requirement, text: str, note: str) -> None:
        for number, clue in enumerate(self.draft.items):
            if isinstance(clue.value, str) and _key(clue.value) == key:
                self.draft.items[number] = Clue(text, clue.place, False, note)
                return
        place = self._take_out(key, requirement)
        self.draft.items.append(Clue(text, place, False, note))

    def _take_out(self, key: str, requirement: Requirement) -> str:
        """Leave a package out of wherever it is asked for; gives the place."""
        place = ""
        kept: list[Clue[Any]] = []
        for clue in self.draft.items:
            if isinstance(clue.value, str):
                if _key(clue.value) == key:
                    place = place or clue.place
                else:
                    kept.append(clue)
                continue
            names = self._names_in(clue.value)
            if key in names:
                value = clue.value | {"without": [*clue.value.get("without", ()), names[key]]}
                kept.append(Clue(value, clue.place, clue.sure, clue.note))
                place = place or clue.place
            else:
                kept.append(clue)
        self.draft.items[:] = kept
        return place

    def _names_in(self, value: dict[str, Any]) -> dict[str, str]:
        """The packages that a file or a project asks for, normalised, as they are written there."""
        assert self.draft.version is not None
        one = Python.model_validate(
            {"version": self.draft.version.value, "platform": _PLATFORM["amd64"], "requirements": [value]}
        )
        return {normal(line.requirement.name): line.requirement.name for line in python.asking(one, self.tree_of).lines}


def _key(text: str) -> str:
    try:
        return normal(Requirement(text).name)
    except InvalidRequirement:
        return normal(re.split(r"[\[ <>=!~;]", text)[0])


def _is_pinned(requirement: Requirement) -> bool:
    """Whether newer versions are kept out, or some version at all is asked for."""
    return any(spec.operator != "!=" for spec in requirement.specifier)
