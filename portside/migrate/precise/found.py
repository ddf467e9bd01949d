"""What the visitor finds, before it becomes hits of a report."""

from dataclasses import dataclass

from portside.migrate.precise.source import Edit
from portside.migrate.report.hits import HitClass


@dataclass(frozen=True, slots=True)
class Found:
    """A classified place start..end (bytes of the UTF-8 text) and the edits inside it.

    name: as a recipe would accept it. device: the place needs the device's module at run time. guard: what stands
    around it so that it may never be reached.
    """

    start: int
    end: int
    cls: HitClass
    rule: str
    name: str
    edits: tuple[Edit, ...] = ()
    note: str = ""
    device: bool = False
    guard: str = ""


def rename(start: int, old: str, new: str) -> tuple[Edit, ...]:
    """Edits that turn one dotted name at `start` into another, part by part where the numbers of parts agree."""
    before, after = old.split("."), new.split(".")
    if len(before) != len(after):
        return (Edit(start, start + len(old), new.encode()),)
    edits: list[Edit] = []
    for one, other in zip(before, after, strict=True):
        if one != other:
            edits.append(Edit(start, start + len(one), other.encode()))
        start += len(one) + 1
    return tuple(edits)
