"""The Python code of a repository: what it imports, from which files, and what runs when a module is imported.

Read by `ast` alone. A module that cannot be parsed (Python 2, a template) has no imports here; `unreadable` names it.
"""

import ast
import posixpath
import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from portside.draft.checkout import Checkout

_GONE = frozenset({"asynchat", "asyncore", "distutils", "imp", "smtpd", "__builtin__", "cPickle", "Queue", "urllib2"})
STANDARD = frozenset(sys.stdlib_module_names) | _GONE | {"_typeshed", "__main__", "__future__"}
"""What Python has itself, or had."""
_MOST_NODES = 400_000
"""Of one module's syntax: what has more is a table, not a program."""
_MOST_MODULES = 3000
_CATCHES = ("ImportError", "ModuleNotFoundError", "Exception", "BaseException", "OSError", "RuntimeError")


@dataclass(frozen=True, slots=True)
class ImportedName:
    """One import. module: as it stands, with dots in front where it is relative. late: inside a function. guarded: in a
    `try` that goes on without it, or under an `if`. names: what is imported from it."""

    module: str
    line: int
    late: bool
    guarded: bool
    names: tuple[str, ...] = ()

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]


@dataclass(slots=True)
class PythonFile:
    """A parsed module. early: the calls that run when it is imported, as they stand (`torch.load`), with their lines.
    sees_path: whether it changes sys.path. is_script: whether it has `if __name__ == "__main__"`."""

    path: str
    tree: ast.Module
    imports: list[ImportedName] = field(default_factory=list)
    early: list[tuple[str, int]] = field(default_factory=list)
    sees_path: bool = False
    is_script: bool = False


class CodeBase:
    """The modules of a checkout, each parsed once."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout = checkout
        self.paths = checkout.named("**/*.py")[:_MOST_MODULES]
        self._known = frozenset(self.paths)
        self._files: dict[str, PythonFile | None] = {}
        self.unreadable: dict[str, str] = {}
        self._tops: dict[str, list[str]] = {}
        self._folders: set[str] = set()
        for path in self.paths:
            folder, _, name = path.rpartition("/")
            self._tops.setdefault(name.removesuffix(".py"), []).append(path)
            while folder and folder not in self._folders:
                self._folders.add(folder)
                self._tops.setdefault(folder.rpartition("/")[2], []).append(folder)
                folder = posixpath.dirname(folder)

    def file(self, path: str) -> PythonFile | None:
        """A parsed module, None where there is none or it cannot be parsed."""
        if path not in self._files:
            self._files[path] = self._parse(path) if path in self._known else None
        return self._files[path]

    def _parse(self, path: str) -> PythonFile | None:
        text = self.checkout.text(path)
        if text is None:
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(text)
            found = PythonFile(path, tree)
            _look_through(found)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            is_old = re.search(r"^\s*(print\s+[\"'\w]|exec\s+[\"'\w]|except\s+\w+\s*,\s*\w+\s*:)", text, re.M)
            self.unreadable[path] = "Python 2" if is_old else "not this Python's code"
            return None
        return found

    def local(self, one: ImportedName, of: PythonFile, roots: Iterable[str] = ("",)) -> list[str]:
        """The modules of the checkout that an import means; empty where it is somebody else's."""
        here = posixpath.dirname(of.path)
        if one.module.startswith("."):
            dots = len(one.module) - len(one.module.lstrip("."))
            for _ in range(dots - 1):
                here = posixpath.dirname(here)
            return self._modules(here, one.module.lstrip("."), one.names)
        for root in dict.fromkeys([here, *roots, "", "src"]):
            if found := self._modules(root, one.module, one.names):
                return found
        for place in self._tops.get(one.top, ()):
            root = posixpath.dirname(place)
            importable = f"{root}/__init__.py" not in self._known or of.sees_path or root in self._put_on_path
            if importable and (found := self._modules(root, one.module, one.names)):
                return found
        return []

    @cached_property
    def imported_files(self) -> frozenset[str]:
        """The modules that another one imports."""
        found: set[str] = set()
        for path in self.paths[:800]:
            if (file := self.file(path)) is not None:
                for one in file.imports:
                    found.update(place for place in self.local(one, file) if place != path)
        return frozenset(found)

    @cached_property
    def _put_on_path(self) -> frozenset[str]:
        """The folders above a module that changes sys.path: it puts one of them there."""
        found: set[str] = set()
        for path in self.paths[:800]:
            if (
                "sys.path" in (self.checkout.text(path) or "")
                and (file := self.file(path)) is not None
                and file.sees_path
            ):
                folder = posixpath.dirname(posixpath.dirname(path))
                while folder:
                    found.add(folder)
                    folder = posixpath.dirname(folder)
        return frozenset(found)

    def _modules(self, root: str, module: str, names: tuple[str, ...]) -> list[str]:
        """The files that `from MODULE import NAMES` reads where `root` is searched; each package on the way too."""
        parts = module.split(".") if module else []
        found: list[str] = []
        folder = root
        for number, part in enumerate(parts):
            path = posixpath.join(folder, part)
            if f"{path}.py" in self._known:
                return [*found, f"{path}.py"]
            if f"{path}/__init__.py" in self._known:
                found.append(f"{path}/__init__.py")
            elif not self._has_code(path):
                return found or ([folder] if number else [])  # the rest is compiled, or made later
            folder = path
        for name in names:
            path = posixpath.join(folder, name)
            for candidate in (f"{path}.py", f"{path}/__init__.py"):
                if candidate in self._known:
                    found.append(candidate)
        if parts and not found:
            return [folder]  # a package without __init__.py
        return found

    def _has_code(self, folder: str) -> bool:
        """Whether a folder, or one below it, has Python code."""
        return folder in self._folders

    def reach(self, starts: Iterable[str], *, late: bool = True) -> dict[str, PythonFile]:
        """The modules that run when these are started, and those that they import; by path. late: also what is imported
        inside functions, and where the code goes on without it."""
        starts = list(starts)
        waiting, done = list(starts), dict[str, PythonFile]()
        while waiting and len(done) < _MOST_MODULES:
            path = waiting.pop(0)
            if path in done or (file := self.file(path)) is None:
                continue
            done[path] = file
            roots = tuple(posixpath.dirname(start) for start in starts)
            for one in file.imports:
                if late or not (one.late or one.guarded):
                    waiting += [place for place in self.local(one, file, roots) if place not in done]
        return done

    def foreign(
        self, files: Iterable[PythonFile], starts: Iterable[str] = ()
    ) -> Iterator[tuple[ImportedName, PythonFile]]:
        """What these modules import that neither Python nor the checkout has."""
        roots = tuple(dict.fromkeys(posixpath.dirname(start) for start in starts))
        for file in files:
            for one in file.imports:
                if not one.module.startswith(".") and one.top not in STANDARD and not self.local(one, file, roots):
                    yield one, file


