"""Code that is there twice after a migration and was not before: what a rewrite in code of several cards would make."""

import ast
from collections import Counter
from collections.abc import Iterator

from portside.common.tree import Tree

COUNTS = ("chains", "lists", "operands", "methods", "assignments")
"""chains: two equal tests in one chain of if and elif. lists: two equal elements of a list, tuple, set or table.
operands: two equal operands of one `and` or `or`. methods: two methods of one name in a class. assignments: to a
function of torch's module for the card."""

_CARDS = frozenset(["npu", "mlu", "musa", "xpu", "hpu"])


def added(before: Tree, after: Tree) -> dict[str, list[str]]:
    """Of each count the places that are new."""
    out: dict[str, list[str]] = {name: [] for name in COUNTS}
    for entry in after.files():
        if not entry.path.endswith(".py") or entry is before[entry.path]:
            continue
        old, new = _found(before[entry.path].read()), _found(entry.read())
        for name in COUNTS:
            known = Counter(text for _, text in old[name])
            fresh = [(line, text) for line, text in new[name] if not known[text]]
            more = len(new[name]) - len(old[name])  # what was there twice is so under its new name
            out[name] += [f"{entry.path}:{line}: {text}" for line, text in fresh[: max(0, more)]]
    return out


def _found(data: bytes) -> dict[str, list[tuple[int, str]]]:
    out: dict[str, list[tuple[int, str]]] = {name: [] for name in COUNTS}
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError):
        return out
    for node in ast.walk(tree):
        for name, text in _of(node):
            out[name].append((getattr(node, "lineno", 0), text))
    return out


def _of(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.If):
        yield from (("chains", text) for text in _doubles(list(_tests(node))))
    elif isinstance(node, ast.BoolOp):
        yield from (("operands", text) for text in _doubles(node.values))
    elif isinstance(node, ast.List | ast.Tuple | ast.Set):
        yield from (("lists", text) for text in _doubles(node.elts) if _names_card(text))
    elif isinstance(node, ast.Dict):
        yield from (("lists", text) for text in _doubles([key for key in node.keys if key]) if _names_card(text))
    elif isinstance(node, ast.ClassDef):
        names = Counter(inner.name for inner in node.body if isinstance(inner, ast.FunctionDef))
        yield from (("methods", name) for name, count in names.items() if count > 1 and name in _CARDS)
    elif isinstance(node, ast.Assign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from (("assignments", text) for text in map(ast.unparse, targets) if _is_function(text))


def _tests(node: ast.If) -> Iterator[ast.expr]:
    yield node.test
    while len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
        node = node.orelse[0]
        yield node.test


def _doubles(nodes: list[ast.expr]) -> list[str]:
    counts = Counter(ast.unparse(node) for node in nodes)
    return [text for text, count in counts.items() if count > 1]


def _names_card(text: str) -> bool:
    return any(card in text for card in (*_CARDS, "cuda", "nccl", "hccl", "cncl"))


def _is_function(text: str) -> bool:
    parts = text.split(".")
    return len(parts) > 2 and parts[0] == "torch" and parts[1] in _CARDS
