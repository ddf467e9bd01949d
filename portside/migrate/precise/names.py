"""Which name means what: imports, their aliases, and the rules' names behind them."""

import ast
import re
from dataclasses import dataclass

from portside.migrate.precise.compiled import NewName, Rules

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True, slots=True)
class Alias:
    """What a name of the module stands for: in the source, and after the migration."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Chain:
    """`a.b.c` whose first name is imported. old: the full dotted name; attributes: those in the text, with
    the offsets where each starts. holder: the object in `self.torch.cuda.x`, whose attribute is the module."""

    old: str
    alias: Alias
    root: str
    start: int
    end: int
    attributes: tuple[tuple[str, int], ...]
    holder: ast.expr | None = None


def look_up(rules: Rules, dotted: str) -> tuple[NewName, str] | None:
    """The rule for a name and the name's part that the rule names: the longest one wins."""
    name = dotted
    while name:
        target = rules.apis.get(name)
        if target is not None:
            other = _other(rules, dotted, name)
            return other or (target, name)
        name = name.rpartition(".")[0]
    return _other(rules, dotted, "")


def _other(rules: Rules, dotted: str, known: str) -> tuple[NewName, str] | None:
    """The rule for names that no rule knows, where `known` is no more than the module itself."""
    for module, target in rules.others.items():
        if dotted.startswith(module + ".") and len(known) <= len(module):
            end = dotted.find(".", len(module) + 1)
            return target, dotted if end < 0 else dotted[:end]
    return None


class Shadows:
    """Whether a function binds a name itself, so that the module's import of it is not meant there."""

    def __init__(self, utf8: bytes) -> None:
        self._utf8 = utf8
        self._possible: dict[str, bool] = {}
        self._bound: dict[Function, set[str]] = {}  # the keys keep functions of f-strings alive: ids are used again

    def hides(self, name: str, functions: list[Function]) -> bool:
        if not functions or not self._may_be_bound(name):
            return False
        return any(name in self._names(function) for function in functions)

    def _may_be_bound(self, name: str) -> bool:
        if name not in self._possible:
            pattern = rb"(?<![\w.])%s\s*(?:=(?!=)|,|\)|:|\bin\b)|\*%s\b|\bas\s+%s\b" % ((name.encode(),) * 3)
            self._possible[name] = re.search(pattern, self._utf8) is not None
        return self._possible[name]

    def _names(self, function: Function) -> set[str]:
        known = self._bound.get(function)
        if known is not None:
            return known
        bound: set[str] = set()
        imported: set[str] = set()
        elsewhere: set[str] = set()
        for node in ast.walk(function):
            if isinstance(node, ast.arg):
                bound.add(node.arg)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                bound.add(node.id)
            elif isinstance(node, ast.alias):
                imported.add((node.asname or node.name).partition(".")[0])
            elif isinstance(node, ast.Global | ast.Nonlocal):
                elsewhere.update(node.names)
        self._bound[function] = bound - imported - elsewhere
        return self._bound[function]
