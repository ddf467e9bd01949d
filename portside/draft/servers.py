"""On which ports a program listens, and what makes it listen beyond its container."""

import ast
import re
from dataclasses import dataclass, field
from typing import Any

from portside.draft.clue import Clue
from portside.draft.code import PythonFile, dotted, literal
from portside.draft.facts import facts
from portside.draft.programs import EntryPoint

_INWARD = ("localhost", "127.0.0.1", None, "::1")
_SERVING = {
    "fastapi",
    "flask",
    "gradio",
    "uvicorn",
    "websockets",
    "aiohttp",
    "socketserver",
    "http",
    "grpc",
    "tornado",
    "sanic",
}


@dataclass
class Listening:
    """ports: by name. add: to the command. env: of the target. note: what a person has to change."""

    ports: dict[str, Clue[int]] = field(default_factory=dict)
    add: str = ""
    env: dict[str, str] = field(default_factory=dict)
    note: str = ""


def listening(entry: EntryPoint, file: PythonFile | None) -> Listening:
    found = Listening()
    if (program := facts("servers")["programs"].get(entry.program)) is not None:
        said = re.search(rf"{re.escape(program['option'])}[ =](?:\S*:)?(\d{{2,5}})\b", entry.command)
        port = int(said[1]) if said else program["port"]
        found.ports[program["name"]] = Clue(port, entry.place, True, "" if said else f"{entry.program}'s own")
        if (program.get("unless") or "--server.address") not in entry.command:
            found.add = program["add"]
        return found
    if file is None:
        return found
    arguments = _arguments(file)
    tops = {one.top for one in file.imports}
    constants = _constants(file)
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Call):
            _call(node, file, tops, arguments, constants, entry, found)
    if not found.ports and "port" in arguments and tops & _SERVING and isinstance(arguments["port"][0], int):
        found.ports["port"] = Clue(arguments["port"][0], f"{file.path}:{arguments['port'][1]}", False)
    return found


def _call(
    node: ast.Call,
    file: PythonFile,
    tops: set[str],
    arguments: dict[str, tuple[Any, int]],
    constants: dict[str, Any],
    entry: EntryPoint,
    found: Listening,
) -> None:
    name = dotted(node.func) or (node.func.attr if isinstance(node.func, ast.Attribute) else "")
    for call, fact in facts("servers")["calls"].items():
        is_it = name == call or name.endswith(f".{call}") or ("." not in call and name.rpartition(".")[2] == call)
        if not is_it or not tops & set(fact["of"]):
            continue
        given = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
        where = given.get(fact.get("keyword", ""))
        if "position" in fact and node.args:
            where = node.args[fact["position"]]
        port, said = _number(where, arguments, constants), True
        if (on_line := re.search(r"--port[ =](\d{2,5})\b", entry.command)) is not None:
            port = int(on_line[1])
        if port is None:
            port, said = fact.get("port"), where is None
        if not isinstance(port, int) or not 1 <= port <= 65535:
            continue
        label = fact["name"]
        while label in found.ports and found.ports[label].value != port:
            label = f"{label}-{len(found.ports) + 1}"
        note = "" if where is not None and said else f"{fact['of'][0]}'s own"
        found.ports[label] = Clue(port, f"{file.path}:{node.lineno}", True, note)
        _reach(given, fact, arguments, constants, found, file, node)


def _reach(
    given: dict[str, ast.expr],
    fact: dict[str, Any],
    arguments: dict[str, tuple[Any, int]],
    constants: dict[str, Any],
    found: Listening,
    file: PythonFile,
    node: ast.Call,
) -> None:
    """What makes it listen on all addresses."""
    if "env" in fact:
        host = given.get("server_name")
        if host is None:
            found.env |= fact["env"]
            return
    elif "host" in fact:
        host = given.get(fact["host"])
    else:
        return
    if isinstance(host, ast.Attribute) and host.attr in arguments:
        if arguments[host.attr][0] in _INWARD:
            found.add = f"--{_option(file, host.attr)} 0.0.0.0"
        return
    value = literal(host) if host is not None else None
    value = constants.get(dotted(host)) if value is None and host is not None else value
    if value in _INWARD:
        found.note = (
            f"listens on {value or 'its own address alone'} ({file.path}:{node.lineno}); a patch step can say 0.0.0.0"
        )


def _option(file: PythonFile, name: str) -> str:
    for node in ast.walk(file.tree):
        value = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if value.startswith("--") and value.lstrip("-").replace("-", "_") == name:
            return value.lstrip("-")
    return name


def _number(node: ast.expr | None, arguments: dict[str, tuple[Any, int]], constants: dict[str, Any]) -> int | None:
    if node is None:
        return None
    value = literal(node)
    if isinstance(value, tuple) and value:
        value = value[-1]
    if isinstance(node, ast.Tuple) and node.elts:
        return _number(node.elts[-1], arguments, constants)
    if isinstance(node, ast.Call) and dotted(node.func) == "int" and node.args:
        return _number(node.args[0], arguments, constants)
    if (
        isinstance(node, ast.Call)
        and dotted(node.func) in ("os.environ.get", "os.getenv", "environ.get")
        and len(node.args) > 1
    ):
        return _number(node.args[1], arguments, constants)
    if value is None and isinstance(node, ast.Attribute):
        value = arguments.get(node.attr, (None, 0))[0]
    if value is None and isinstance(node, ast.Name):
        value = constants.get(node.id, arguments.get(node.id, (None, 0))[0])
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _arguments(file: PythonFile) -> dict[str, tuple[Any, int]]:
    """The defaults of a parser's options, by what they are called in the code, with their lines."""
    found: dict[str, tuple[Any, int]] = {}
    for node in ast.walk(file.tree):
        if not (
            isinstance(node, ast.Call)
            and dotted(node.func).rpartition(".")[2] in ("add_argument", "option", "DEFINE_integer")
        ):
            continue
        names = [value for arg in node.args if isinstance(value := literal(arg), str)]
        long = next((name for name in names if name.startswith("--")), names[0] if names else "")
        default = next((literal(keyword.value) for keyword in node.keywords if keyword.arg == "default"), None)
        target = next((literal(keyword.value) for keyword in node.keywords if keyword.arg == "dest"), None)
        key = target if isinstance(target, str) else long.lstrip("-").replace("-", "_")
        if key:
            found[key] = (default, node.lineno)
    return found


def _constants(file: PythonFile) -> dict[str, Any]:
    """Names of the module's first level that stand for a literal."""
    found: dict[str, Any] = {}
    for node in file.tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            value = literal(node.value)
            if value is not None:
                found[node.targets[0].id] = value
    return found
