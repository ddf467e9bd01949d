"""Debian's text formats: control stanzas (deb822(5)) and the headers of .deb files (deb(5))."""

import re
import subprocess
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from portside.common.tree import check_path
from portside.errors import InputError, RecipeError
from portside.lock.packages import Deb

Stanza = dict[str, str]
"""Fields in their order; a value keeps its continuation lines with their leading space."""

NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
"""A package's name (Debian policy 5.6.7)."""
VERSION = re.compile(r"[0-9A-Za-z.+:~-]+")
"""A package's version (Debian policy 5.6.12)."""

_AR_MAGIC = b"!<arch>\n"
_OF_THE_INDEX = {"filename", "size", "md5sum", "sha1", "sha256", "sha512", "description-md5"}
"""Fields that an index adds to what a package's own control file says."""


def stanzas(text: str) -> Iterator[Stanza]:
    """The stanzas of a control file. Comment lines are left out; other lines that are no field are ignored."""
    stanza: Stanza = {}
    last = ""
    for line in text.split("\n"):
        if not line.strip():
            if stanza:
                yield stanza
            stanza, last = {}, ""
        elif line[0] in " \t":
            if last:
                stanza[last] += "\n" + line
        elif not line.startswith("#"):
            name, colon, value = line.partition(":")
            last = name if colon else ""
            if colon:
                stanza[name] = value.strip()
    if stanza:
        yield stanza


def write_stanza(stanza: Stanza) -> str:
    """A stanza as text, with the empty line that ends it."""
    return "".join(f"{name}: {value}\n" for name, value in stanza.items()) + "\n"


def own_fields(stanza: Stanza, *without: str) -> Stanza:
    """The fields of the package itself: none that an index adds, and none of `without`."""
    dropped = _OF_THE_INDEX | {name.lower() for name in without}
    return {name: value for name, value in stanza.items() if name.lower() not in dropped}


def deb_of(stanza: Stanza) -> Deb:
    """The lock's form of a stanza of a Packages file.

    Raises InputError for one that lacks a field or whose path leaves the mirror.
    """
    from pydantic import ValidationError

    from portside.common.explain import explain

    try:
        deb = Deb(
            name=stanza["Package"],
            version=stanza["Version"],
            architecture=stanza["Architecture"],
            path=stanza["Filename"].removeprefix("./"),
            size=int(stanza["Size"]),
            sha256=stanza["SHA256"],
        )
    except ValidationError as error:
        problem = "; ".join(explain(error, Deb, {}))
        raise InputError(f"the index's stanza of {stanza['Package']} cannot be used: {problem}") from None
    except (KeyError, ValueError) as error:
        raise InputError(f"the index's stanza of {stanza.get('Package')} cannot be used: {error}") from None
    return check_deb(deb)


def check_deb(deb: Deb) -> Deb:
    """Give `deb` back if its name, version, architecture and path are what Debian allows, else raise InputError."""
    architecture = re.fullmatch(r"[a-z0-9][a-z0-9-]*", deb.architecture)
    if not (NAME.fullmatch(deb.name) and VERSION.fullmatch(deb.version) and architecture):
        raise InputError(f"not a Debian package: {deb.name!r} {deb.version!r} {deb.architecture!r}")
    check_path(deb.path)
    if not deb.path.endswith(".deb") or re.search(r"[^A-Za-z0-9._+~%:/-]", deb.path):
        raise InputError(f"{deb.name}: not the path of a .deb below a mirror's root: {deb.path!r}")
    return deb


def check_debs(debs: Iterable[Deb]) -> list[Deb]:
    """Check every .deb and that no name comes twice; sorted by name."""
    checked = sorted((check_deb(deb) for deb in debs), key=lambda deb: deb.name)
    for before, after in pairwise(checked):
        if before.name == after.name:
            raise InputError(f"the package {after.name} is there twice: {before.version} and {after.version}")
    return checked


def check_place(suite: str, architecture: str) -> None:
    """Raise RecipeError unless these are words that a suite and an architecture can be called."""
    for text, what in ((suite, "suite"), (architecture, "architecture")):
        if not re.fullmatch(r"[a-z][a-z0-9-]*", text):
            raise RecipeError(f"not the name of a Debian {what}: {text!r}")


def control_of(path: Path) -> Stanza:
    """The control fields of a .deb file.

    Raises InputError for a file that is no .deb.
    """
    done = subprocess.run(["dpkg-deb", "--field", path], capture_output=True, check=False)
    if done.returncode:
        problem = done.stderr.decode("utf-8", "replace").strip()
        raise InputError(f"{path.name} is not a package that dpkg-deb can read: {problem}")
    return next(stanzas(done.stdout.decode("utf-8", "surrogateescape")), {})


def deb_date(path: Path) -> int:
    """When a .deb was made: the time of its first member (`debian-binary`) in seconds since 1970.

    Raises InputError for a file that is no .deb. The format is that of ar(5).
    """
    with open(path, "rb") as stream:
        header = stream.read(len(_AR_MAGIC) + 60)
    member = header[len(_AR_MAGIC) :]
    date = member[16:28].strip()
    if not header.startswith(_AR_MAGIC) or not member.startswith(b"debian-binary") or not date.isdigit():
        raise InputError(f"{path.name} is not a Debian package")
    return int(date)
