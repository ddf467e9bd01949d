"""A vendor's image as base: recipe to lock. A person brings it, so what is in it is known when a folder has it."""

from collections.abc import Collection, Sequence
from typing import Literal

from portside.inputs.bringer import Bringer
from portside.lock.models import ArchiveBase, Deb
from portside.recipe.models import Archive

bring = None
"""No download brings it: `fetch` looks into folders, and `vendor_image` reads what lies there."""


def resolve(
    asked: Archive, keep: Sequence[Deb], update: Collection[str] | Literal["all"], bringer: Bringer
) -> ArchiveBase:
    """What the recipe itself says."""
    return ArchiveBase(file=asked.file, architecture=asked.architecture, size=asked.size, sha256=asked.sha256)
