"""What patch steps need to know about Python code: does it compile, what does it bind, where is a name imported."""

import ast
import symtable
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from textwrap import dedent
from typing import TypeVar

from portside.patches.comments import comment_lines
from portside.patches.document import Document, TextEdit

T = TypeVar("T")
Import = ast.Import | ast.ImportFrom


@dataclass(frozen=True, slots=True)
class Problem:
    """Why code does not compile; line from 1, or 0 where Python does not say."""

    line: int
    message: str


def compile_problem(data: bytes) -> Problem | None:
    """Compile a file's bytes in their declared encoding, without executing anything; None if that works."""
    result = _quietly(lambda: compile(data, "<file>", "exec", dont_inherit=True))
    return result if isinstance(result, Problem) else None


def single_import(statement: str) -> Import:
    """The syntax of a statement that imports one name. Raises ValueError for anything else."""
    result = _quietly(lambda: ast.parse(statement.strip()).body)
    if not isinstance(result, Problem) and len(result) == 1 and isinstance(result[0], Import):
        names = result[0].names
        if len(names) == 1 and names[0].name != "*":
            return result[0]
    raise ValueError("expected the import of one name, such as 'from torch.nn.utils import skip_init'")


def check_definition(statement: str, code: str) -> None:
    """Raise ValueError if `code` does not define, at its top level, the name that `statement` imports."""
    alias = single_import(statement).names[0]
    name = alias.asname or alias.name.split(".")[0]
    table = _quietly(lambda: symtable.symtable(dedent(code), "<definition>", "exec"))
    if isinstance(table, Problem):
        raise ValueError(f"`as` is not Python: line {table.line}: {table.message}")
    if name in table.get_identifiers():
        symbol = table.lookup(name)
        if symbol.is_assigned() or symbol.is_imported():
            return
    raise ValueError(f"`as` does not define {name}")


def find_imports(document: Document, statement: str, definition: str) -> list[TextEdit]:
    """The statements that import the name, each becoming a comment, the import of its other names, and `definition`.

    Left out, because they cannot be replaced line by line: statements that share a line with another one.
    """
    wanted = single_import(statement)
    if wanted.names[0].name.rpartition(".")[2] not in document.text:
        return []
    return [
        document.line_range(node.lineno, node.end_lineno or node.lineno, _defined(document, node, wanted, definition))
        for node in _imports(document)
        if any(_same(node, alias, wanted) for alias in node.names) and _stands_alone(document, node)
    ]


def explain_imports(document: Document, statement: str) -> list[tuple[int, str]]:
    """Why an import that somebody may have meant is no place: (line, reason); line 0 for the whole file."""
    wanted = single_import(statement)
    if not _mentions(document, wanted):
        return []
    name = wanted.names[0].name
    tree = _parse(document)
    if isinstance(tree, Problem):
        about = [number for number, line in enumerate(document.lines, 1) if name in line]
        return [(number, f"the file is no Python that can be parsed: {tree.message}") for number in about]
    out = []
    for node in _imports(document):
        if any(_same(node, alias, wanted) for alias in node.names):
            if not _stands_alone(document, node):
                out.append((node.lineno, "shares its line with another statement; use a replace step there"))
        elif any(name in (alias.name, alias.name.rpartition(".")[2]) for alias in node.names) or _star(node, wanted):
            out.append((node.lineno, "imports it in another way"))
    return out


def _mentions(document: Document, wanted: Import) -> bool:
    """Whether the file can have to do with the import at all: most need not be parsed."""
    if isinstance(wanted, ast.ImportFrom):
        star = f"from {'.' * wanted.level}{wanted.module or ''} import *"
        if star in document.text:
            return True
    return wanted.names[0].name.rpartition(".")[2] in document.text


def _star(node: Import, wanted: Import) -> bool:
    if not isinstance(node, ast.ImportFrom) or not isinstance(wanted, ast.ImportFrom):
        return False
    return node.names[0].name == "*" and (node.module, node.level) == (wanted.module, wanted.level)


def _same(node: Import, alias: ast.alias, wanted: Import) -> bool:
    want = wanted.names[0]
    if type(node) is not type(wanted) or (alias.name, alias.asname) != (want.name, want.asname):
        return False
    if isinstance(node, ast.ImportFrom) and isinstance(wanted, ast.ImportFrom):
        return (node.module, node.level) == (wanted.module, wanted.level)
    return True


def _defined(document: Document, node: Import, wanted: Import, definition: str) -> str:
    region = document.lines[node.lineno - 1 : node.end_lineno]
    indent = region[0][: len(region[0]) - len(region[0].lstrip())]
    kept = [alias for alias in node.names if not _same(node, alias, wanted)]
    out = comment_lines(region, "#")
    if kept:
        rest = ast.ImportFrom(node.module, kept, node.level) if isinstance(node, ast.ImportFrom) else ast.Import(kept)
        out.append(indent + ast.unparse(rest))
    return "\n".join([*out, *_indented(definition, indent)])


def _indented(code: str, indent: str) -> list[str]:
    """The code's lines with an indent, but for blank ones and those that begin inside a string."""
    code = dedent(code).strip("\n")
    inside: set[int] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)):
            inside.update(range(node.lineno + 1, (node.end_lineno or node.lineno) + 1))
    return [
        line if number in inside or not line.strip() else indent + line
        for number, line in enumerate(code.split("\n"), 1)
    ]


def _parse(document: Document) -> ast.Module | Problem:
    if "\r" in document.text:
        return Problem(0, "it has carriage returns that end no line")
    return _quietly(lambda: ast.parse(document.text))


def _imports(document: Document) -> list[Import]:
    """In the order of the file."""
    tree = _parse(document)
    if isinstance(tree, Problem):
        return []
    return sorted((node for node in ast.walk(tree) if isinstance(node, Import)), key=lambda n: (n.lineno, n.col_offset))


def _stands_alone(document: Document, node: Import) -> bool:
    end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or 0
    before = document.lines[node.lineno - 1].encode()[: node.col_offset]
    after = document.lines[end_line - 1].encode()[end_column:].strip()
    return not before.strip() and (not after or after.startswith(b"#"))


def _quietly(function: Callable[[], T]) -> T | Problem:
    """What `function` gives, without warnings about the code that it reads; a Problem where the code is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function()
    except SyntaxError as error:
        return Problem(error.lineno or 0, error.msg)
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return Problem(0, str(error) or type(error).__name__)
