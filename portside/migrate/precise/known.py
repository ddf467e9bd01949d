"""Places where the source already has the card that the ruleset is for: upstream's own port is left as it is.

A rewrite there would make a second branch for the card before the first one, a list with the same entry twice, a class
with two methods of one name. Such a place is a person's, who sees how upstream chooses the card.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from portside.migrate.precise.compiled import Rules
from portside.migrate.precise.found import Found
from portside.migrate.precise.source import Lines

_PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

NOTE = "The source has the card here already: see how it chooses, and whether this is the way without the card."
TWIN = "The source has a file of its own for the card, {path}: this one is for CUDA."


SHOWN = 3
"""Lines that a file's summary shows."""


class Upstream:
    """What a file says of the card itself. module: its tree. twin: the path of the card's own file beside it, if there
    is one. cards: words for it (`npu`, `hccl`); old: those that rules replace.

    seen: the expressions that mention the card beside a place that was left, in the order in which they were met.
    """

    def __init__(self, rules: Rules, utf8: bytes, module: ast.Module, twin: str = "") -> None:
        self.module = module
        self.twin = twin
        self.cards = frozenset(rules.cards)
        self.old = frozenset(word.lower() for word in (*rules.devices, *rules.backends))
        self.possible = names_card(utf8, rules)
        self.seen: list[ast.expr] = []
        self._told: dict[ast.AST, bool] = {}
        self._other: dict[ast.AST, list[ast.AST]] = {}

    def place(self, node: ast.AST, parents: Sequence[ast.AST]) -> bool:
        """Whether `node` stands beside the card's own name. parents: the nodes around it, outermost first."""
        if self.twin:
            return True
        around = [node, *reversed(parents), self.module]
        return self.possible and any(self._beside(child, parent) for child, parent in pairwise(around))

    def left(self, found: Found) -> Found:
        """What is found at such a place: it stays as it is, and is a person's."""
        note = TWIN.format(path=self.twin) if self.twin else NOTE
        return replace(found, cls="needs-person", edits=(), note=note, device=False)

    def summary(self, lines: Lines) -> str:
        """What the report says of the file: that upstream knows the card, and by which lines; "" where it does not."""
        if self.twin:
            return TWIN.format(path=self.twin)
        first = sorted({node.lineno for node in self.seen if hasattr(node, "lineno")})[:SHOWN]
        shown = "; ".join(
            f"line {line}: {lines.utf8[lines.starts[line - 1] : lines.end_of(line)].decode().strip()}" for line in first
        )
        return f"Upstream knows this card already ({shown})." if self.seen else ""

    def _beside(self, child: ast.AST, parent: ast.AST) -> bool:
        if isinstance(parent, ast.If) and self._all_of(branch.test for branch in _branches(parent)):
            return True
        if isinstance(parent, ast.Try) and self._try(child, parent):
            return True
        for part in (getattr(parent, name, None) for name in ("body", "orelse", "finalbody")):
            if isinstance(part, list) and child in part:
                return self._statements(child, part)
        return self._in_expression(child, parent)

    def _in_expression(self, child: ast.AST, parent: ast.AST) -> bool:
        if isinstance(parent, ast.IfExp):
            return self._any(child, (parent.test, parent.body, parent.orelse))
        if isinstance(parent, ast.BoolOp):
            return self._any(child, parent.values)
        if isinstance(parent, ast.List | ast.Tuple | ast.Set):
            return self._among(child, parent, parent.elts)
        if isinstance(parent, ast.Dict):
            return self._among(child, parent, (*filter(None, parent.keys), *parent.values))
        if isinstance(parent, ast.Call):
            return self._arguments(child, parent)
        if isinstance(parent, ast.Match):
            return self._all_of(case.pattern for case in parent.cases)
        return False

    def _all_of(self, nodes: Iterable[ast.AST]) -> bool:
        """Whether any of them mentions the card; each is looked at, as all are shown."""
        return sum(map(self._mentions, nodes)) > 0

    def _any(self, child: ast.AST, nodes: Iterable[ast.AST]) -> bool:
        return any(node is not child and self._mentions(node) for node in nodes)

    def _among(self, child: ast.AST, parent: ast.AST, elements: Iterable[ast.AST]) -> bool:
        """The same for lists of any length: looked through once."""
        if parent not in self._other:
            self._other[parent] = [element for element in elements if self._mentions(element)]
        return any(element is not child for element in self._other[parent])

    def _arguments(self, child: ast.AST, call: ast.Call) -> bool:
        """`x.replace("cuda", "npu")`, `dict(cuda=1, npu=2)`: texts and keywords beside each other."""
        for value in (*call.args, *(keyword.value for keyword in call.keywords)):
            if isinstance(value, ast.Constant) and value is not child and self._mentions(value):
                return not any(keyword is child and keyword.value is value for keyword in call.keywords)
        return any(keyword is not child and self._is_card(keyword.arg or "") for keyword in call.keywords)

    def _try(self, child: ast.AST, node: ast.Try) -> bool:
        parts = (node.body, node.handlers, node.orelse)
        return any(
            statement is not child and self._mentions(statement)
            for part in parts
            if child not in part or part is node.handlers
            for statement in part
        )

    def _statements(self, child: ast.AST, body: Sequence[ast.stmt]) -> bool:
        """A function, class or variable whose twin for the card stands in the same body; an `if` that asks for what
        rules replace, in a body that asks for the card too (`if x == "cuda": return A`, `if x == "npu": return B`)."""
        if isinstance(child, ast.If):
            asking = [other for other in body if isinstance(other, ast.If) and other is not child]
            return self._asks_old(child) and self._all_of(other.test for other in asking)
        twins = {twin for name in _names(child) for twin in self._twins(name)}
        return bool(twins) and any(
            name.lower() in twins for other in body if other is not child for name in _names(other)
        )

    def _twins(self, name: str) -> Iterator[str]:
        """The names that the card's twin of `name` could have, in small letters; none where it names no device."""
        lower = name.lower()
        if any(piece.lower() in self.old for piece in _PIECE.findall(name)):
            for old in self.old:
                if old in lower:
                    yield from (lower.replace(old, card) for card in self.cards)

    def _asks_old(self, node: ast.If) -> bool:
        return any(_mentions(branch.test, self.old | {"cuda"}) for branch in _branches(node))

    def _mentions(self, node: ast.AST) -> bool:
        known = self._told.get(node)
        if known is None:
            known = self._told[node] = _mentions(node, self.cards)
        if known and isinstance(node, ast.expr) and node not in self.seen:
            self.seen.append(node)
        return known

    def _is_card(self, name: str) -> bool:
        return any(piece.lower() in self.cards for piece in _PIECE.findall(name))


