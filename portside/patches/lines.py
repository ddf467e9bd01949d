"""Where a line of the tree before all steps, or between two of them, stands when all steps are done."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from portside.patches.changes import Change, Span
from portside.patches.workspace import FileEdit


@dataclass(frozen=True, slots=True)
class _Moves:
    """One step. spans: by path, what it replaced. gone: paths whose lines no longer stand there."""

    spans: dict[str, list[Span]]
    gone: frozenset[str]

    def line(self, path: str, line: int) -> int:
        if not line or path in self.gone:
            return 0
        spans = self.spans.get(path, [])
        shift = sum(span.new - span.old for span in spans if span.line + span.old <= line)
        inside = [span for span in spans if span.line <= line < span.line + span.old]
        return shift + min([line, *(span.line + max(span.new - 1, 0) for span in inside)])


@dataclass(slots=True)
class MovedLines:
    """The line numbers that steps have moved; to be told of each step in turn, of a series of each commit."""

    _steps: list[_Moves] = field(default_factory=list)
    _after: list[int] = field(default_factory=list)
    """For each change, how many steps and commits had been told with the one that it belongs to."""

    def add(self, edits: Sequence[FileEdit], changes: Sequence[Change]) -> None:
        spans: dict[str, list[Span]] = {}
        for change in changes:
            if change.spans:
                spans.setdefault(change.path, []).extend(change.spans)
        # Edits of lines have spans; a change of the mode alone starts from the very file.
        gone = {e.path for e in edits if e.data is None or (e.path not in spans and e.origin != e.path)}
        self._steps.append(_Moves(spans, frozenset(gone)))
        self._after += [len(self._steps)] * len(changes)

    def follow(self, path: str, line: int, after: int = 0) -> int:
        """Where a line, as it was after `after` of them, stands in the end; 0 where it is gone."""
        for moves in self._steps[after:]:
            line = moves.line(path, line)
        return line

    def placed(self, changes: Sequence[Change]) -> tuple[Change, ...]:
        """All changes that were told, in their order, with their lines in the end."""
        told = zip(changes, self._after, strict=True)
        return tuple(replace(change, new_line=self._place(change, after)) for change, after in told)

    def _place(self, change: Change, after: int) -> int:
        if not change.line:
            return 0
        before = [span for span in self._steps[after - 1].spans.get(change.path, []) if span.line < change.line]
        here = change.line + sum(span.new - span.old for span in before)
        return self.follow(change.path, here, after)
