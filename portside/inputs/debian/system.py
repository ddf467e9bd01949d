"""The Debian or Ubuntu that a base is, read out of its layers: which release, and what dpkg says is installed."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from portside.errors import RecipeError
from portside.inputs.debian.control import NAME, VERSION, Stanza, stanzas
from portside.inputs.debian.releases import Family, distribution_of, families
from portside.layers.image_files import ImageFiles

KEY = "env.debian"
STATUS = "/var/lib/dpkg/status"
LIMIT = 64 << 20
"""Bytes of dpkg's status; one of a desktop has about 10 MB."""
_APT = ("/usr/bin/apt-get", "/bin/apt-get")
_OTHERS = {
    "/var/lib/rpm": "rpm",
    "/usr/lib/sysimage/rpm": "rpm",
    "/usr/share/rpm": "rpm",
    "/lib/apk/db": "apk",
    "/usr/lib/apk/db": "apk",
    "/var/lib/pacman": "pacman",
}
"""Where other package managers keep what is installed."""
_REMEDY = "Packages can be added to Debian and Ubuntu that have apt. Take env.debian out, or name another base."


@dataclass(frozen=True)
class System:
    """family: of the archives. codename: of the release. packages: dpkg's stanzas, with their Status.

    architectures: the image's own first, then the foreign ones that dpkg knows.
    """

    family: Family
    codename: str
    packages: tuple[Stanza, ...]
    architectures: tuple[str, ...]

    def installed(self) -> dict[str, str]:
        """Versions by name, of the image's own architecture."""
        return {
            stanza["Package"]: stanza["Version"]
            for stanza in self.packages
            if stanza["Status"].split()[-1] == "installed"
            and stanza.get("Architecture") in (self.architectures[0], "all")
        }


def read_system(files: ImageFiles, architecture: str) -> System:
    """architecture: that the base is locked for. Raises RecipeError for a base that packages cannot be added to."""
    release = _os_release(files)
    text = files.text(STATUS, LIMIT)
    other = next((name for path, name in _OTHERS.items() if files.is_folder(path)), None)
    if text is None:
        raise RecipeError(f"{KEY}: the base has no dpkg: {_called(release, other)}", _REMEDY)
    packages = tuple(stanza for stanza in stanzas(text) if _usable(stanza))
    native = next((s["Architecture"] for s in packages if s["Package"] == "dpkg" and "Architecture" in s), None)
    if not any(files.is_program(path) for path in _APT):
        raise RecipeError(f"{KEY}: the base has dpkg and no apt ({_APT[0]}): {_called(release, None)}", _REMEDY)
    if native is not None and native != architecture:
        raise RecipeError(
            f"{KEY}: the base's dpkg is of {native}, and the base is locked as {architecture}",
            f"Name the base's architecture: {native}.",
        )
    family, codename = _release(release)
    foreign = [word for word in (files.text("/var/lib/dpkg/arch") or "").split() if re.fullmatch(r"[a-z0-9-]+", word)]
    return System(family, codename, packages, tuple(dict.fromkeys([architecture, *foreign])))


def _usable(stanza: Stanza) -> bool:
    """Whether it is a package that is there, or of which something is: dpkg keeps a line of those that were removed."""
    name, version, status = (stanza.get(key, "") for key in ("Package", "Version", "Status"))
    return (
        NAME.fullmatch(name) is not None
        and VERSION.fullmatch(version) is not None
        and status.split()[-1:] not in ([], ["not-installed"], ["config-files"])
    )


def _os_release(files: ImageFiles) -> Mapping[str, str]:
    """os-release(5), nothing where there is none."""
    text = files.text("/etc/os-release") or files.text("/usr/lib/os-release") or ""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
            try:
                found[name] = "".join(shlex.split(value)[:1])
            except ValueError:
                continue
    return found


def _called(release: Mapping[str, str], other: str | None) -> str:
    name = release.get("PRETTY_NAME") or release.get("ID") or "it does not say what it is"
    return f"{name}, with packages of {other}" if other else name


def _release(release: Mapping[str, str]) -> tuple[Family, str]:
    """Of Debian, of Ubuntu, or of what a derivative says that it is made from."""
    known, own = families(), release.get("ID", "")
    codename = release.get("VERSION_CODENAME", "") if own in known else ""
    if not codename and own not in known:
        for name in known:
            own, codename = (name, said) if (said := release.get(f"{name.upper()}_CODENAME", "")) else (own, codename)
    if not re.fullmatch(r"[a-z]+", codename):
        raise RecipeError(
            f"{KEY}: the base does not say which release of Debian or Ubuntu it is: {_called(release, None)}",
            "Its /etc/os-release needs ID and VERSION_CODENAME, as every release since Debian 9 and Ubuntu 16.10 has "
            f"them. {_REMEDY}",
        )
    family = distribution_of(codename)
    if family.name != own:
        releases = ", ".join(sorted(known[own].codenames))
        raise RecipeError(
            f"{KEY}: the base is {known[own].title} {codename}, which is none of its known releases ({releases})",
            _REMEDY,
        )
    return family, codename
