"""The Python packages that an image has from its .debs, when wheels are chosen for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from portside.common.parallel import run_all
from portside.errors import RecipeError
from portside.fetch.fetcher import JOBS, Fetcher
from portside.inputs.debian.distributions import distributions, pip_leaves_them
from portside.lock.bases import LockedBase
from portside.lock.packages import Deb, LockedManualWheel
from portside.store import Store


@dataclass(frozen=True)
class DebianPython:
    """packages: version by name (PEP 503). replaceable: whether pip installs a wheel of another version beside one."""

    packages: Mapping[str, str]
    replaceable: bool

    def fixed(self, others: Mapping[str, str]) -> dict[str, str]:
        """The packages that stay as they are: all, where pip cannot install others beside them; but not those of which
        `others` (by name, of any spelling) are there already or given."""
        from packaging.utils import canonicalize_name

        known = {canonicalize_name(name) for name in others}
        return {} if self.replaceable else {n: v for n, v in self.packages.items() if n not in known}

    def has(self, name: str, version: str) -> bool:
        """Whether pip would find a wheel of this version installed already, and leave it out."""
        from packaging.specifiers import InvalidSpecifier, SpecifierSet
        from packaging.version import InvalidVersion

        try:
            return name in self.packages and SpecifierSet(f"=={version}").contains(
                self.packages[name], prereleases=True
            )
        except (InvalidSpecifier, InvalidVersion):
            return False

    def check_manual(self, wheels: Sequence[LockedManualWheel]) -> None:
        """Raise RecipeError for a wheel that a person brings and that pip would not install, or fail to."""
        for wheel in wheels:
            if wheel.name in self.packages and (not self.replaceable or self.has(wheel.name, wheel.version)):
                raise RecipeError(
                    f"env.python.manual: {wheel.file} cannot be installed: Debian's packages bring {wheel.name} "
                    f"{self.packages[wheel.name]}, which pip cannot replace",
                    "Take the wheel out of the recipe, or what brings the other one out of env.debian.",
                )


def debian_python(base: LockedBase, debs: Sequence[Deb], fetcher: Fetcher, store: Store) -> DebianPython:
    """What the .debs of a base and `debs`, which are installed on top of it, bring; they are brought into the store."""
    distribution = base.distribution
    if distribution is None:
        return DebianPython({}, replaceable=True)
    # A minimal Debian has no Python, and so nothing for it.
    whole = (*(base.debs if any(deb.name == "python3" for deb in base.debs) else ()), *debs)
    run_all([partial(fetcher.deb, deb, distribution) for deb in whole], JOBS)
    found = distributions([(deb, store.inputs.require(deb.sha256, deb.name).path) for deb in whole])
    return DebianPython(found, pip_leaves_them(whole))


def check_interpreter(version: str, debs: Sequence[Deb]) -> None:
    """Raise RecipeError unless these packages bring pip and the Python that wheels are chosen for.

    version: as a recipe says it, such as 3.11. Debian's python3 has the version of the interpreter behind it.
    """
    found = {deb.name: deb.version for deb in debs if deb.name in ("python3", "python3-pip")}
    if len(found) < 2:
        raise RecipeError(
            "env.python has packages, but the image has neither python3 nor pip to install them with"
            if not found
            else f"env.python has packages, but of python3 and python3-pip the image has only {next(iter(found))}",
            "Add python3-pip to env.debian: what it needs comes along.",
        )
    there = ".".join(found["python3"].rpartition(":")[2].split(".")[:2])
    if there != version:
        raise RecipeError(
            f"env.python.version is {version}, but the image's interpreter is python3 {found['python3']}",
            f'Say version: "{there}".',
        )
