"""Newer releases that a resolution passed over because something of them is only to be had as a source distribution.

uv goes back to older releases without a word until it finds some that need nothing but wheels; that may be years. What
it would take if source distributions counted is found by asking it again, with wheels without content in their place.
What those need themselves is not looked at: to know it, one would have to run their code.
"""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from portside.common.parallel import thread_pool
from portside.config import Config
from portside.errors import PortsideError
from portside.inputs.python.asking import Asking, needs_on
from portside.inputs.python.bindings import Bound
from portside.inputs.python.file_names import sdist_version, wheel_version
from portside.inputs.python.index import Offer, offers
from portside.inputs.python.tags import best_wheel, tag_ranks
from portside.inputs.python.uv_compile import OnlySourceError, Uv, stand_in
from portside.lock.packages import Artefact

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet
    from packaging.tags import Tag
    from packaging.version import Version

    from portside.store import Store

_AT_ONCE = 8
_ATTEMPTS = 12
"""How often uv is asked about one package: each time it may find another one that has no wheel."""


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A package that is locked at an older release than the requirements and the target allow.

    newer: the release that would have been taken if source distributions counted. lacking: what would then be a source
    distribution (name, version, whether there are wheels for other targets).
    """

    name: str
    version: str
    newer: str
    lacking: tuple[tuple[str, str, bool], ...]

    def __str__(self) -> str:
        why = " and ".join(
            ("it" if name == self.name else f"{name} {version}, which it needs,")
            + (" has no wheel for the target" if others else " has only a source distribution")
            for name, version, others in self.lacking
        )
        return f"{self.name} {self.version}: {self.newer} was passed over, because {why}"


def passed_over(
    of: Asking,
    wheels: Sequence[Artefact],
    *,
    installed: Mapping[str, str],
    config: Config,
    store: "Store",
    bound: Mapping[str, Bound] | None = None,
) -> list[PassedOver]:
    """Which of the wheels that satisfy what is asked for are older than they had to be, for want of wheels; by name.

    installed, bound: as for `resolve_wheels`, which gave the wheels. store: has them, or what they need
    themselves is not considered. A place that cannot be asked counts as one that offers nothing.
    """
    from packaging.utils import canonicalize_name

    base = {str(canonicalize_name(name)): number for name, number in installed.items()}
    limits: dict[str, list[SpecifierSet]] = {}
    needs = needs_on(wheels, of.version, of.platform, store)
    for requirement in (*(line.requirement for line in of.lines), *needs):
        limits.setdefault(canonicalize_name(requirement.name), []).append(requirement.specifier)
    with tempfile.TemporaryDirectory(prefix="portside-uv-") as folder:
        uv = Uv(Path(folder), config, of.version, of.platform, base, limits=tuple(of.constraints), bound=bound or {})
        search = _Search(uv, of.requirements, tag_ranks(of.version, of.platform))
        # What only the lock keeps back is no release that was passed over.
        fresh: dict[str, str] = {}
        with suppress(PortsideError):
            fresh = search.versions((), None, offline=True)
        taken = [fresh.get(wheel.name, wheel.version) for wheel in wheels]
        with thread_pool(_AT_ONCE) as pool:
            newer = list(pool.map(lambda w, v: search.has_newer(w.name, v, limits.get(w.name, ())), wheels, taken))
        rows = zip(wheels, taken, newer, strict=True)
        notes = [search.explain(wheel, version) for wheel, version, found in rows if found]
    return [note for note in notes if note is not None]


@dataclass(frozen=True, slots=True)
class _Search:
    uv: Uv
    wanted: Sequence[str]
    ranks: "Mapping[Tag, int]"

    def has_newer(self, name: str, taken: str, limits: "Sequence[SpecifierSet]") -> bool:
        """Whether any place offers a newer release of a package for the target that is within all limits."""
        from packaging.version import Version

        if any(part.operator in ("==", "===") and "*" not in part.version for limit in limits for part in limit):
            return False
        than = Version(taken)
        for release, files in self._releases(name).items():
            if release.public == than.public or release < than:
                continue
            if release.is_prerelease and not than.is_prerelease:
                continue
            allowed = all(limit.contains(release, prereleases=True) for limit in limits)
            if allowed and (_sdist(files) or self._fits(files)):
                return True
        return False

    def explain(self, wheel: Artefact, taken: str) -> PassedOver | None:
        """Ask for a newer release than `taken`, and give every package a wheel that uv says has none.

        What is known from before is enough for most answers, and a hundred times as fast; where it leads to no answer,
        or to one that is to be told, the places are asked.
        """
        from packaging.version import Version

        stand_ins: dict[str, dict[Version, bool]] = {}
        offline = True
        with tempfile.TemporaryDirectory(dir=self.uv.folder) as name:
            links = Path(name)
            for _ in range(_ATTEMPTS):
                try:
                    versions = self.versions([f"{wheel.name}>{Version(taken).public}"], links, offline)
                except OnlySourceError as error:
                    lacking = {name: self._stand_ins(name, links) for name in error.names if name not in stand_ins}
                    stand_ins |= lacking
                    if any(lacking.values()):
                        continue
                    versions = {}
                except PortsideError:  # an ordinary conflict
                    versions = {}
                newer = versions.get(wheel.name)
                used = tuple(
                    (name, version, stand_ins[name][Version(version)])
                    for name, version in sorted(versions.items())
                    if Version(version) in stand_ins.get(name, {})
                )
                if offline and (newer is None or used):
                    offline = False
                elif newer is None:
                    return None
                elif used:
                    return PassedOver(wheel.name, wheel.version, newer, used)
                else:
                    taken = newer  # at the expense of another package; a still newer one may be kept back
        return None

    def versions(self, more: Sequence[str], links: Path | None, offline: bool) -> dict[str, str]:
        """What is wanted, resolved anew, with more constraints and with the wheels of a folder besides."""
        packages = replace(self.uv, offline=offline).compile(self.wanted, {}, {}, more, links)
        return {package["name"]: package["version"] for package in packages if "version" in package}

    def _stand_ins(self, name: str, links: Path) -> "dict[Version, bool]":
        """Make a wheel for each release of a package that has only an sdist for the target.

        Gives for each whether it has wheels for other targets.
        """
        made: dict[Version, bool] = {}
        for release, files in self._releases(name).items():
            if _sdist(files) and not self._fits(files):
                stand_in(links, name, str(release), _python(files))
                made[release] = any(wheel_version(offer.file) for offer in files)
        return made

    def _releases(self, name: str) -> "dict[Version, list[Offer]]":
        """The files of each release that was not withdrawn and is for the target's Python."""
        found, _ = offers(name, self.uv.config, bound=self.uv.bound.get(name))
        releases: dict[Version, list[Offer]] = {}
        for offer in found:
            named = wheel_version(offer.file) or sdist_version(offer.file)
            if named is not None and not offer.yanked:
                releases.setdefault(named[1], []).append(offer)
        return {release: files for release, files in releases.items() if self._for_python(_python(files))}

    def _for_python(self, versions: str | None) -> bool:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        try:
            return SpecifierSet(versions or "").contains(self.uv.version, prereleases=True)
        except InvalidSpecifier:
            return True

    def _fits(self, files: Sequence[Offer]) -> bool:
        return best_wheel((offer.file for offer in files), self.ranks) is not None


def _python(files: Sequence[Offer]) -> str | None:
    """The versions of Python that a release is for: not every place says it."""
    return next((offer.python for offer in files if offer.python), None)


def _sdist(files: Sequence[Offer]) -> bool:
    return any(sdist_version(offer.file) is not None for offer in files)
