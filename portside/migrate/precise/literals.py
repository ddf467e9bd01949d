"""String literals: devices, backends, environment variables; and what the others are for."""

import ast
import re
from dataclasses import replace

from portside.migrate.precise.compiled import NewName
from portside.migrate.precise.contexts import Use, last_name, use_of
from portside.migrate.precise.found import Found, rename
from portside.migrate.precise.lexer import Token
from portside.migrate.precise.names import look_up
from portside.migrate.precise.source import Edit
from portside.migrate.precise.walk import Walk

_LITERAL = re.compile(r"([A-Za-z_]\w*)(:(?:\d+|%[ds]|\{\w*\})?)?")
_PAIRS = re.compile(r"\w+:\w+(,\w+:\w+)*")
_ASSIGNMENT = re.compile(rb"(?<![\w$.-])([A-Z][A-Z0-9_]*)(?==)")
_QUALIFIED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")

KEPT_RULES = {
    "docstring": "docstring",
    "key": "key",
    "path": "path",
    "message": "text",
    "flag": "flag",
    "attribute": "text",
}


def judge_string(walk: Walk, node: ast.Constant) -> None:
    """Record what a literal is; edits only those that are a device or backend as a whole."""
    if node in walk.judged:
        return
    start, end = walk.span(node)
    tokens = walk.tokens(start, end)
    use: Use = "unknown" if walk.is_part_of_text() else use_of(node, walk.parents, walk.siblings)
    if use == "unknown" and isinstance(node.value, str):
        use = _as_argument(walk, node, node.value)
    value = node.value
    if isinstance(value, str) and use != "docstring" and len(tokens) == 1:
        token = tokens[0]
        body = walk.lines.utf8[token.body_start : token.body_end]
        plain = "b" not in token.prefix and body == value.encode("utf-8", "surrogatepass")
        if plain and (_whole(walk, node, token, value, use) or _assignments(walk, token, body)):
            return
    if isinstance(value, str) and len(tokens) > 1 and _in_pieces(walk, value, start, end, use):
        return
    for token in tokens:
        walk.uses[token.start] = KEPT_RULES.get(use, "") if isinstance(value, str) else "text"


def _as_argument(walk: Walk, node: ast.Constant, value: str) -> Use:
    """What the source's own function says by the name of the parameter that a text goes to."""
    call = walk.parents[-1] if walk.parents else None
    if not isinstance(call, ast.Call) or node not in call.args or walk.is_part_of_text():
        return "unknown"
    place = call.args.index(node)
    if any(isinstance(arg, ast.Starred) for arg in call.args[:place]):
        return "unknown"
    match = _LITERAL.fullmatch(value)
    if match is None or (match[1] not in walk.rules.devices and value not in walk.rules.backends):
        return "unknown"
    name = last_name(call.func)
    walk.asked.add(name)
    parameters = walk.signatures.get(name, ())
    return parameters[place] if place < len(parameters) else "unknown"


def _in_pieces(walk: Walk, value: str, start: int, end: int, use: Use) -> bool:
    """A device or backend that is written as several literals side by side."""
    match = _LITERAL.fullmatch(value)
    if match is None or use in KEPT_RULES:
        return False
    target = walk.rules.devices.get(match[1]) or (None if match[2] else walk.rules.backends.get(match[1]))
    if target is None:
        return False
    note = f"Write it as one text with {target.to!r} by hand."
    walk.add(Found(start, end, "needs-person", target.rule, value, note=note))
    return True