def names_card(utf8: bytes, rules: Rules) -> bool:
    """Whether a text has a word for the card at all."""
    lower = utf8.lower() if rules.cards else b""
    return any(word.encode() in lower for word in rules.cards)


def twins(paths: Iterable[str], rules: Rules) -> dict[str, str]:
    """Files whose twin for the card lies in the tree (`cuda_accelerator.py` -> `npu_accelerator.py`)."""
    there = {path.lower(): path for path in paths}
    out: dict[str, str] = {}
    for path in paths:
        lower = path.lower()
        for old in rules.devices:
            if old in lower:
                new = (lower.replace(old, card) for card in rules.cards)
                out.update((path, there[name]) for name in new if name in there)
    return out


def _branches(node: ast.If) -> Iterator[ast.If]:
    branch = node
    yield branch
    while len(branch.orelse) == 1 and isinstance(branch.orelse[0], ast.If):
        branch = branch.orelse[0]
        yield branch


def _names(node: ast.AST) -> list[str]:
    """What a statement defines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return [node.target.id] if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) else []


def _mentions(node: ast.AST, words: frozenset[str]) -> bool:
    """Whether a text, a name or an attribute in an expression or statement is one of the words, or holds one as a
    piece (`is_npu_available`, `HcclBackend`, `"npu:0"`)."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant):
            text = inner.value
            if isinstance(text, str) and len(text) < 200 and not words.isdisjoint(_text_words(text)):
                return True
            continue
        for field in ("id", "attr", "name", "module"):
            name = getattr(inner, field, None)
            if isinstance(name, str) and any(piece.lower() in words for piece in _PIECE.findall(name)):
                return True
    return False


def _text_words(text: str) -> tuple[str, ...]:
    """A text that as a whole is a device or names one: its parts before a number (`npu:0`), of a dotted name."""
    return tuple(piece.lower() for piece in re.split(r"[:.,/ _-]", text))
