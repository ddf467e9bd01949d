"""Calls that name the device only after the migration: `autocast()` becomes `autocast("xpu")`."""

import ast
import re

from portside.migrate.precise.compiled import NewName
from portside.migrate.precise.found import Found
from portside.migrate.precise.source import Edit
from portside.migrate.precise.walk import Walk

_OPEN = re.compile(rb"[ \t\f]*\(")
_OF_DEVICE = ("device", "device_type")


def judge_first(walk: Walk, node: ast.AST, target: NewName, name: str, edits: tuple[Edit, ...]) -> None:
    """Judge one place of a function or method whose calls get a first argument.

    node: the function's name, or the attribute that is it; edits: what its name becomes. It is rewritten where it is
    called with nothing that could take the new argument's place.
    """
    assert isinstance(node, ast.Name | ast.Attribute)
    start, end = walk.span(node)
    if isinstance(node, ast.Attribute) and name.startswith("."):
        start = end - len(node.attr.encode())
    call = _call_of(walk, node)
    opening = _OPEN.match(walk.lines.utf8, end)
    if call is None or opening is None or walk.base is not None:  # a field of an f-string may have its quotes around it
        note = f"Where it is called, write {target.to}({target.first}, …) by hand."
        walk.add(Found(start, end, "needs-person", target.rule, name, note=note))
    elif call.args or any(keyword.arg in _OF_DEVICE for keyword in call.keywords):
        note = f"Write {target.to}({target.first}, …) by hand: its arguments stand in another order."
        walk.add(Found(start, end, "needs-person", target.rule, name, note=note))
    else:
        first = target.first + (", " if call.keywords else "")
        new = (*edits, Edit(opening.end(), opening.end(), first.encode()))
        walk.add(Found(start, opening.end(), "rewritten", target.rule, name, new, device=target.device))


def _call_of(walk: Walk, node: ast.expr) -> ast.Call | None:
    """The call whose function the node is; the walk is at the call itself, or below it."""
    for around in (walk.node, *walk.parents[-1:]):
        if isinstance(around, ast.Call) and around.func is node:
            return around
    return None
