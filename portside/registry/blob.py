"""A layer blob as a registry has it."""

from dataclasses import dataclass

from portside.common.compression import Compression
from portside.common.values import DiffID, Sha256, Size


@dataclass(frozen=True, slots=True)
class TravellingBlob:
    """digest, travels: sha256 hex and bytes of what travels. diff_id, size: sha256 hex and bytes of the uncompressed
    layer; size is None where nobody knows it before it has been unpacked."""

    digest: Sha256
    travels: Size
    compression: Compression
    diff_id: DiffID
    size: Size | None


@dataclass(frozen=True, slots=True)
class RegistryBlob(TravellingBlob):
    """One that Portside pushed: its manifest says everything."""

    size: Size
