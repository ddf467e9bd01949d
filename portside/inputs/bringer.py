"""What the functions of a kind need of who brings files into the store."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from portside.common.values import Sha256, Size
from portside.config import Config
from portside.inputs.archives import newest_date
from portside.inputs.debian.repositories import NOWHERE, Roots
from portside.lock.packages import Artefact, Deb, DebOrigin
from portside.lock.sources import LockedSource
from portside.recipe import asked as recipes
from portside.store import Store

Look = Callable[[str, recipes.Model], tuple[Sha256 | None, Size | None]]
"""Looks for a file that people put into folders; gives its sha256 and its size in bytes, as far as they are known: as
the recipe pins them, as a lock has them, or as it lies there. Called with its path below the folder of its weights
(nothing for a data set), and what the recipe says of it."""


Sources = Mapping[str, LockedSource]
"""The sources that are locked with something, by name."""


class PlainBase(NamedTuple):
    """How an engine gets a base that Portside does not write for it. lines: what a person does before, for a
    Dockerfile's comment. name: what the engine calls it then; None where loading it tells."""

    lines: tuple[str, ...]
    name: str | None


class Moved(NamedTuple):
    """A branch, a tag or the like that is another commit by now. was: the locked one."""

    revision: str
    was: str
    now: str


class Bringer(Protocol):
    """Brings single files; `fetch.Fetcher` is one. offline: nothing but the store and the configured folders. root: the
    folder of the project, where it is one's."""

    store: Store
    config: Config
    offline: bool
    root: Path | None

    def debs(self, debs: Iterable[Deb], origin: DebOrigin, archives: Roots = NOWHERE) -> None: ...

    def artefact(self, artefact: Artefact) -> None: ...

    def brought(self, file: recipes.Brought) -> tuple[Sha256, Size]:
        """What is looked for in folders, or at its URL; gives its sha256, and its size in bytes."""
        ...


def artefact_date(artefact: Artefact, store: Store) -> int:
    """The newest time in a wheel or an sdist that the store has, seconds since 1970."""
    return newest_date(store.inputs.require(artefact.sha256, artefact.file).path, artefact.file)


def debs_date(debs: Iterable[Deb], origin: DebOrigin, bringer: Bringer, archives: Roots = NOWHERE) -> int:
    """The newest time in .debs, seconds since 1970; they are brought into the store. archives: their roots, by name."""
    from portside.inputs.debian.control import deb_date

    debs = tuple(debs)
    bringer.debs(debs, origin, archives)
    return max((deb_date(bringer.store.inputs.require(deb.sha256, deb.name).path) for deb in debs), default=0)
