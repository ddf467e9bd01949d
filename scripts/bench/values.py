"""What a run found out: series of values, and ratios between them."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Goal:
    """The median of `series`, divided by that of `over` or less that of `beyond`, shall be at most `limit`."""

    series: str
    limit: float
    over: str | None = None
    beyond: str | None = None


@dataclass
class Table:
    """What one case measured.

    name: the case's letter and what tells its tables apart, such as `b1`. series: what was measured -> its values, one
    per round, in `unit`; those that could not be measured are absent, and `notes` says why.
    """

    name: str
    title: str
    unit: str = "s"
    series: dict[str, list[float]] = field(default_factory=dict)
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    growing: str | None = None
    """What grows from series to series, such as `files`; then each series is named by a number of them."""
    load: float | None = None
    """Of the machine in the minute before the end."""

    def add(self, name: str, value: float) -> None:
        self.series.setdefault(name, []).append(round(value, 4))

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def median(self, name: str) -> float:
        return median(self.series[name])

    def ratios(self) -> dict[str, float]:
        """The first series' median over that of each other one; none for what grows or is a ratio itself."""
        if self.growing is not None or self.unit == "x" or not self.series:
            return {}
        first, *others = self.series
        return {name: self.median(first) / self.median(name) for name in others if self.median(name) > 0}

    def verdicts(self) -> Iterable[tuple[Goal, float]]:
        """Each goal that this run can say something about, with what was measured."""
        for goal in self.goals:
            needs = [goal.series, *(name for name in (goal.over, goal.beyond) if name is not None)]
            if any(not self.series.get(name) for name in needs):
                continue
            over = 1.0 if goal.over is None else self.median(goal.over)
            less = 0.0 if goal.beyond is None else self.median(goal.beyond)
            if over > 0:
                yield goal, (self.median(goal.series) - less) / over

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def table_of(value: dict[str, Any]) -> Table:
    """The reverse of `Table.as_json`."""
    return Table(**{**value, "goals": [Goal(**goal) for goal in value["goals"]]})


def exponent(points: dict[float, float]) -> float:
    """How values grow: 1 is as fast as what they grow with, 2 its square. The slope of least squares in logarithms.

    points: size -> value, all above 0; at least two sizes.
    """
    from math import log

    xs, ys = [log(size) for size in points], [log(value) for value in points.values()]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)
