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
    """The line numbers that steps have moved; to be told of each step in turn."""

    _steps: list[_Moves] = field(default_factory=list)

    def add(self, edits: Sequence[FileEdit], changes: Sequence[Change]) -> None:
        spans: dict[str, list[Span]] = {}
        for change in changes:
            if change.spans:
                spans.setdefault(change.path, []).extend(change.spans)
        # Edits of lines have spans; a change of the mode alone starts from the very file.
        gone = {e.path for e in edits if e.data is None or (e.path not in spans and e.origin != e.path)}
        self._steps.append(_Moves(spans, frozenset(gone)))

    def follow(self, path: str, line: int, after: int = 0) -> int:
        """Where a line, as it was after the step with the number `after`, stands in the end; 0 where it is gone."""
        for moves in self._steps[after:]:
            line = moves.line(path, line)
        return line

    def placed(self, changes: Sequence[Change]) -> tuple[Change, ...]:
        """The changes with their lines in the end."""
        return tuple(replace(change, new_line=self._place(change)) for change in changes)

    def _place(self, change: Change) -> int:
        if not change.line:
            return 0
        before = [span for span in self._steps[change.step - 1].spans.get(change.path, []) if span.line < change.line]
        here = change.line + sum(span.new - span.old for span in before)
        return self.follow(change.path, here, change.step)
