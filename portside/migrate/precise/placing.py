"""Where `import torch_mlu` goes: after the import of torch that it belongs to, or to the top of the module."""

import ast
import re

from portside.migrate.precise.found import Found
from portside.migrate.precise.imports import Imports, Site
from portside.migrate.precise.names import Function
from portside.migrate.precise.source import Edit, Lines

RULE = "import-module"
Needs = list[tuple[Function, ...]]

_REST_IS_EMPTY = re.compile(rb"[ \t\f]*(?:#[^\r\n]*)?(?:\r\n|\r|\n|\Z)")


def place(tree: ast.Module, lines: Lines, module: str, imports: Imports, needs: Needs) -> list[Found]:
    """The imports to add. needs: the functions around each use of the device, outermost first."""
    needs = [*needs, *(site.functions for site in imports.touched)]
    if not needs:
        return []
    sites = [site for site in imports.sites if not site.typing_only]
    has = [site for site in sites if _imports(site, module)]
    if any(not site.functions for site in has):
        return []
    torch = [site for site in sites if _imports(site, "torch") and not _imports(site, module)]
    outside = [site for site in torch if not site.functions]
    if outside:
        home = min(outside, key=lambda site: (site.depth, not _plain(site), site.node.lineno))
        early = [site for site in imports.touched if not site.functions and site.node.lineno <= home.node.lineno]
        if early:
            return [_before(lines, early[0].node, module)]
        return [_after(lines, home.node, module)]
    return _in_functions(tree, lines, module, imports, needs, has, torch)


def _in_functions(
    tree: ast.Module, lines: Lines, module: str, imports: Imports, needs: Needs, has: list[Site], torch: list[Site]
) -> list[Found]:
    """A module that imports torch only inside functions stays importable without it: the import goes beside theirs."""
    served = {id(site.functions[-1]) for site in has}
    out: list[Found] = []
    alone = False
    for functions in needs:
        inside = [site for site in torch if site.functions and site.functions[-1] in functions]
        if any(id(function) in served for function in functions):
            continue
        if not inside:
            alone = True
            continue
        home = inside[0]
        served.add(id(home.functions[-1]))
        touched = any(site is home for site in imports.touched)
        out.append((_before if touched else _after)(lines, home.node, module))
    if alone and not out and not has:
        out.append(_top(tree, lines, module))
    return out


def _imports(site: Site, module: str) -> bool:
    node = site.node
    if isinstance(node, ast.Import):
        return any(alias.name.partition(".")[0] == module for alias in node.names)
    return not node.level and (node.module or "").partition(".")[0] == module


def _plain(site: Site) -> bool:
    return isinstance(site.node, ast.Import)


def _newline(lines: Lines, line: int) -> bytes:
    """The line end of a line, or of the line before where it has none."""
    for number in (line, line - 1):
        if number > 0:
            text = lines.utf8[lines.starts[number - 1] : lines.end_of(number)]
            ending = text[len(text.rstrip(b"\r\n")) :]
            if ending:
                return ending
    return b"\n"


def _indent(lines: Lines, node: ast.stmt) -> bytes | None:
    """What stands before a statement on its line, if that is white space only."""
    start = lines.starts[node.lineno - 1]
    text = lines.utf8[start : start + node.col_offset]
    return text if not text.strip() else None


def _found(at: int, text: bytes, module: str) -> Found:
    return Found(at, at, "rewritten", RULE, module, (Edit(at, at, text),))


def _after(lines: Lines, node: ast.stmt, module: str) -> Found:
    assert node.end_lineno is not None and node.end_col_offset is not None
    end = lines.offset(node.end_lineno, node.end_col_offset)
    indent = _indent(lines, node)
    rest = _REST_IS_EMPTY.match(lines.utf8, end)
    statement = b"import " + module.encode()
    if indent is None or rest is None:
        return _found(end, b"; " + statement, module)
    newline = _newline(lines, node.end_lineno)
    if rest[0].endswith((b"\n", b"\r")):
        return _found(rest.end(), indent + statement + newline, module)
    return _found(rest.end(), newline + indent + statement, module)


def _before(lines: Lines, node: ast.stmt, module: str) -> Found:
    indent = _indent(lines, node)
    start = lines.offset(node.lineno, node.col_offset)
    statement = b"import " + module.encode()
    if indent is None:
        return _found(start, statement + b"; ", module)
    return _found(start - len(indent), indent + statement + _newline(lines, node.lineno), module)


def _top(tree: ast.Module, lines: Lines, module: str) -> Found:
    """After the docstring and the `__future__` imports, before everything else."""
    previous: ast.stmt | None = None
    for number, node in enumerate(tree.body):
        is_docstring = number == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_future = isinstance(node, ast.ImportFrom) and node.module == "__future__" and not node.level
        if (is_docstring and isinstance(node.value.value, str)) or is_future:  # type: ignore[attr-defined]
            previous = node
            continue
        decorators = getattr(node, "decorator_list", None)
        if decorators and _indent(lines, node) is not None:
            line = decorators[0].lineno
            return _found(lines.starts[line - 1], b"import " + module.encode() + _newline(lines, line), module)
        return _before(lines, node, module)
    assert previous is not None, "a module without statements uses no device"
    return _after(lines, previous, module)
