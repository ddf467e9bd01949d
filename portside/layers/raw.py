"""The layers of an engine as they come: a tar out of `docker save`, or an overlay2 folder read in place."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TarLayer:
    """An uncompressed layer tar with OCI whiteouts (`.wh.NAME`, `.wh..wh..opq`)."""

    path: Path


@dataclass(frozen=True, slots=True)
class OverlayLayer:
    """The upper folder of an overlay2 layer: whiteouts are 0/0 character devices, opaque folders have an xattr."""

    path: Path


LayerSource = TarLayer | OverlayLayer
