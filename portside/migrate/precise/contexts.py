"""What a string literal is for, judged by what stands around it in the AST."""

import ast
import re
from collections.abc import Sequence
from itertools import islice
from typing import Literal

Use = Literal[
    "device", "question", "backend", "key", "table", "path", "message", "attribute", "flag", "docstring", "unknown"
]

_DEVICE = re.compile(
    r"(?i)(?:^|_)(?:dev|devs|devices?|device_?(?:type|name|str|string|id|ids|map|list|index)s?|map_location|"
    r"accelerator_?type)(?:_|$|\d)|device$|Device(?:s|Type|Map|Name|Str)?$"
)
_BACKEND = re.compile(r"(?i)(?:^|_)backends?(?:_|$)|backend$")
_CALLS_WITH_DEVICE = frozenset(
    [
        *("to", "to_empty", "device", "Device", "set_default_device", "Generator", "DeviceMesh"),
        *("autocast", "GradScaler", "is_autocast_enabled", "is_autocast_available", "get_autocast_dtype"),
        "get_device_module",
        *("set_autocast_enabled", "set_autocast_dtype"),
    ]
)
_TEXT_METHODS = frozenset(["startswith", "endswith", "find", "index", "count", "split", "replace", "strip"])
_PATH_CALLS = frozenset(
    ["join", "Path", "PurePath", "open", "exists", "isfile", "isdir", "listdir", "joinpath", "glob"]
)
_MESSAGE_CALLS = frozenset(
    ["print", "debug", "info", "warning", "warn", "error", "exception", "critical", "log", "warning_once", "write"]
)
_ATTRIBUTE_CALLS = frozenset(["hasattr", "getattr", "setattr", "delattr"])
_FIELD_CALLS = frozenset(["field", "Field", "attrib", "ib", "Option", "Argument", "Parameter", "param", "PrivateAttr"])
"""Calls that stand for the value of the variable or list that they are in: fields of data classes (dataclasses, attrs,
pydantic), options (typer), `pytest.param`."""
_NAMED_BY_TEXT = frozenset(["add_argument", "add_option", "option"])
"""Calls whose texts name what they define: argparse, optparse, click; those of absl begin with DEFINE_."""
_LIST_METHODS = frozenset(["append", "add", "insert", "extend", "remove"])
_KEY_METHODS = frozenset(["get", "pop", "setdefault"])
_DEVICE_SIBLINGS = frozenset(["cpu", "cuda", "mps", "xpu", "npu", "mlu", "tpu", "xla", "ipu", "hpu", "meta", "auto"])
_BACKEND_SIBLINGS = frozenset(["gloo", "nccl", "mpi", "ccl", "hccl", "cncl", "smddp"])
_TABLE_KEYS = (_DEVICE_SIBLINGS | _BACKEND_SIBLINGS) - {"auto", "meta"}


def last_name(node: ast.AST) -> str:
    """The last identifier of an expression: `self.a.b` -> b, `f(x)` -> f, `x["k"]` -> k or x."""
    while True:
        if isinstance(node, ast.Name):
            return node.id
        if isinstance(node, ast.Attribute):
            return node.attr
        if isinstance(node, ast.Call):
            if last_name(node.func) in ("str", "repr", "lower", "strip") and (
                node.args or isinstance(node.func, ast.Attribute)
            ):
                inner = node.args[0] if node.args else node.func
                node = inner.value if isinstance(inner, ast.Attribute) and not node.args else inner
                continue
            return last_name(node.func)
        if isinstance(node, ast.Subscript):
            if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
                return node.slice.value
            node = node.value
            continue
        return node.arg if isinstance(node, ast.arg) else ""


def named_use(name: str) -> Use | None:
    """What a name (of a variable, parameter, key, function) says about its value."""
    if _DEVICE.search(name):
        return "device"
    return "backend" if _BACKEND.search(name) else None


