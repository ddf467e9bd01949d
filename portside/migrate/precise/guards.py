"""What stands around a place so that it may never be reached on the card: a `try`, a question about the device or the
version. Whoever reads the report sees it, and an unsupported name there does not stop a build by itself."""

import ast
import re
from collections.abc import Sequence
from itertools import pairwise

from portside.migrate.precise.contexts import expression_use, last_name
from portside.migrate.precise.source import Lines

_LONGEST = 80
_QUESTION = re.compile(r"(?:^|_)(?:is_\w*available|available|device_count|hasattr|find_spec|is_cuda|is_npu|is_mlu)$")
_VERSION = re.compile(r"(?i)version|_greater|_ge_|_gte_|_lt_|parse_version")


def guard_of(node: ast.AST, parents: Sequence[ast.AST], lines: Lines) -> str:
    """The innermost guard of `node` as text with its line (`if torch.cuda.is_available() (line 12)`), "" where there
    is none. parents: the nodes around it, outermost first."""
    for child, parent in pairwise([node, *reversed(parents)]):
        question = _around(child, parent)
        if question is not None:
            return _shown(question, parent, lines)
    return ""


def _around(child: ast.AST, parent: ast.AST) -> ast.expr | ast.Try | None:
    """The question or `try` that `parent` puts before `child`."""
    if isinstance(parent, ast.Try):
        return parent if parent.handlers and child in parent.body else None
    if isinstance(parent, ast.If | ast.While):
        return parent.test if child in parent.body and asks(parent.test) else None
    if isinstance(parent, ast.IfExp):
        return parent.test if child is parent.body and asks(parent.test) else None
    if isinstance(parent, ast.BoolOp) and isinstance(parent.op, ast.And) and child in parent.values:
        before = parent.values[: parent.values.index(child)]
        return next((value for value in before if asks(value)), None)
    return None


def asks(test: ast.expr) -> bool:
    """Whether an expression asks for a device, for what a library has, or for a version."""
    for node in ast.walk(test):
        if isinstance(node, ast.Call | ast.Attribute | ast.Name):
            name = last_name(node.func if isinstance(node, ast.Call) else node)
            if _QUESTION.search(name) or _VERSION.search(name):
                return True
        elif isinstance(node, ast.Compare) and "device" in map(expression_use, (node.left, *node.comparators)):
            return True
    return False


def _shown(question: ast.expr | ast.Try, parent: ast.AST, lines: Lines) -> str:
    """As the source spells it: what `ast.unparse` writes differs between versions of Python."""
    line = parent.lineno if isinstance(parent, ast.stmt | ast.expr) else 0
    if isinstance(question, ast.Try):
        return f"try (line {line})"
    assert question.end_lineno is not None and question.end_col_offset is not None
    start = lines.offset(question.lineno, question.col_offset)
    end = lines.offset(question.end_lineno, question.end_col_offset)
    text = " ".join(lines.utf8[start:end].decode().split())
    word = "while" if isinstance(parent, ast.While) else "if" if isinstance(parent, ast.If | ast.IfExp) else "after"
    shown = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return f"{word} {shown} (line {line})"
