"""The layers of an engine as they come: a tar out of `docker save`, or an overlay2 folder read in place."""

from portside.errors import InputError
from portside.layers import read_overlay, read_tar
from portside.layers.raw import LayerSource, OverlayLayer, RawLayer


def read(source: LayerSource) -> RawLayer:
    """Read an engine's layer; contents stay where they are.

    Device nodes and sockets are left out; as they hide what the layers below had at their path, they become whiteouts.
    Raises InputError for a layer that cannot be read, is damaged, or holds something that no honest engine writes
    (docs/canonical-layer.md, "Reading").
    """
    try:
        if isinstance(source, OverlayLayer):
            return read_overlay.read(source.path)
        return read_tar.read(source)
    except OSError as error:
        raise InputError.about(source.path, f"cannot read the layer: {error.strerror}") from error
