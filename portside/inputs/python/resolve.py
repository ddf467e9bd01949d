"""The wheels of an environment: uv resolves, the file is the one that pip would choose on the target."""

import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urldefrag, urlsplit

from portside.config import Config
from portside.errors import InputError, PortsideError
from portside.inputs.python.asking import KEY, Asking
from portside.inputs.python.bindings import Bound
from portside.inputs.python.exact import artefact_of
from portside.inputs.python.index import Offer, indexes_and_links, is_remote, offer_of
from portside.inputs.python.tags import best_wheel, tag_ranks
from portside.inputs.python.uv_compile import Uv
from portside.lock.packages import Artefact
from portside.net.pip_settings import read_pip_settings
from portside.net.transfer import path_of

if sys.version_info >= (3, 11):
    pass
else:
    pass

if TYPE_CHECKING:
    from packaging.tags import Tag

    from portside.store import Store


def resolve_wheels(
    of: Asking,
    *,
    keep: Sequence[Artefact],
    update: Collection[str] | Literal["all"],
    installed: Mapping[str, str],
    config: Config,
    store: "Store",
    fixed: Collection[str] = (),
    built: Collection[str] = (),
    replaceable: bool = False,
    bound: Mapping[str, Bound] | None = None,
) -> list[Artefact]:
    """The wheels that satisfy what is asked for and everything they need, sorted by name.

    keep: the wheels of the lock so far; they
    stay unless `update` names them or the requirements no longer allow them. installed: name and version of what the
    base already has; it satisfies requirements, and neither it nor what only it needs is in the result (a version
    that is not PEP 440 satisfies every requirement). fixed: those of them that came with .debs; built: that the recipe
    has built; both for what errors say. replaceable: as of `Uv`. bound: by name, what comes from one place alone;
    what of it nothing asks for is in the result too.
    Raises RecipeError with uv's explanation if nothing satisfies the requirements, InputError for a package that has
    no wheel and for places that cannot be asked.
    """
    from packaging.utils import canonicalize_name

    ranks = tag_ranks(of.version, of.platform)
    base = {str(canonicalize_name(name)): number for name, number in installed.items()}
    updated = {str(canonicalize_name(name)) for name in update} if update != "all" else set()
    kept = {wheel.name: wheel for wheel in keep if update != "all" and wheel.name not in updated}
    with tempfile.TemporaryDirectory(prefix="portside-uv-") as folder:
        limits = tuple(of.constraints)
        uv = Uv(
            Path(folder),
            config,
            of.version,
            of.platform,
            base,
            frozenset(fixed),
            frozenset(built),
            limits=limits,
            replaceable=replaceable,
            bound=bound or {},
        )
        packages = _compile(uv, of.requirements, kept)
    places = [place for kind in indexes_and_links(read_pip_settings(), config) for place in kind]
    elsewhere = places[0].full if places and all(is_remote(place.full) for place in places) else ""
    artefacts = [
        _choose(package, kept.get(package["name"]), ranks, elsewhere, of, store)
        for package in packages
        if package["name"] not in base
    ]
    return sorted(artefacts, key=lambda artefact: artefact.name)


def _compile(uv: "Uv", wanted: Sequence[str], kept: Mapping[str, Artefact]) -> list[dict[str, Any]]:
    """The resolved packages, at the versions of `kept` wherever nothing else has to change for it.

    uv only prefers those versions, and turns one down where a place that has the version lacks a wheel for the target.
    So each that moved is asked for by itself, and stays if everything else is as it was or as it was kept.
    """
    pins = {name: wheel.version for name, wheel in kept.items()}
    packages = uv.compile(wanted, pins, {})
    fixed: dict[str, str] = {}
    for package in packages:
        name = package["name"]
        if pins.get(name, package["version"]) == package["version"]:
            continue
        trial = {**fixed, name: pins[name]}
        try:
            found = uv.compile(wanted, pins, trial)
        except PortsideError:
            continue  # what is wanted now does not allow it
        before = {row["name"]: row["version"] for row in packages}
        if all(row["version"] in (pins.get(row["name"]), before.get(row["name"])) for row in found):
            packages, fixed = found, trial
    return packages


def _choose(
    package: Mapping[str, Any],
    kept: Artefact | None,
    ranks: "Mapping[Tag, int]",
    elsewhere: str,
    of: Asking,
    store: "Store",
) -> Artefact:
    """The wheel of one resolved package: the kept one if it is of this version and fits, else what pip would take."""
    name, version = package["name"], package["version"]
    hashes = of.hashes.get(name)
    is_allowed = kept is not None and (hashes is None or kept.sha256 in hashes)
    if kept is not None and is_allowed and kept.version == version and best_wheel([kept.file], ranks):
        return kept
    rows = (_offer(wheel, elsewhere) for wheel in package.get("wheels", ()))
    offers: dict[str, Offer] = {offer.file: offer for offer in rows if offer is not None}
    any_fits = best_wheel(offers, ranks) is not None
    while (file := best_wheel(offers, ranks)) is not None:
        offer = offers.pop(file)
        if hashes is None or offer.sha256 is None or offer.sha256 in hashes:
            artefact = artefact_of(name, version, offer, store)
            if hashes is None or artefact.sha256 in hashes:
                return artefact
    if any_fits:
        raise InputError(
            f"{KEY}: no wheel of {name} {version} for the target has a hash that is asked for by {of.origins(name)}",
            f"Allow another version, or leave {name} out there and name it in the recipe.",
        )
    raise InputError(
        f"{KEY}: {name} {version} has no wheel for the target", "Allow another version of it in the recipe."
    )


def _offer(wheel: Mapping[str, Any], elsewhere: str) -> Offer | None:
    """A `wheels` entry of a pylock.toml (PEP 751), which says what an index said to uv; None for one of no use.

    elsewhere: one of the indexes if all are on other machines, else "".
    """
    try:
        place = str(wheel["url"])
        file = wheel.get("name") or unquote(urlsplit(place).path).rpartition("/")[2]
        size = wheel.get("size")
        if size is None and place.startswith("file://"):
            size = path_of(place).stat().st_size
        return offer_of(elsewhere, file, urldefrag(place).url, wheel.get("hashes", {}).get("sha256"), size)
    except (ValueError, KeyError, AttributeError, OSError):
        return None