def _whole(walk: Walk, node: ast.Constant, token: Token, value: str, use: Use) -> bool:
    """A literal that a rule knows as a whole; true where that settles it."""
    rules = walk.rules
    exact = rules.strings.get(value) or rules.variables.get(value)
    if exact is not None:
        edits = (Edit(token.body_start, token.body_end, exact.to.encode()),) if exact.cls == "rewritten" else ()
        walk.add(Found(token.start, token.end, exact.cls, exact.rule, value, edits))
        return True
    program = rules.programs.get(value.split(maxsplit=1)[0]) if rules.programs and value.strip() else None
    if program is not None and use not in ("message", "key"):
        name = value.split(maxsplit=1)[0]
        walk.add(Found(token.start, token.end, program.cls, program.rule, name))
        return True
    if use == "attribute" and value in rules.attributes:
        target = rules.attributes[value]
        note = f"Ask for {target.to!r} by hand."
        walk.add(Found(token.start, token.end, "needs-person", target.rule, value, note=note))
        return True
    match = _LITERAL.fullmatch(value)
    if match is not None and match[1] in rules.devices:
        return _device(walk, node, token, rules.devices[match[1]], match[1], match[2], use)
    if match is not None and match[2] is None and match[1] in rules.backends:
        return _backend(walk, token, rules.backends[match[1]], value, use)
    if use == "backend" and value.isupper() and value.lower() in rules.backends:
        capitals = rules.backends[value.lower()]
        return _backend(walk, token, replace(capitals, to=capitals.to.upper()), value, use)
    if use == "backend" and _PAIRS.fullmatch(value):
        return _backend_pairs(walk, token, value)
    return _QUALIFIED.fullmatch(value) is not None and _dotted(walk, token, value, use)


def _dotted(walk: Walk, token: Token, value: str, use: Use) -> bool:
    """A dotted name as a text (`"torch.cuda.FloatTensor"`, `@patch("torch.cuda.is_available")`): it follows the code
    that it names. As a key it is a person's, like every key."""
    found = look_up(walk.rules, value)
    if found is None or use in ("path", "flag", "message"):
        return False
    rule, part = found
    if rule.cls == "rewritten" and use in ("key", "table"):
        note = f"If this text names the function, write {rule.to!r} by hand."
        walk.add(Found(token.start, token.end, "needs-person", rule.rule, part, note=note))
        return True
    edits = rename(token.body_start, part, rule.to) if rule.cls == "rewritten" else ()
    walk.add(Found(token.start, token.end, rule.cls, rule.rule, part, edits, device=bool(edits) and rule.device))
    return True


def _device(
    walk: Walk, node: ast.Constant, token: Token, target: NewName, name: str, index: str | None, use: Use
) -> bool:
    if use in ("key", "path", "flag", "message"):
        return False
    if use == "question" and target.to == "cpu":
        walk.add(Found(token.start, token.end, "kept", "question", name))
        return True
    at = token.body_start
    note = f"If this text is a device, write {target.to!r} by hand."
    if use == "table" or (use in ("unknown", "attribute", "backend") and index is None):
        walk.add(Found(token.start, token.end, "needs-person", target.rule, name, note=note))
        return True
    shown = name + (index or "")
    if walk.rules.drop_index and _with_index(walk, node, token, target, shown):
        return True
    if index is None or not walk.rules.drop_index:
        edits = (Edit(at, at + len(name), target.to.encode()),)
        walk.add(Found(token.start, token.end, "rewritten", target.rule, shown, edits, device=True))
        return True
    if index[1:].isdigit():
        edits = (Edit(at, token.body_end, target.to.encode()),)
        walk.add(Found(token.start, token.end, "rewritten", target.rule, shown, edits, device=True))
        return True
    return _formatted(walk, node, token, target, shown)


def _with_index(walk: Walk, node: ast.Constant, token: Token, target: NewName, shown: str) -> bool:
    """`torch.device("cuda", 1)`: the number beside the device goes with it."""
    above = [parent for parent in walk.parents[-2:] if not isinstance(parent, ast.keyword)]
    call = above[-1] if above else None
    if not isinstance(call, ast.Call) or last_name(call.func) != "device" or len(call.args) + len(call.keywords) != 2:
        return False
    last = call.keywords[-1] if call.keywords else call.args[-1]
    first = call.args[0] if call.args else call.keywords[0].value
    if first is not node or (isinstance(last, ast.keyword) and last.arg != "index"):
        return False
    end = walk.span(last)[1]
    edits = (Edit(token.body_start, token.body_end, target.to.encode()), Edit(token.end, end, b""))
    walk.add(Found(token.start, end, "rewritten", target.rule, shown, edits, device=True))
    return True


