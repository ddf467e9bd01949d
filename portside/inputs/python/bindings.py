"""Packages that come from one index or page alone, whatever the machine has configured besides."""

from collections.abc import Mapping
from dataclasses import dataclass

from portside.common.url import SecretUrl
from portside.config import Config, IndexPage
from portside.errors import RecipeError, did_you_mean
from portside.inputs.python.requirements_file import normal
from portside.recipe.python_packages import FindLinks, Python


@dataclass(frozen=True, slots=True)
class Bound:
    """Where a package is to be had. page: whether that is a page or folder of find-links, not a simple index."""

    place: SecretUrl
    page: bool = False


def bindings(wanted: Python | None, config: Config) -> Mapping[str, Bound]:
    """By package (PEP 503), where it comes from alone. Raises RecipeError for a name that nobody has configured."""
    asked = wanted.indexes if wanted is not None else {}
    return {normal(package): _bound(package, place, config) for package, place in asked.items()}


def bound_to(wanted: Python | None, package: str, config: Config) -> Bound | None:
    """Where one package comes from alone; None for any place. Raises RecipeError as `bindings` does."""
    asked = wanted.indexes if wanted is not None else {}
    found = next((place for name, place in asked.items() if normal(name) == normal(package)), None)
    return None if found is None else _bound(package, found, config)


def _bound(package: str, asked: str | FindLinks, config: Config) -> Bound:
    if isinstance(asked, FindLinks):
        return Bound(SecretUrl(asked.page), page=True)
    if "://" in asked:
        return Bound(SecretUrl(asked))
    known = config.indexes.get(asked)
    if known is None:
        there = ", ".join(config.indexes) or "none"
        raise RecipeError(
            f"env.python.indexes: {package} comes from the index '{asked}' alone, and this machine knows none of that "
            f"name ({there})",
            f'{did_you_mean(asked, config.indexes)}Say where it is in portside.toml, under [indexes]: {asked} = "URL".',
        )
    return Bound(known.place, page=True) if isinstance(known, IndexPage) else Bound(known)
