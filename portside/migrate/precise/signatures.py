"""What the parameters of a source's own functions are for, by their names: `def load(path, device)`."""

import ast
import re
from collections.abc import Iterable, Mapping

from portside.migrate.precise.contexts import Use, named_use

Signatures = Mapping[str, tuple[Use, ...]]
"""Function or class -> what each positional parameter is for."""

NONE: Signatures = {}
_SELF = frozenset(["self", "cls"])


def signatures(names: Iterable[str], files: Iterable[bytes]) -> dict[str, tuple[Use, ...]]:
    """What the functions and classes `names` of the Python files say; nothing of those where two definitions differ."""
    wanted = sorted(names)
    if not wanted:
        return {}
    pattern = re.compile(rb"\b(?:def|class)[ \t]+(?:%s)\b" % "|".join(map(re.escape, wanted)).encode())
    found: dict[str, set[tuple[Use, ...]]] = {name: set() for name in wanted}
    for data in files:
        if pattern.search(data):
            for name, uses in _defined(data):
                if name in found:
                    found[name].add(uses)
    return {name: uses.pop() for name, uses in found.items() if len(uses) == 1}


def _defined(data: bytes) -> Iterable[tuple[str, tuple[Use, ...]]]:
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, _uses(arg.arg for arg in (*node.args.posonlyargs, *node.args.args))
        elif isinstance(node, ast.ClassDef):
            yield node.name, _of_class(node)


def _of_class(node: ast.ClassDef) -> tuple[Use, ...]:
    """The parameters of `__init__`; of a class without one (a data class) its fields."""
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef) and inner.name == "__init__":
            return _uses(arg.arg for arg in (*inner.args.posonlyargs, *inner.args.args))
    fields = (inner.target for inner in node.body if isinstance(inner, ast.AnnAssign))
    return _uses(target.id for target in fields if isinstance(target, ast.Name))


def _uses(names: Iterable[str]) -> tuple[Use, ...]:
    return tuple(named_use(name) or "unknown" for name in names if name not in _SELF)
