"""What everything that judges a node knows of the walk: where it is, what was found, what stands around."""

import ast
from bisect import bisect_left
from dataclasses import replace

from portside.migrate.precise.compiled import Rules
from portside.migrate.precise.contexts import Siblings
from portside.migrate.precise.found import Found
from portside.migrate.precise.guards import guard_of
from portside.migrate.precise.imports import Imports
from portside.migrate.precise.known import Upstream
from portside.migrate.precise.lexer import Token
from portside.migrate.precise.names import Function, Shadows
from portside.migrate.precise.signatures import Signatures
from portside.migrate.precise.source import Lines


class Walk:
    """Collects `found`, the functions around each place that needs the device (`needs`), the functions whose parameters
    would say what a text is (`asked`), and what strings are for (`uses`: start of the token -> rule).

    signatures: what is known of those functions. judged: literals that were judged with what they stand in.
    node: the one that is visited; parents: those above it. starts: where the string tokens begin, sorted.
    base: of a field of an f-string, which is parsed alone, its lines and the offset of its text; field_depth: how many
    parents the outermost such field has. glued: how many parents the field has whose value is a piece of a longer word.
    """

    def __init__(
        self,
        lines: Lines,
        rules: Rules,
        imports: Imports,
        strings: dict[int, Token],
        marked: list[int],
        known: Upstream,
        signatures: Signatures,
    ) -> None:
        self.lines = lines
        self.rules = rules
        self.imports = imports
        self.strings = strings
        self.starts = sorted(strings)
        self.marked = marked
        self.known = known
        self.signatures = signatures
        self.asked: set[str] = set()
        self.judged: set[ast.AST] = set()
        self.node: ast.AST = known.module
        self.found: list[Found] = []
        self.needs: list[tuple[Function, ...]] = []
        self.uses: dict[int, str] = {}
        self.parents: list[ast.AST] = []
        self.functions: list[Function] = []
        self.siblings: Siblings = {}
        self.shadows = Shadows(lines.utf8)
        self.base: tuple[Lines, int] | None = None
        self.glued: int | None = None
        self.field_depth = 0

    def span(self, node: ast.expr | ast.alias | ast.keyword | ast.stmt) -> tuple[int, int]:
        """Offsets of a node, also of one that was parsed out of an f-string."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        lines, base = self.base or (self.lines, 0)
        start = lines.offset(node.lineno, node.col_offset) + base
        return start, lines.offset(node.end_lineno, node.end_col_offset) + base

    def add(self, found: Found) -> None:
        if found.edits and self.known.place(self.node, self.parents):
            found = self.known.left(found)
        if found.cls in ("unsupported", "needs-person"):
            found = replace(found, guard=found.guard or self._guard())
        if not found.note and found.rule in self.rules.notes:
            found = replace(found, note=self.rules.notes[found.rule])
        self.found.append(found)
        if found.device:
            self.needs.append(tuple(self.functions))

    def _guard(self) -> str:
        if self.base is None:
            return guard_of(self.node, self.parents, self.lines)
        outer = self.parents[: self.field_depth]
        return guard_of(outer[-1], outer[:-1], self.lines) if outer else ""

    def is_part_of_text(self) -> bool:
        """Whether what is visited is the value of a field in an f-string that makes a longer word of it."""
        above = self.parents[self.glued :] if self.glued is not None else []
        return self.glued is not None and all(isinstance(parent, ast.IfExp | ast.BoolOp) for parent in above)

    def tokens(self, start: int, end: int) -> list[Token]:
        """The string tokens that a node is written with, none of them inside another."""
        first = self.strings.get(start)
        if first is not None and first.end == end:
            return [first]
        out: list[Token] = []
        for number in range(bisect_left(self.starts, start), bisect_left(self.starts, end)):
            token = self.strings[self.starts[number]]
            if token.end <= end and (not out or token.start >= out[-1].end):
                out.append(token)
        return out