def _formatted(walk: Walk, node: ast.Constant, token: Token, target: NewName, shown: str) -> bool:
    """`"cuda:%d" % i`, `"cuda:" + str(i)`, `"cuda:{}".format(i)`: the whole expression becomes the device."""
    above = walk.parents[::-1]
    whole: ast.expr | None = None
    if above and isinstance(above[0], ast.BinOp) and above[0].left is node:
        whole = above[0]
    elif len(above) > 1 and isinstance(above[0], ast.Attribute) and isinstance(above[1], ast.Call):
        whole = above[1] if above[0].attr == "format" else None
    if whole is None:
        note = f"Write {target.to!r} without an index by hand."
        walk.add(Found(token.start, token.end, "needs-person", target.rule, shown, note=note))
        return True
    start, end = walk.span(whole)
    quote = walk.lines.utf8[token.body_end : token.end]
    walk.add(
        Found(
            start,
            end,
            "rewritten",
            target.rule,
            shown,
            (Edit(start, end, quote + target.to.encode() + quote),),
            device=True,
        )
    )
    return True


def _backend(walk: Walk, token: Token, target: NewName, value: str, use: Use) -> bool:
    if use in ("key", "path", "flag", "message"):
        return False
    if use in ("unknown", "attribute", "device", "question", "table"):
        note = f"If this text is a backend, write {target.to!r} by hand."
        walk.add(Found(token.start, token.end, "needs-person", target.rule, value, note=note))
        return True
    edits = (Edit(token.body_start, token.body_end, target.to.encode()),)
    walk.add(Found(token.start, token.end, "rewritten", target.rule, value, edits, device=True))
    return True


def _backend_pairs(walk: Walk, token: Token, value: str) -> bool:
    """`cpu:gloo,cuda:nccl`"""
    rules = walk.rules
    pairs = [pair.split(":") for pair in value.split(",")]
    new = [
        [rules.devices[d].to if d in rules.devices else d, rules.backends[b].to if b in rules.backends else b]
        for d, b in pairs
    ]
    if new == pairs:
        return False
    rule = next(iter(rules.backends.values())).rule
    text = ",".join(":".join(pair) for pair in new).encode()
    edits = (Edit(token.body_start, token.body_end, text),)
    walk.add(Found(token.start, token.end, "rewritten", rule, value, edits, device=True))
    return True


def _assignments(walk: Walk, token: Token, body: bytes) -> bool:
    """`CUDA_VISIBLE_DEVICES=0 python x.py` inside a longer text."""
    found = False
    for match in _ASSIGNMENT.finditer(body):
        name = match[1].decode()
        target = walk.rules.variables.get(name)
        if target is not None and target.cls == "rewritten":
            start = token.body_start + match.start()
            end = start + len(name)
            walk.add(Found(start, end, target.cls, target.rule, name, (Edit(start, end, target.to.encode()),)))
            found = True
    return found


def judge_f_string(walk: Walk, node: ast.JoinedStr) -> bool:
    """`f"cuda:{i}"`: a device whose index is computed; true where all of it is replaced."""
    start, end = walk.span(node)
    tokens = walk.tokens(start, end)
    if len(tokens) != 1 or len(node.values) != 2 or not isinstance(node.values[1], ast.FormattedValue):
        return False
    head = node.values[0]
    if not isinstance(head, ast.Constant) or not isinstance(head.value, str) or not head.value.endswith(":"):
        return False
    name = head.value[:-1]
    target = walk.rules.devices.get(name)
    token = tokens[0]
    written = walk.lines.utf8[token.body_start : token.body_start + len(head.value)]
    if (
        target is None
        or written != head.value.encode()
        or use_of(node, walk.parents, walk.siblings) in ("key", "table", "path", "message")
    ):
        return False
    edit = Edit(token.body_start, token.body_start + len(name), target.to.encode())
    if not walk.rules.drop_index:
        start, end = edit.start, edit.end
    else:
        quote = walk.lines.utf8[token.body_end : token.end]
        edit = Edit(start, end, quote + target.to.encode() + quote)
    walk.add(Found(start, end, "rewritten", target.rule, f"{name}:{{}}", (edit,), device=True))
    return walk.rules.drop_index
