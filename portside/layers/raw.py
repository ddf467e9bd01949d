"""What an engine's layer is before it is canonical: where it lies, and what it does to the file system below."""

from dataclasses import dataclass, field
from pathlib import Path

from portside.common.joined import JoinedContent
from portside.common.tree import Entry, FileRange
from portside.errors import InputError

WHITEOUT = ".wh."
"""What a whiteout's name starts with (OCI image specification, "Whiteouts")."""
OPAQUE = ".wh..wh..opq"
KEPT_XATTRS = ("security.capability",)
"""The extended attributes that a layer keeps: the only one that all engines write into their layers."""


@dataclass(frozen=True, slots=True)
class TarLayer:
    """An uncompressed layer tar with OCI whiteouts (`.wh.NAME`, `.wh..wh..opq`)."""

    path: Path

    @property
    def content(self) -> FileRange:
        """Its bytes. Raises OSError where there is no such file."""
        return FileRange(self.path, 0, self.path.stat().st_size)


@dataclass(frozen=True, slots=True)
class FramedLayer:
    """An uncompressed layer tar that is made when it is read: what stands before and behind the bytes of its one file,
    and those bytes. path: of what holds them, for messages."""

    content: JoinedContent
    path: Path


@dataclass(frozen=True, slots=True)
class OverlayLayer:
    """The upper folder of an overlay2 layer: whiteouts are 0/0 character devices, opaque folders have an xattr."""

    path: Path


Tar = TarLayer | FramedLayer
LayerSource = Tar | OverlayLayer


@dataclass(frozen=True, slots=True)
class RawLayer:
    """What an engine's layer does to the file system below it, in no particular order.

    entries: what it adds or replaces, by path. A hard link is an entry of kind `file` that shares its `content`
    object with the path it is linked to; `hardlink` does not occur. Files have no sha256 yet.
    whiteouts: paths of the layers below that are gone. opaque: folders that hide all that the layers below have there.
    Both speak of the layers below only: a path that is also in `entries` was removed and made again.
    misnamed: what has the name of a whiteout, and is not what an engine writes as one.
    sockets: where one stands, as far as the source shows it; the layers below stay there, also in an opaque folder.
    times: of files, in nanoseconds, where the source is an overlay: one that was copied up unchanged has its old time.
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    whiteouts: set[str] = field(default_factory=set)
    opaque: set[str] = field(default_factory=set)
    misnamed: set[str] = field(default_factory=set)
    sockets: set[str] = field(default_factory=set)
    times: dict[str, int] = field(default_factory=dict)


def check_name(path: str) -> str:
    """Give `path` back if a layer can hold it, else raise InputError: no part may look like a whiteout."""
    if WHITEOUT in path and any(part.startswith(WHITEOUT) for part in path.split("/")):
        raise InputError(
            f"{path}: a layer cannot hold a name that starts with {WHITEOUT}, engines take it for a removal",
            "Rename the file.",
        )
    return path
