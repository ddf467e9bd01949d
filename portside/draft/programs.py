"""What is known of one program: its module, its arguments, what it says of itself; and the console scripts."""

import ast
import configparser
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from portside.draft.checkout import Checkout
from portside.draft.code import CodeBase, PythonFile, dotted, literal
from portside.draft.interpreter import line_of, toml_of


@dataclass
class EntryPoint:
    """Something to start. name: of the target. path: the module that runs, "" where none is known. command: a shell
    line that works in `folder` (below the source, "" for its top), without what the place leaves open; open: whether it
    left something open. argument_parser: whether `--help` of it says what it takes. sure: whether it is called by a
    document as it is."""

    name: str
    path: str
    command: str
    place: str
    folder: str = ""
    console: str = ""
    open: bool = False
    sure: bool = True
    rank: int = 0
    program: str = "python"
    help: str = ""
    env: dict[str, str] = field(default_factory=dict)


def console_scripts(checkout: Checkout, code: CodeBase) -> Iterator[EntryPoint]:
    """Those that installing the project makes."""
    rows: dict[str, tuple[str, str]] = {}
    data = toml_of(checkout)
    project, tool = data.get("project"), data.get("tool")
    poetry = tool.get("poetry") if isinstance(tool, dict) else None
    for table in (project, poetry):
        scripts = table.get("scripts") if isinstance(table, dict) else None
        for name, value in scripts.items() if isinstance(scripts, dict) else ():
            if isinstance(value, str):
                rows.setdefault(str(name), (value, line_of(checkout, "pyproject.toml", value)))
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(checkout.text("setup.cfg") or "")
        listed = parser.get("options.entry_points", "console_scripts", fallback="")
    except configparser.Error:
        listed = ""
    for row in listed.splitlines():
        name, _, value = row.partition("=")
        if value.strip():
            rows.setdefault(name.strip(), (value.strip(), line_of(checkout, "setup.cfg", row.strip())))
    if (setup := code.file("setup.py")) is not None:
        for node in ast.walk(setup.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for row in node.value.splitlines():
                    if found := re.fullmatch(r"\s*([\w.-]+)\s*=\s*([\w.]+:[\w.]+)\s*", row):
                        rows.setdefault(found[1], (found[2], f"setup.py:{node.lineno}"))
    for name, (value, place) in rows.items():
        if not re.fullmatch(r"[\w.-]+", name):
            continue
        path = module_path(code, value.partition(":")[0])
        file = code.file(path)
        help_ = f"{name} --help" if file is not None and takes_arguments(file) else ""
        yield EntryPoint(
            name,
            path,
            f"{name} --help" if help_ else name,
            place,
            console=name,
            rank=1,
            program=name,
            help=help_,
            open=True,
        )


def module_path(code: CodeBase, module: str, folder: str = "") -> str:
    """The file of a module, "" where there is none."""
    base = module.replace(".", "/")
    for root in dict.fromkeys((folder, "", "src")):
        for path in (f"{base}.py", f"{base}/__main__.py", f"{base}/__init__.py"):
            full = posixpath.join(root, path)
            if full in code.paths:
                return full
    return ""


def takes_arguments(file: PythonFile) -> bool:
    """Whether a module has a parser of arguments, which says what it takes when it is asked with --help."""
    for node in ast.walk(file.tree):
        name = (
            dotted(node.func) if isinstance(node, ast.Call) else dotted(node) if isinstance(node, ast.Attribute) else ""
        )
        if name.rpartition(".")[2] in ("ArgumentParser", "HfArgumentParser", "Typer", "Fire", "ArgParser", "TrlParser"):
            return True
        if name in ("click.command", "click.group", "tyro.cli"):
            return True
    return False


def described(checkout: Checkout, entry: EntryPoint, file: PythonFile | None) -> str:
    """One line for people: what the program says of itself, else its name."""
    said = ""
    if file is not None:
        said = ast.get_docstring(file.tree) or ""
        for node in ast.walk(file.tree):
            if isinstance(node, ast.Call) and dotted(node.func).endswith("ArgumentParser"):
                value = next((literal(k.value) for k in node.keywords if k.arg == "description"), None)
                value = value if value is not None else literal(node.args[0]) if node.args else None
                if isinstance(value, str) and len(value) > 10:
                    said = value
                break
    first = next((line.strip() for line in said.splitlines() if re.search(r"[^\W\d_]{3}", line)), "")
    if re.match(r"(copyright|licen[sc]e|usage|author|#|@|-{3}|={3}|this source code|all rights)", first, re.I):
        first = ""
    text = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", " ", first).strip()
    return text[:100] if text else f"runs {entry.path or entry.console}"
