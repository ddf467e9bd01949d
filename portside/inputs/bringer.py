"""What the functions of a kind need of who brings files into the store."""

from collections.abc import Iterable
from typing import Protocol

from portside.config import Config
from portside.inputs.archives import newest_date
from portside.lock.models import Artefact, Deb, DebianBase
from portside.store import Store


class Bringer(Protocol):
    """Brings single files; `fetch.Fetcher` is one. offline: nothing but the store and the configured folders."""

    store: Store
    config: Config
    offline: bool

    def debs(self, debs: Iterable[Deb], base: DebianBase) -> None: ...

    def artefact(self, artefact: Artefact) -> None: ...


def artefact_date(artefact: Artefact, store: Store) -> int:
    """The newest time in a wheel or an sdist that the store has, seconds since 1970."""
    return newest_date(store.inputs.require(artefact.sha256, artefact.file).path, artefact.file)


def debs_date(debs: Iterable[Deb], base: DebianBase, bringer: Bringer) -> int:
    """The newest time in .debs, seconds since 1970; they are brought into the store."""
    from portside.inputs.debian.control import deb_date

    debs = tuple(debs)
    bringer.debs(debs, base)
    return max((deb_date(bringer.store.inputs.require(deb.sha256, deb.name).path) for deb in debs), default=0)