def _look_through(found: PythonFile) -> None:
    """Fill in what a module imports and calls. No recursion: a tree may be as deep as it likes."""
    stack: list[tuple[ast.AST, bool, bool, bool]] = [(found.tree, False, False, False)]
    count = 0
    while stack:
        node, late, guarded, in_main = stack.pop()
        count += 1
        if count > _MOST_NODES:
            raise ValueError("too large")
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.imports.append(ImportedName(alias.name, node.lineno, late, guarded))
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            names = tuple(alias.name for alias in node.names)
            found.imports.append(ImportedName(module, node.lineno, late, guarded, names))
        elif isinstance(node, ast.Call) and not (late or in_main or guarded) and (name := dotted(node.func)):
            found.early.append((name, node.lineno))
        if isinstance(node, ast.Attribute) and dotted(node) in (
            "sys.path.append",
            "sys.path.insert",
            "sys.path.extend",
        ):
            found.sees_path = True
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        children: list[tuple[ast.AST, bool, bool, bool]] = []
        if isinstance(node, ast.Try):
            caught = any(_catches(handler) for handler in node.handlers)
            children += [(child, late, guarded or caught, in_main) for child in node.body]
            for part in (node.handlers, node.orelse, node.finalbody):
                children += [(child, late, True, in_main) for child in part]
        elif isinstance(node, ast.If):
            is_main = is_main_guard(node)
            found.is_script = found.is_script or is_main
            children.append((node.test, late, guarded, in_main))
            for child in (*node.body, *node.orelse):
                children.append((child, late, guarded or not is_main, in_main or is_main))
        elif is_function:
            body = node.body if isinstance(node.body, list) else [node.body]  # type: ignore[attr-defined]
            children += [(child, True, guarded, in_main) for child in body]
            children += [(child, late, guarded, in_main) for child in getattr(node, "decorator_list", ())]
        else:
            children += [(child, late, guarded, in_main) for child in ast.iter_child_nodes(node)]
        stack += reversed(children)
    found.imports.sort(key=lambda one: one.line)


def _catches(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(dotted(kind).rpartition(".")[2] in _CATCHES for kind in kinds)


def is_main_guard(node: ast.If) -> bool:
    """Whether it is `if __name__ == "__main__":`."""
    return isinstance(node.test, ast.Compare) and dotted(node.test.left) == "__name__"


def dotted(node: ast.AST | None) -> str:
    """`a.b.c` of an expression that is a name with attributes; else what of it is one, or nothing."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        parts.append(node.id)
    elif parts:
        parts.append("")
    return ".".join(reversed(parts)).lstrip(".")


def literal(node: ast.AST | None) -> object:
    """What a literal expression is; None for all others."""
    try:
        return ast.literal_eval(node) if isinstance(node, ast.expr) else None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
