"""Names of torch that the code asks for as texts, and devices that are bare numbers."""

import ast

from portside.migrate.precise.contexts import last_name
from portside.migrate.precise.found import Found
from portside.migrate.precise.names import Chain, look_up
from portside.migrate.precise.source import Edit
from portside.migrate.precise.walk import Walk

REPLACED = "This replaces a function of the device: see whether the card's is to be replaced too."
_ASKING = frozenset(["getattr", "hasattr"])
_REPLACING = frozenset(["setattr", "delattr", "object"])
"""`setattr(torch.cuda, "x", f)`, a test's `monkeypatch.setattr` and `patch.object`."""


def of_card(walk: Walk, name: str) -> bool:
    """Whether a name is below the module that has the device's functions."""
    return any(name.startswith(f"{module}.") for module in walk.rules.others)


def judge_member(walk: Walk, call: ast.Call, chain: Chain | None) -> None:
    """`getattr(torch.cuda, "nvtx")` is judged as the function that it names; a name that is made up at run time is a
    person's, unless what it is called says that it is a type of numbers. chain: the first argument, if it is an
    imported name."""
    function = last_name(call.func)
    if function not in _ASKING | _REPLACING or chain is None or chain.old.partition(".")[0] != "torch":
        return
    name = call.args[1]
    if isinstance(name, ast.Constant):
        if isinstance(name.value, str):
            may_lack = function == "hasattr" or (function == "getattr" and len(call.args) > 2)
            guard = f"{function} (line {call.lineno})" if may_lack and walk.base is None else ""
            _named(walk, name, f"{chain.old}.{name.value}", function, guard, call.args[0])
        return
    is_module = chain.old == "torch" or chain.old in walk.rules.others
    if walk.rules.dynamic and is_module and "dtype" not in last_name(name).lower():
        walk.add(Found(*walk.span(call), "needs-person", walk.rules.dynamic, function))


def _named(walk: Walk, node: ast.Constant, name: str, function: str, guard: str, module: ast.expr) -> None:
    """guard: says that the code goes on where the name is missing. module: where it is looked for."""
    found = look_up(walk.rules, name)
    if found is None or found[1] != name:
        return
    rule, part = found
    start, end = walk.span(node)
    tokens = walk.tokens(start, end)
    walk.judged.add(node)
    if rule.cls == "rewritten" and function in _REPLACING and of_card(walk, part):
        walk.judged.add(module)
        walk.add(Found(start, end, "needs-person", rule.rule, part, note=REPLACED))
    elif rule.cls != "rewritten" or len(tokens) != 1:
        cls = "needs-person" if rule.cls == "rewritten" else rule.cls
        walk.add(Found(start, end, cls, rule.rule, part, guard=guard))
    else:
        last = rule.to.rpartition(".")[2].encode()
        token = tokens[0]
        edits = (Edit(token.body_start, token.body_end, last),) if last != name.rpartition(".")[2].encode() else ()
        walk.add(Found(start, end, "rewritten", rule.rule, part, edits, device=rule.device))


def judge_numbers(walk: Walk, call: ast.Call, function: Chain | None) -> None:
    """Devices that are a number: `.to(0)`, `device=0`, `torch.device(0)`. function: what is called, if imported."""
    numbers = [keyword.value for keyword in call.keywords if keyword.arg in ("device", "map_location")]
    is_device = function is not None and function.old == "torch.device"
    if call.args and (is_device or (isinstance(call.func, ast.Attribute) and call.func.attr == "to")):
        numbers.append(call.args[0])
    for value in numbers:
        if isinstance(value, ast.Constant) and type(value.value) is int:
            walk.add(Found(*walk.span(value), "needs-person", walk.rules.index, "bare device number"))
