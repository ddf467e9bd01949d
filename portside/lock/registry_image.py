"""What a lock says of an image in a registry: the documents that name its layers, and the layers as they travel.

The documents are kept as inputs: they prove, also when the registry has forgotten the image, that these layers were
what its tag stood for.
"""

from typing import Annotated

from pydantic import AfterValidator, Field

from portside.common import oci
from portside.common.compression import Compression
from portside.common.values import DiffID, Sha256, Size
from portside.lock.packages import LockModel


def _known_layer(media_type: str) -> str:
    if media_type not in oci.LAYERS:
        raise ValueError(f"expected one of {', '.join(sorted(oci.LAYERS))}")
    return media_type


class ImageDocument(LockModel):
    """An index, a manifest or a config. sha256, size: of its bytes as the registry has them."""

    media_type: Annotated[str, Field(pattern=r"^[a-z]+/[A-Za-z0-9.+-]{1,120}$")]
    size: Size
    sha256: Sha256


class RegistryLayer(LockModel):
    """A layer of an image in a registry. packed, packed_size: sha256 and bytes of what travels.

    How many bytes a packed one has when it is unpacked only shows then, so no lock says it.
    """

    diff_id: DiffID
    packed: Sha256
    packed_size: Size
    media_type: Annotated[str, AfterValidator(_known_layer)]

    @property
    def compression(self) -> Compression:
        """How it travels; some who push say that a plain tar is packed."""
        return "none" if self.packed == self.diff_id else oci.LAYERS[self.media_type]

    @property
    def size(self) -> Size | None:
        """Bytes of the uncompressed tar, where the lock tells."""
        return self.packed_size if self.compression == "none" else None
