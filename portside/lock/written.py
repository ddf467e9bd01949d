"""What a lock notes of the Portside that wrote it, so that another one that would give another image ID can say so."""

from pathlib import Path

from portside.common.version import __version__
from portside.errors import LockError
from portside.layers import FORMAT as LAYER_FORMAT
from portside.lock.models import Lock, Writer

IMAGE_FORMAT = 3
"""The number of everything that makes an image ID of a recipe and its lock, beside the canonical layer format of bases
and data layers: that of run layers, the order of the blobs, what goes into each part and into its key (plan/), and the
image's config with its labels and its history (image/config.py). A change that gives any recipe another key or image ID
from the same lock raises it, unless it changes the layer format."""

_UNNOTED = ("canonical layer 1", 1)
"""The formats of all versions that did not note any."""


def writer() -> Writer:
    """This Portside."""
    return Writer(portside=__version__, layer_format=LAYER_FORMAT, image_format=IMAGE_FORMAT)


def same_layers(lock: Lock) -> bool:
    """Whether what a lock says about layers (the diff ID of its base) is what this Portside makes."""
    return _formats(lock)[0] == LAYER_FORMAT


def same_images(lock: Lock) -> bool:
    """Whether this Portside makes of a lock the image that the one which wrote it made."""
    return _formats(lock) == (LAYER_FORMAT, IMAGE_FORMAT)


def check_written(lock: Lock, path: Path) -> None:
    """Raise LockError where this Portside would make another image of the lock than the one that wrote it."""
    if same_images(lock):
        return
    who = _writer(lock)
    raise LockError(
        f"{path} was written by {who}, whose images have another ID:\n"
        f"  it makes {_named(*_formats(lock))}\n"
        f"  Portside {__version__}, which this is, makes {_named(LAYER_FORMAT, IMAGE_FORMAT)}",
        f"For the same image use {who}. For the one that this Portside makes, of the same inputs: "
        f"invoke lock --recipe {lock.recipe}",
    )


def _writer(lock: Lock) -> str:
    """Who wrote a lock that is of other formats; between two releases they change under one version."""
    if lock.written_by is None:
        return "a Portside that noted no version in locks"
    version = lock.written_by.portside
    return f"an earlier or later state of Portside {version}" if version == __version__ else f"Portside {version}"


def _formats(lock: Lock) -> tuple[str, int]:
    return (lock.written_by.layer_format, lock.written_by.image_format) if lock.written_by else _UNNOTED


def _named(layer: str, image: int) -> str:
    return f"{layer}, image {image}"
