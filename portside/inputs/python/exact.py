"""One file of one package: the sdist of a source, a wheel that carries data, the place of a locked file."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from portside.common.values import Size, Word, told
from portside.config import Config
from portside.errors import InputError, RecipeError
from portside.inputs.python.bindings import bound_to
from portside.inputs.python.file_names import SDIST_SUFFIXES, sdist_version, wheel_version
from portside.inputs.python.index import Offer, offers
from portside.lock.packages import Artefact
from portside.net.transfer import bring
from portside.recipe.python_packages import Python

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.version import Version

    from portside.store import Store


def locations(artefact: Artefact, config: Config, wanted: Python | None = None) -> list[str]:
    """Where a file of this name may be: folders first, then indexes and find-links; not every one need have it.

    wanted: what the recipe says of indexes.
    Raises InputError if no place offers it and some could not be asked.
    """
    here = [str(folder / artefact.file) for folder in config.folder_paths if (folder / artefact.file).is_file()]
    try:
        bound = bound_to(wanted, artefact.name, config)
    except RecipeError:
        if here:
            return here  # who has the file needs no index
        raise
    found, failures = offers(artefact.name, config, everything=True, bound=bound)
    named = [offer for offer in found if offer.file == artefact.file and not offer.flaw]
    failures += [f"  {offer.flaw}" for offer in found if offer.file == artefact.file and offer.flaw]
    # Who says itself that it has other bytes is asked last; then the mismatch is what a person gets to read.
    named.sort(key=lambda offer: offer.sha256 not in (None, artefact.sha256))
    places = here
    places += [offer.place for offer in named if offer.place not in places]
    if not places and failures:
        raise InputError(
            "\n".join([f"{artefact.file} was not found, and not every place could be asked", *failures]),
            "Try again with a network, or put the file into a folder that portside.toml names under `folders`.",
        )
    return places


def resolve_sdist(requirement: str, config: Config, wanted: Python | None = None) -> Artefact:
    """The source distribution of the newest version that a requirement ('transformers==4.27.4') allows.

    wanted: what the recipe says of indexes and of the target's Python; releases for others do not count.
    Raises RecipeError for a requirement that cannot be used, InputError if there is no such file.
    """

    def worth(offer: Offer) -> int:
        return -next(number for number, suffix in enumerate(SDIST_SUFFIXES) if offer.file.endswith(suffix))

    return _newest(requirement, "source distribution", sdist_version, worth, config, wanted)


def resolve_wheel_exact(requirement: str, config: Config) -> Artefact:
    """The wheel of a package that carries data and so has one wheel for every platform.

    Raises RecipeError for a requirement that cannot be used, InputError if there is no such file.
    """

    def version(file: str) -> "tuple[str, Version] | None":
        return wheel_version(file) if file.endswith("-any.whl") else None

    return _newest(requirement, "wheel for every platform", version, lambda offer: 0, config)


def _newest(
    text: str,
    what: str,
    version_of: "Callable[[str], tuple[str, Version] | None]",
    worth: Callable[[Offer], int],
    config: Config,
    wanted: Python | None = None,
) -> Artefact:
    """The file of the newest allowed version; of several the worthiest, then the one offered first."""
    from portside.store import Store

    requirement = parse_requirement(text, "sources and weights")
    found, failures = offers(requirement.name, config, bound=bound_to(wanted, requirement.name, config))
    python = wanted.version if wanted is not None else None
    exact = any(specifier.operator in ("==", "===") for specifier in requirement.specifier)
    fitting = [offer for offer in found if python is None or is_for_python(offer, python)]
    versions = [(named[1], offer) for offer in fitting if (named := version_of(offer.file))]
    allowed = set(requirement.specifier.filter({version for version, offer in versions if exact or not offer.yanked}))
    candidates = [(version, offer) for version, offer in versions if version in allowed and (exact or not offer.yanked)]
    if not candidates:
        known = sorted({version for version, _ in versions})
        listed = f"; there are {', '.join(map(str, known[-5:]))}" if known else ""
        raise InputError(
            "\n".join([f"no {what} was found for {text}{listed}", *failures]),
            "Correct the requirement, or put the file into a folder that portside.toml names under `folders`.",
        )
    version, offer = max(candidates, key=lambda candidate: (candidate[0], worth(candidate[1])))
    return artefact_of(requirement.name, str(version), offer, Store(config.home))


def is_for_python(offer: Offer, python: str) -> bool:
    """Whether a file is for this version of Python, such as 3.11, or its place does not say."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(offer.python or "").contains(f"{python}.99", prereleases=True)
    except InvalidSpecifier:
        return True


def artefact_of(name: str, version: str, offer: Offer, store: "Store") -> Artefact:
    """An offered file as an artefact; if its place does not say hash and size, the file is brought to know them.

    Raises InputError for an offer whose place says what cannot be.
    """
    from packaging.utils import canonicalize_name

    if offer.flaw:
        raise InputError(offer.flaw, "Name another index (mirrors.pypi in portside.toml), or tell whoever runs this.")
    sha256, size = offer.sha256, offer.size
    if sha256 is None or size is None:
        sha256 = bring(offer.file, sha256, size, [offer.place], store, "Try again, or name another index.")
        size = Size(store.inputs.require(sha256, offer.file).size)
    return Artefact(
        name=told(Word, canonicalize_name(name), f"{offer.file}: its package's name"),
        version=told(Word, version, f"{offer.file}: its version"),
        file=offer.file,
        size=size,
        sha256=sha256,
    )


def parse_requirement(text: str, key: str) -> "Requirement":
    """A PEP 508 requirement that an index can satisfy. key: the recipe's key, for the RecipeError."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        reason = str(error).partition("\n")[0]
        raise RecipeError(f"{key}: not a requirement: {text!r}: {reason}", "Write NAME==VERSION.") from None
    if requirement.url is not None:
        raise RecipeError(
            f"{key}: {requirement.name} is given by a URL, which a lock cannot hold",
            "Write NAME==VERSION; put the file into a folder that portside.toml names under `folders`.",
        )
    return requirement
