"""From names to exact .debs: what a minimal Debian has, and what packages add to it, or to a base of somebody else.

For a Debian that is made here only the release counts, no updates and no security archive: it does not change between
point releases. A base of somebody else has what its own sources had, so there both count.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Literal

from portside.common.canonical import sha256_hex
from portside.common.os_errors import no_space
from portside.common.progress import say
from portside.common.url import split_login
from portside.common.values import FileName
from portside.config import Config
from portside.errors import InputError, LockError, RecipeError
from portside.inputs.debian.apt import PrivateApt, Simulation
from portside.inputs.debian.control import (
    NAME,
    VERSION,
    Stanza,
    check_debs,
    check_place,
    control_of,
    deb_of,
    own_fields,
)
from portside.inputs.debian.mirrors import mirrors
from portside.inputs.debian.releases import distribution_of
from portside.inputs.debian.repositories import NO_EXTRAS, AptExtras, AptRepository, of_distribution
from portside.inputs.debian.system import System
from portside.inputs.debian.who_asks import who_asks
from portside.lock.packages import Deb, DebianSuites
from portside.store import Store

Update = Collection[str] | Literal["all"]
"""Names of packages whose locked version need not stay, or all of them."""


def resolve_base(
    suite: str,
    architecture: str,
    include: Sequence[str],
    keep: Sequence[Deb],
    update: Update,
    config: Config,
    store: Store,
) -> tuple[list[Deb], str]:
    """The .debs of a minimal Debian (mmdebstrap's variant minbase: essential and required packages, and apt) plus
    `include`, sorted by name; and the date of the suite's Release file as YYYYMMDDTHHMMSSZ.

    keep: the .debs of the lock that exists; they stay at their versions as far as they are still needed, unless
    `update` names them. One that the mirror has dropped can only stay if the store has it.
    Raises RecipeError for packages that do not exist, InputError where no mirror answers with a valid signature.
    """
    check_place(suite, architecture)
    specs = _check_specs(include)
    with _apt([suite], [architecture], NO_EXTRAS, config, store) as known:
        apt = known.apt
        archive = f"?or(?archive(^{suite}$),?codename(^{suite}$))"
        wanted = "?or(?essential,?priority(required))"
        minimal = f"?narrow({archive},?architecture({architecture}),{wanted})"
        _check_known(apt, specs)
        kept = _keep(apt, keep, update, store)
        done = _install(apt, [minimal, "apt", *specs], kept)
        return _debs(known, done, kept), known.newest


def resolve_packages(
    packages: Sequence[str],
    base: Sequence[Deb],
    suite: str,
    architecture: str,
    keep: Sequence[Deb],
    update: Update,
    config: Config,
    store: Store,
    beside: AptExtras = NO_EXTRAS,
) -> list[Deb]:
    """The .debs that `apt-get install --no-install-recommends` of `packages` adds to a base, sorted by name.

    packages: NAME or NAME=VERSION. keep, update: as for `resolve_base`. beside: what counts beside the suite.
    Raises RecipeError for packages that do not exist or do not go together, LockError if the base would have to
    change, InputError where no mirror answers, or if nothing here knows a package of the base any more.
    """
    check_place(suite, architecture)
    specs = _check_specs(packages)
    if not specs:
        return []
    with _apt([suite], [architecture], beside, config, store) as known:
        apt = known.apt
        _check_known(apt, specs)
        apt.set_installed(_installed(apt, check_debs(base), store))
        there = {deb.name for deb in base}
        kept = _keep(apt, known.of_known([deb for deb in keep if deb.name not in there]), update, store)
        done = _install(apt, specs, kept)
        if done.changes:
            raise LockError(
                "these packages need another base than the locked one: " + "; ".join(done.changes),
                lambda recipe: f"Update the base as well: invoke lock --recipe {recipe} --update all",
            )
        return _debs(known, done, kept)


def resolve_added(
    packages: Sequence[str],
    system: System,
    below: Sequence[Deb],
    keep: Sequence[Deb],
    update: Update,
    config: Config,
    store: Store,
    beside: AptExtras = NO_EXTRAS,
) -> tuple[list[Deb], DebianSuites]:
    """The .debs that `apt-get install --no-install-recommends` of `packages` adds to a base of somebody else, sorted
    by name, and where they come from. What the base has is replaced where a newer one is needed, and never removed.

    packages, keep, update, beside: as for `resolve_packages`. below: .debs that are put on the base before these.
    Raises RecipeError for packages that do not exist or do not go together, or that would remove one of the base;
    InputError where no mirror answers.
    """
    specs = _check_specs(packages)
    wanted = system.family.suites(system.codename)
    with _apt(wanted, system.architectures, beside, config, store) as known:
        apt = known.apt
        lower = {stanza["Package"]: stanza for stanza in _installed(apt, check_debs(below), store)}
        native = (system.architectures[0], "all")
        own = [s for s in system.packages if s["Package"] not in lower or s.get("Architecture") not in native]
        apt.set_installed([*own, *lower.values()])
        _check_known(apt, specs)
        there = system.installed() | {name: stanza["Version"] for name, stanza in lower.items()}
        still = known.of_known([deb for deb in keep if there.get(deb.name) != deb.version])
        kept = _keep(apt, still, update, store)
        done = _install(apt, specs, kept)
        if gone := [change for change in done.changes if change.endswith(" removed")]:
            raise RecipeError(
                f"env.debian: {', '.join(specs)} cannot be added without taking from the base: {'; '.join(gone)}",
                "Ask for other packages, or begin with a base that does not have these.",
            )
        debs = _debs(known, done, kept)
        added = {deb.name for deb in debs}
        asked_for = {spec.partition("=")[0] for spec in specs}
        suites = DebianSuites(
            distribution=system.family.name,
            suites=tuple(known.dates),
            snapshot=known.newest,
            there={name: there[name] for name in sorted(asked_for - added) if name in there},
            asked=who_asks([deb.name for deb in debs], asked_for, apt.records(f"{d.name}={d.version}" for d in debs)),
        )
        return debs, suites


@dataclass(frozen=True)
class _Known:
    """apt: knows all repositories. dates: of the distribution's suites, the release first. archives: by name, an apt
    that knows this one alone."""

    apt: PrivateApt
    dates: Mapping[str, str]
    archives: Mapping[str, PrivateApt]

    @property
    def newest(self) -> str:
        return max(_timestamp(date) for date in self.dates.values())

    def of_known(self, debs: Sequence[Deb]) -> list[Deb]:
        """Those that no archive has brought which is not asked any more."""
        return [deb for deb in debs if deb.archive is None or deb.archive in self.archives]


@contextmanager
def _apt(
    suites: Sequence[str], architectures: Sequence[str], beside: AptExtras, config: Config, store: Store
) -> Iterator[_Known]:
    """A private apt with the indexes of the suites and the archives, each of the first place that has it, correctly
    signed.

    suites: the release, then what updates it: of those, the ones that no mirror has are left out, and named.
    """
    import shutil

    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise InputError(
            "Debian packages are resolved by apt, which this machine does not have",
            "Lock the recipe on a machine with Debian or Ubuntu; its lock then serves every machine.",
        )
    with store.workspace() as workspace, store.lock(FileName("debian-lists")):
        found: list[tuple[AptRepository, PrivateApt]] = []
        dates: dict[str, str] = {}
        for suite in suites:
            try:
                places = [of_distribution(suite, root, beside, config) for root in mirrors(config, suite)]
                found.append(_verified(places, architectures, workspace, store))
            except InputError as error:
                if suite == suites[0]:
                    raise
                say(f"  {suite} is left out: {error.problem}")
            else:
                dates[suite] = found[-1][1].release_date(suite)
        archives: dict[str, PrivateApt] = {}
        for archive in beside.archives:
            found.append(_verified([archive.at(root) for root in archive.roots], architectures, workspace, store))
            archives[archive.name] = found[-1][1]
        if len(found) == 1:
            yield _Known(found[0][1], dates, archives)
            return
        # Every index is there and verified: one apt that knows all of them takes them as they lie.
        lists = workspace / "lists"
        lists.mkdir()
        for _, apt in found:
            apt.link_lists(lists)
        whole = PrivateApt(workspace / "all", lists, [place for place, _ in found], architectures)
        yield _Known(whole, dates, archives)


def _verified(
    places: Sequence[AptRepository], architectures: Sequence[str], workspace: Path, store: Store
) -> tuple[AptRepository, PrivateApt]:
    """The first place of a repository that has it, with an apt that knows it alone."""
    problems: list[str] = []
    for number, place in enumerate(places):
        named = f"{split_login(place.root.full)[0]} {place.suite} {architectures[0]} {' '.join(place.components)}"
        lists = store.home / "debian" / sha256_hex(named.encode())[:16]
        apt = PrivateApt(workspace / f"{place.name}-{number}", lists, [place], architectures)
        problem = apt.update()
        if not problem:
            return place, apt
        if "No space left on device" in problem:
            raise no_space(lists)
        problems.append(f"{place.root}: {problem}")
    family, suite = distribution_of(places[0].suite), places[0].suite
    if places[0].own_keys:
        raise InputError(
            "\n".join([f"the archive {places[0].name} gives no verified index of {suite}:", *problems]),
            f"Check env.archives.{places[0].name} (url, suite, components, key), the network, and `archives` in "
            "portside.toml.",
        )
    raise InputError(
        "\n".join([f"no {family.title} mirror gives a verified index of {suite}:", *problems]),
        "Check the suite's name (`base.debian.suite` in the recipe), the network and the mirrors: "
        f"mirrors.{family.name} in portside.toml, or this machine's apt sources.",
    )


def _check_specs(specs: Iterable[str]) -> list[str]:
    """Only NAME and NAME=VERSION: apt would read more into what it is given (patterns, files, removals)."""
    checked = sorted(set(specs))
    for spec in checked:
        name, equals, version = spec.partition("=")
        if not NAME.fullmatch(name) or (equals and not VERSION.fullmatch(version)):
            raise RecipeError(f"not a Debian package: {spec!r}", "Write NAME or NAME=VERSION, such as python3.")
    return checked


def _check_known(apt: PrivateApt, specs: Sequence[str]) -> None:
    """Raise RecipeError that names every package or version that the suite does not have."""
    if not specs:
        return
    asked = {spec.partition("=")[0] for spec in specs}
    versions: dict[str, set[str]] = {}
    for record in apt.records(asked):
        versions.setdefault(record["Package"], set()).add(record["Version"])
    problems: list[str] = []
    for spec in specs:
        name, _, version = spec.partition("=")
        if name not in versions:
            problems.append(f"{name}: {_suggestion(apt, name)}")
        elif version and version not in versions[name]:
            problems.append(f"{spec}: {apt.suite} has {', '.join(sorted(versions[name]))}")
    if problems:
        where = f"{distribution_of(apt.suite).title} {', '.join(apt.names_of_repositories)}"
        lines = [f"{where} does not have", *(f"  {problem}" for problem in problems)]
        raise RecipeError("\n".join(lines), "Correct the recipe's Debian packages.")


def _suggestion(apt: PrivateApt, name: str) -> str:
    from difflib import get_close_matches

    if providers := apt.providers(name):
        return f"only provided, by {', '.join(providers)}"
    names = apt.names()
    near = get_close_matches(name, [known for known in names if known[0] == name[0]], 3, 0.75)
    near += sorted((known for known in names if name in known and known not in near), key=len)[: 5 - len(near)]
    return f"did you mean {', '.join(near)}?" if near else "nothing has a name like it"


def _keep(apt: PrivateApt, keep: Sequence[Deb], update: Update, store: Store) -> dict[str, Deb]:
    """The locked .debs that can stay, by name; the private apt knows them afterwards."""
    if update == "all":
        return {}
    candidates = [deb for deb in check_debs(keep) if deb.name not in update]
    listed = {record.get("SHA256") for record in apt.records(f"{deb.name}={deb.version}" for deb in candidates)}
    kept: dict[str, Deb] = {}
    dropped: list[Stanza] = []
    for deb in candidates:
        if deb.sha256 not in listed:
            control = _control(deb, store)
            if control is None:
                say(f"  {deb.name} {deb.version} has left the mirror and is not in the store: its version may change")
                continue
            place = {"Filename": deb.path, "Size": str(deb.size), "SHA256": deb.sha256}
            dropped.append(own_fields(control) | place)
        kept[deb.name] = deb
    if dropped:
        apt.add_kept(dropped)
        if problem := apt.update():
            raise InputError(f"the kept packages cannot be used: {problem}")
    return kept


def _install(apt: PrivateApt, specs: Sequence[str], kept: dict[str, Deb]) -> Simulation:
    """Resolve with the kept versions. They never move silently: a lock that exists only changes where asked."""
    apt.pin({name: deb.version for name, deb in kept.items()})
    done = apt.simulate(specs)
    if not done.problem:
        return done
    if kept:
        apt.pin({})
        free = apt.simulate(specs)
        moved = sorted(
            name for name, version in free.installs.items() if name in kept and kept[name].version != version
        )
        if moved:
            raise LockError(
                f"the locked versions do not go with what is asked for:\n{done.problem}",
                lambda recipe: (
                    f"Let these change as well: invoke lock --recipe {recipe} --update {' --update '.join(moved)}"
                ),
            )
    raise RecipeError(f"these packages of {apt.suite} do not go together:\n{done.problem}")


def _debs(known: _Known, done: Simulation, kept: dict[str, Deb]) -> list[Deb]:
    apt, installs = known.apt, done.installs
    debs = [kept[name] for name, version in installs.items() if name in kept and kept[name].version == version]
    there = {deb.name for deb in debs}
    missing = {(name, version) for name, version in installs.items() if name not in there}
    records = apt.records(f"{name}={version}" for name, version in missing) if missing else []
    new: list[Deb] = []
    for record in records:
        found = (record["Package"], record["Version"])
        if found in missing and "Filename" in record:
            missing.remove(found)
            new.append(deb_of(record))
    for name, archive in known.archives.items() if new else ():
        own = {record.get("SHA256") for record in archive.records(f"{d.name}={d.version}" for d in new)}
        new = [d.model_copy(update={"archive": name}) if d.sha256 in own else d for d in new]
    debs += new
    if missing:
        raise InputError(f"the index of {apt.suite} says nothing about {', '.join(f'{n} {v}' for n, v in missing)}")
    return check_debs(debs)


def _installed(apt: PrivateApt, base: Sequence[Deb], store: Store) -> list[Stanza]:
    """The control fields of the base's packages: from the index, or out of the .debs where it has moved on."""
    records = apt.records(f"{deb.name}={deb.version}" for deb in base) if base else []
    known = {record.get("SHA256"): record for record in records}
    fields: list[Stanza] = []
    for deb in base:
        stanza = known.get(deb.sha256) or _control(deb, store)
        if stanza is None:
            raise InputError(
                f"{deb.name} {deb.version} of the base has left the mirror and is not in the store",
                lambda recipe: (
                    f"Bring it first: invoke fetch --recipe {recipe}; or update the base: "
                    f"invoke lock --recipe {recipe} --update all"
                ),
            )
        fields.append(own_fields(stanza))
    return fields


def _control(deb: Deb, store: Store) -> Stanza | None:
    found = store.inputs.locate(deb.sha256)
    return None if found is None else control_of(found.path)


def _timestamp(date: str) -> str:
    """'Sat, 11 Jul 2026 10:16:37 UTC' -> '20260711T101637Z'."""
    return parsedate_to_datetime(date).astimezone(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
