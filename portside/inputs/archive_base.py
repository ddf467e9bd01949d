"""A vendor's image as base: recipe to lock. A person brings it, so what is in it is known when a folder has it."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal

from portside.errors import InputError
from portside.inputs.bringer import Bringer, PlainBase
from portside.inputs.vendor_image import read_vendor_image
from portside.lock.bases import ArchiveBase
from portside.lock.packages import Deb
from portside.net import suspect
from portside.recipe.bases import Archive
from portside.store import Store

bring = None
"""No download brings it: `fetch` looks into folders, and `read` reads what lies there."""


def resolve(
    asked: Archive, keep: Sequence[Deb], update: Collection[str] | Literal["all"], bringer: Bringer
) -> ArchiveBase:
    """What the recipe itself says."""
    return ArchiveBase(file=asked.file, architecture=asked.architecture, size=asked.size, sha256=asked.sha256)


def read(path: Path, base: ArchiveBase, store: Store, pinned: bool) -> ArchiveBase:
    """As `read_vendor_image`; a file that nobody has seen before must not look like something else than an image."""
    try:
        if path.is_file() and base.sha256 is None and (reason := suspect.of_file(path, base.file, base.size)):
            raise InputError(f"{path} is {reason}", suspect.REMEDY)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "Look at its rights: ls -l") from None
    return read_vendor_image(path, base, store, pinned)


def plain(base: ArchiveBase, recipe: str) -> PlainBase:
    """How Docker gets it: `docker load` reads archives only, and a folder is copied with a name.

    recipe: whose Dockerfile it is.
    """
    named = base.reference or f"{recipe}-base"
    named = named if ":" in named.rpartition("/")[2] or "@" in named else f"{named}:latest"
    folder = f"skopeo copy oci:{base.file} docker-daemon:{named}"
    file = f"docker load --input {base.file}"
    if base.sha256 is not None:
        return PlainBase((f"{file}, and if BASE has no name here: --build-arg BASE=what it says.",), base.reference)
    if base.layers:
        return PlainBase((f"{folder}, as docker load reads no folder.",), named)
    lines = (
        f"{file} where it is a file, and if BASE has no name here: --build-arg BASE=what it says;",
        f"where it is a folder: {folder}, and --build-arg BASE={named}",
    )
    return PlainBase(lines, base.reference)