def expression_use(node: ast.AST) -> Use | None:
    """What an expression that a literal is compared with, or combined with, says about the literal."""
    if isinstance(node, ast.Attribute) and node.attr == "type":
        return "device"
    text = _text_of(node)
    if text is not None:
        if text.partition(":")[0] in _DEVICE_SIBLINGS:
            return "device"
        return "backend" if text in _BACKEND_SIBLINGS else None
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return next(filter(None, map(expression_use, node.elts)), None)
    if isinstance(node, ast.IfExp):
        return expression_use(node.body) or expression_use(node.orelse)
    return named_use(last_name(node))


def _text_of(node: ast.AST) -> str | None:
    """The text of a literal, or how the text begins that is made from one (`f"cuda:{i}"`, `"cuda:" + i`)."""
    if isinstance(node, ast.BinOp):
        node = node.left
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        node = node.func.value
    elif isinstance(node, ast.JoinedStr) and node.values:
        node = node.values[0]
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


Siblings = dict[ast.AST, list[tuple[ast.AST, Use]]]
"""Of a list of any length, the first two elements that tell what the others are; collected once per list."""


def use_of(node: ast.expr, parents: Sequence[ast.AST], siblings: Siblings) -> Use:
    """What the literal `node` is for; parents: the nodes around it, outermost first."""
    inner: ast.AST = node
    below: ast.AST = node
    for parent in reversed(parents):
        use = _step(inner, parent, siblings)
        if use is None and isinstance(parent, ast.Assign):
            use = _unpacked(below, inner, parent)
        elif use is None and isinstance(parent, ast.Return):
            use = _returned(parents)
        if use is not None:
            return "question" if use == "device" and _asks(parents) else use
        if isinstance(parent, ast.stmt):
            break
        below, inner = inner, parent
    return "unknown"


def _unpacked(element: ast.AST, value: ast.AST, assign: ast.Assign) -> Use | None:
    """`device, dtype = "cuda", torch.half`"""
    for target in assign.targets:
        if isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
            pairs = zip(target.elts, value.elts, strict=False)
            starred = any(isinstance(item, ast.Starred) for item in (*target.elts, *value.elts))
            if not starred and len(target.elts) == len(value.elts):
                return next((named_use(last_name(name)) for name, item in pairs if item is element), None)
    return None


def _returned(parents: Sequence[ast.AST]) -> Use | None:
    """What the name of the function around says about what it returns."""
    functions = (node for node in reversed(parents) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return next((named_use(function.name) for function in functions), None)


def _asks(parents: Sequence[ast.AST]) -> bool:
    """Whether the innermost parents compare with the literal as it is; an assertion does not ask."""
    for parent in reversed(parents):
        if isinstance(parent, ast.Call):
            return isinstance(parent.func, ast.Attribute) and parent.func.attr in _TEXT_METHODS
        if isinstance(parent, ast.Compare | ast.Match):
            return not any(isinstance(outer, ast.Assert) for outer in parents)
        if not isinstance(parent, ast.List | ast.Tuple | ast.Set):
            return False
    return False


def _step(inner: ast.AST, parent: ast.AST, siblings: Siblings) -> Use | None:
    """What one parent says; None: ask the next one."""
    if isinstance(parent, ast.keyword):
        if parent.arg in ("default", "default_factory", "choices", "const", "help", "dest"):
            return "message" if parent.arg in ("help", "dest") else None
        asks = parent.arg in (None, "type")
        return (named_use(parent.arg) if parent.arg else None) or (None if asks else "unknown")
    if isinstance(parent, ast.Call):
        return _call(inner, parent)
    if isinstance(parent, ast.Compare):
        return next(
            filter(None, (expression_use(e) for e in (parent.left, *parent.comparators) if e is not inner)), "unknown"
        )
    if isinstance(parent, ast.IfExp | ast.BoolOp | ast.List | ast.Tuple | ast.Set):
        if parent not in siblings:
            among = (parent.body, parent.orelse) if isinstance(parent, ast.IfExp) else ast.iter_child_nodes(parent)
            told = ((child, use) for child in among if (use := expression_use(child)) is not None)
            siblings[parent] = list(islice(told, 2))
        return next((use for child, use in siblings[parent] if child is not inner), None)
    if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Add) and isinstance(inner, ast.List | ast.Tuple):
        return expression_use(parent.right if inner is parent.left else parent.left)
    if isinstance(parent, ast.Subscript):
        return "device" if last_name(parent.value) == "Literal" else "key"
    if isinstance(parent, ast.Dict):
        return _in_dict(inner, parent)
    if isinstance(parent, ast.arguments):
        return _default(inner, parent)
    return _statement(inner, parent)


