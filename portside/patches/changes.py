"""What a step reports: which place it changed, and under which name."""

from dataclasses import dataclass, field
from typing import NamedTuple


class Span(NamedTuple):
    """Lines that a step replaced: the first (from 1, in the file before the step), how many, and by how many."""

    line: int
    old: int
    new: int


@dataclass(frozen=True, slots=True)
class Change:
    """One place that a step changed, for the reports.

    step: the step's number in the recipe's list, from 1. name: its name, or a title made from what it looks for.
    path: in the workspace; of a renamed file the new one. line: from 1, in the file as it was before this step;
    0 for the file as a whole. new_line: where that is when all steps are done; 0 for the whole file, and where a
    later step took the file away. before, after: the whole lines of the place, with this place alone changed; bytes
    that are no text stand as \\xNN. note: what the lines do not say ("new file", a hunk's offset). spans: the lines
    that were replaced.
    """

    step: int
    name: str
    path: str
    line: int
    before: str
    after: str
    note: str = ""
    new_line: int = 0
    spans: tuple[Span, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Where:
    """The step that is being carried out, as errors name it. place: its file and line in the recipe, if known."""

    number: int
    title: str
    place: str = ""

    def __str__(self) -> str:
        return f"{self.place}{': ' if self.place else ''}patch step {self.number} ({self.title})"

    def change(
        self, path: str, line: int, before: str, after: str, note: str = "", spans: tuple[Span, ...] = ()
    ) -> Change:
        return Change(self.number, self.title, path, line, before, after, note, spans=spans)
