"""What packages may come from: suites of the distribution, and archives of vendors that a recipe names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from portside.common.url import SecretUrl
from portside.config import Config
from portside.errors import InputError, RecipeError
from portside.inputs.debian.keyrings import fingerprints
from portside.inputs.debian.releases import distribution_of, release_of
from portside.recipe.debian_archives import DebianArchive

Roots = Mapping[str, Sequence[SecretUrl]]
"""Where the archives are that a recipe names, by what it calls them."""

NOWHERE: Roots = MappingProxyType({})


@dataclass(frozen=True)
class AptRepository:
    """One suite at one place.

    name: what it is called here; of the distribution's the suite itself. suite: with a slash at the end a folder of an
    archive without suites. keyring: whose keys sign it; None for a suite of the distribution without one of its own.
    own_keys: whether these keys sign nothing else.
    """

    name: str
    suite: str
    root: SecretUrl
    components: tuple[str, ...]
    keyring: Path | None
    own_keys: bool = False


@dataclass(frozen=True)
class VendorArchive:
    """A vendor's archive. roots: where it may be, in the order to ask, without a slash at the end."""

    name: str
    suite: str
    components: tuple[str, ...]
    roots: tuple[SecretUrl, ...]
    keyring: Path

    def at(self, root: SecretUrl) -> AptRepository:
        return AptRepository(self.name, self.suite, root, self.components, self.keyring, own_keys=True)


@dataclass(frozen=True)
class AptExtras:
    """What counts beside what a distribution has anyhow. components: in the place of its own, if there are any."""

    components: tuple[str, ...] = ()
    archives: tuple[VendorArchive, ...] = ()


NO_EXTRAS = AptExtras()


def of_distribution(suite: str, root: SecretUrl, beside: AptExtras, config: Config) -> AptRepository:
    components = beside.components or distribution_of(suite).components
    return AptRepository(suite, suite, root, components, config.keyrings.get(release_of(suite)))


def archive_roots(archives: Mapping[str, DebianArchive], config: Config) -> dict[str, tuple[SecretUrl, ...]]:
    """Where the archives of a recipe may be, by name: portside.toml's word comes first."""
    found = {}
    for name, asked in archives.items():
        said = [config.archives[name].full] if name in config.archives else []
        said += [asked.url] if asked.url is not None else []
        found[name] = tuple(SecretUrl(url.rstrip("/")) for url in dict.fromkeys(said))
    return found


def archive(name: str, asked: DebianArchive, roots: tuple[SecretUrl, ...], keyring: Path) -> VendorArchive:
    """keyring: the file that the recipe names. Raises RecipeError for one that is none, InputError where nothing says
    where the archive is."""
    if not fingerprints(keyring.read_bytes()):
        raise RecipeError(
            f"env.archives.{name}.key: {keyring} has no OpenPGP key",
            "Put the vendor's public key there, armoured (.asc) or not (.gpg).",
        )
    if not roots:
        raise InputError(
            f"nothing says where the archive {name} is",
            f'Name its root in portside.toml: [archives] {name} = "URL"; or in the recipe: env.archives.{name}.url',
        )
    components = asked.components or (() if asked.is_flat else ("main",))
    return VendorArchive(name, asked.suite, components, roots, keyring)