def _statement(inner: ast.AST, parent: ast.AST) -> Use | None:
    if isinstance(parent, ast.Assign):
        return next(filter(None, (named_use(last_name(target)) for target in parent.targets)), None)
    if isinstance(parent, ast.AnnAssign | ast.AugAssign | ast.NamedExpr):
        return named_use(last_name(parent.target))
    if isinstance(parent, ast.Expr) and inner is parent.value and isinstance(inner, ast.Constant):
        return "docstring"
    if isinstance(parent, ast.Raise | ast.Assert):
        return "message"
    if isinstance(parent, ast.Match):
        return expression_use(parent.subject)
    return None


def _call(inner: ast.AST, call: ast.Call) -> Use | None:
    name = last_name(call.func)
    if name in _NAMED_BY_TEXT or name.startswith("DEFINE_"):
        use = _option(inner, call, absl=name.startswith("DEFINE_"))
        if use is not None:
            return use
    if inner is call.func or name in _FIELD_CALLS:
        return None
    if name == "init_process_group":
        return "backend"
    if name in _ATTRIBUTE_CALLS:
        return "attribute"
    if name in _MESSAGE_CALLS:
        return "message"
    if isinstance(call.func, ast.Attribute) and name in _TEXT_METHODS:
        return expression_use(call.func.value) or "unknown"
    if isinstance(call.func, ast.Attribute) and name in _KEY_METHODS and inner in call.args[:1]:
        return "key"
    if name in _PATH_CALLS:
        return "path"
    if isinstance(call.func, ast.Attribute) and name in _LIST_METHODS:
        return named_use(last_name(call.func.value)) or "unknown"
    if name in _CALLS_WITH_DEVICE:
        return "device"
    if name.startswith("assert"):
        return next(filter(None, (expression_use(arg) for arg in call.args if arg is not inner)), "unknown")
    if name == "parametrize" and call.args and inner is not call.args[0]:
        first = call.args[0]
        return (
            named_use(first.value) if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
        ) or "unknown"
    return named_use(name) or "unknown"


def _option(inner: ast.AST, call: ast.Call, absl: bool) -> Use | None:
    """What a command-line option's name says about its default and choices; None where the texts name no option."""
    texts = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    names = texts[:1] if absl else texts
    if last_name(call.func) == "option" and not any(text.startswith("-") for text in names):
        return None
    if inner in call.args and (not absl or inner is call.args[0]):
        return "flag"
    return next(filter(None, (named_use(name.lstrip("-").replace("-", "_")) for name in names)), "unknown")


def _in_dict(inner: ast.AST, parent: ast.Dict) -> Use | None:
    for key, value in zip(parent.keys, parent.values, strict=True):
        if key is inner:
            others = (_text_of(other) for other in parent.keys if other is not None and other is not inner)
            is_table = any(text.partition(":")[0] in _TABLE_KEYS for text in others if text is not None)
            return "table" if is_table or _text_of(value) in _BACKEND_SIBLINGS else "key"
        if value is inner:
            return named_use(key.value) if isinstance(key, ast.Constant) and isinstance(key.value, str) else None
    return None


def _default(inner: ast.AST, parent: ast.arguments) -> Use | None:
    positional = [*parent.posonlyargs, *parent.args]
    pairs = [
        *zip(positional[::-1], parent.defaults[::-1], strict=False),
        *zip(parent.kwonlyargs, parent.kw_defaults, strict=True),
    ]
    return next((named_use(arg.arg) or "unknown" for arg, default in pairs if default is inner), None)
