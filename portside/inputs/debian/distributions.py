"""The Python packages that .debs bring, and whether pip can put others in their place."""

import email
import re
import subprocess
import tarfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from portside.common import foreign_tar
from portside.errors import InputError
from portside.inputs.debian.control import control_of
from portside.lock.packages import Deb

_METADATA = re.compile(
    r"(\./)?usr/lib/python3(\.[0-9]+)?/dist-packages/[^/]+(\.dist-info/METADATA|\.egg-info(/PKG-INFO)?)"
)
"""Where Debian's packages say their names and versions (Debian Python policy; PEP 376, and setuptools' form before)."""
_LARGEST = 1 << 20
_LEAVES_THEM = (23, 0)
"""The last pip with Debian's patch by which it lets alone what .debs brought, and installs beside it. Later ones try to
remove it, and fail: Debian's packages have no RECORD of their files."""


def distributions(debs: Sequence[tuple[Deb, Path]]) -> dict[str, str]:
    """Name (PEP 503) and version of every Python package that these .debs bring, sorted.

    debs: each with its file. Raises InputError for a file that is no .deb.
    """
    from packaging.utils import canonicalize_name

    with ThreadPoolExecutor() as threads:
        found = list(threads.map(_metadata, [path for _, path in debs]))
    said = [email.message_from_bytes(text) for texts in found for text in texts]
    named = [(fields["Name"], fields["Version"]) for fields in said if fields["Name"] and fields["Version"]]
    return dict(sorted((str(canonicalize_name(name)), str(version)) for name, version in named))


def _metadata(path: Path) -> list[bytes]:
    control = control_of(path)
    if "python3" not in control.get("Depends", "") + control.get("Pre-Depends", ""):
        return []  # Debian Python policy: a package with modules depends on an interpreter
    texts: list[bytes] = []
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", path], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        try:
            with foreign_tar.open_stream(child.stdout) as archive:
                for member in foreign_tar.members(archive):
                    if _METADATA.fullmatch(member.name) and (stream := archive.extractfile(member)) is not None:
                        texts.append(stream.read(_LARGEST))
            while child.stdout.read(_LARGEST):
                pass
        except tarfile.TarError as error:
            raise InputError(f"{path.name} is not a package that can be read: {error}") from None
    return texts


def pip_leaves_them(debs: Iterable[Deb]) -> bool:
    """Whether the pip among these .debs installs beside what other .debs brought, instead of failing to remove it."""
    for deb in debs:
        if deb.name == "python3-pip" and (found := re.match(r"(?:\d+:)?(\d+)\.(\d+)", deb.version)):
            return (int(found[1]), int(found[2])) <= _LEAVES_THEM
    return False
