"""What a Python project needs, out of what its files say without any of its code being run.

Read are, in this order: `[project]` of pyproject.toml (PEP 621), with the files that setuptools' table names for its
dynamic keys; PKG-INFO where it promises that every build says the same (PEP 643); setup.py as far as it is literal, and
setup.cfg. Whatever is computed is an error.
"""

import ast
import configparser
import email
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from portside.common.tree import Tree
from portside.errors import RecipeError, did_you_mean
from portside.inputs.python.requirements_file import normal, read_requirements

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from typing import TypeGuard

    from packaging.requirements import Requirement


@dataclass(frozen=True)
class ProjectNeeds:
    """always: requirements as their file has them. extras: more of them, by the normalised name of the extra. name: of
    the project, where it is known. place: the file that says so."""

    place: str
    always: Sequence[str]
    extras: Mapping[str, Sequence[str]] = field(default_factory=dict)
    name: str = ""

    def wanted(self, extras: Sequence[str]) -> "Iterator[Requirement]":
        """The requirements, with those of these extras; an extra may name others of its own project's."""
        yield from self._parsed(self.always)
        waiting, done = [normal(extra) for extra in extras], set[str]()
        while waiting:
            extra = waiting.pop(0)
            if extra in done:
                continue
            done.add(extra)
            if extra not in self.extras:
                known = ", ".join(sorted(self.extras)) or "none"
                raise RecipeError(
                    f"{self.place}: no extra '{extra}'", f"{did_you_mean(extra, self.extras)}It has: {known}."
                )
            for requirement in self._parsed(self.extras[extra]):
                if self.name and normal(requirement.name) == normal(self.name):
                    waiting += map(normal, sorted(requirement.extras))
                else:
                    yield requirement

    def _parsed(self, lines: Sequence[str]) -> "Iterator[Requirement]":
        from packaging.requirements import InvalidRequirement, Requirement

        for line in lines:
            try:
                yield Requirement(line)
            except InvalidRequirement as error:
                reason = str(error).partition("\n")[0]
                raise RecipeError(f"{self.place}: not a requirement: {line!r}: {reason}", _BY_HAND) from None


_BY_HAND = "Name what it needs under env.python.requirements."


def needs_of(tree: Tree, source: str, *, recorded: bool = False) -> ProjectNeeds:
    """What the project in a tree needs. source: its name for messages.

    recorded: where its files leave it to code, take what the sdist has noted when it was made (PKG-INFO of any form,
    egg-info). Raises RecipeError where nothing says it for sure.
    """
    why: list[str] = []
    for read in (_pyproject, _pkg_info, _setup):
        found = read(tree, source, why)
        if found is not None:
            return found
    noted = _recorded(tree, source)
    if recorded:
        if noted is not None:
            return noted
        why.append("and nothing was noted when it was made: it is no sdist")
    reasons = why or ["it has no pyproject.toml, PKG-INFO, setup.cfg or setup.py: it is no Python project"]
    hint = ""
    if noted is not None and not recorded:
        shown = ", ".join([*noted.always][:12]) or "nothing"
        hint = f" {noted.place} has noted when it was made: {shown}. To take that: `recorded: true` beside needs-of."
    raise RecipeError(
        f"needs-of: {source}: what it needs is not written down:\n  " + "\n  ".join(reasons), _BY_HAND + hint
    )


def build_system(tree: Tree, source: str) -> tuple[list[str], str, list[str]]:
    """What building the project needs, the backend (`module:object`), and where in the tree the backend itself lies, if
    it does (PEP 517, PEP 518). Raises RecipeError."""
    data = _toml(tree, source) or {}
    table = data.get("build-system")
    code = _read(tree, "setup.py")
    asked = (_literal_setup(code, f"{source}/setup.py", []) or {}).get("setup_requires", []) if code else []
    if not isinstance(table, dict):
        return ["setuptools>=40.8.0", "wheel", *asked], "setuptools.build_meta:__legacy__", []
    requires, backend = table.get("requires", []), table.get("build-backend", "setuptools.build_meta:__legacy__")
    path = table.get("backend-path", [])
    if not (_texts(requires) and isinstance(backend, str) and _texts(path)):
        raise RecipeError(
            f"{source}/pyproject.toml: build-system is not as PEP 518 says", "Take another version of it."
        )
    # setuptools asked for it in a hook until version 70.1, and nothing runs to find out.
    wheel = ["wheel"] if backend.startswith("setuptools.") else []
    return [*requires, *wheel, *asked], backend, list(path)


def _toml(tree: Tree, source: str) -> dict[str, Any] | None:
    if (text := _read(tree, "pyproject.toml")) is None:
        return None
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RecipeError(f"{source}/pyproject.toml: not valid TOML: {error}", _BY_HAND) from None
    return data


def _pyproject(tree: Tree, source: str, why: list[str]) -> ProjectNeeds | None:
    data = _toml(tree, source)
    if data is None:
        return None
    place, project = f"{source}/pyproject.toml", data.get("project")
    if not isinstance(project, dict):
        tools = sorted(set(data.get("tool", {})) & {"poetry", "flit", "pdm"})
        if tools:
            why.append(f"{place}: no [project]; [tool.{tools[0]}] is {tools[0]}'s own form, which others do not read")
        return None
    dynamic = project.get("dynamic", [])
    if "dependencies" in dynamic or "optional-dependencies" in dynamic:
        table = data.get("tool", {}).get("setuptools", {}).get("dynamic", {})
        always = _dynamic(tree, source, table.get("dependencies")) if "dependencies" in dynamic else None
        given = table.get("optional-dependencies", {})
        extras = {normal(k): _dynamic(tree, source, v) or [] for k, v in given.items() if _dynamic(tree, source, v)}
        if ("dependencies" in dynamic) != (always is not None):
            why.append(f"{place}: its dependencies are dynamic: the build computes them")
            return None
        always = project.get("dependencies", []) if always is None else always
        if "optional-dependencies" not in dynamic:
            extras = {normal(k): v for k, v in project.get("optional-dependencies", {}).items()}
    else:
        always = project.get("dependencies", [])
        extras = {normal(k): v for k, v in project.get("optional-dependencies", {}).items()}
    if not _texts(always) or not all(_texts(rows) for rows in extras.values()):
        raise RecipeError(f"{place}: [project] dependencies are no lists of text", _BY_HAND)
    return ProjectNeeds(place, always, extras, str(project.get("name", "")))


def _dynamic(tree: Tree, source: str, value: Any) -> list[str] | None:
    """What setuptools reads of files for a dynamic key: lines that are requirements, or comments."""
    files = value.get("file") if isinstance(value, dict) else None
    files = [files] if isinstance(files, str) else files
    if not files or not _texts(files):
        return None
    lines = [line for file in files for line in read_requirements(tree, file, source)]
    return [str(line.requirement) for line in lines if not line.constraint]


def _pkg_info(tree: Tree, source: str, why: list[str]) -> ProjectNeeds | None:
    if (text := _read(tree, "PKG-INFO")) is None:
        return None
    found = email.message_from_string(text)
    version = tuple(int(part) for part in re.findall(r"\d+", found.get("Metadata-Version", ""))[:2])
    if version < (2, 2):
        return None
    dynamic = {value.lower() for value in found.get_all("Dynamic", [])}
    if changing := sorted(dynamic & {"requires-dist", "provides-extra"}):
        why.append(f"{source}/PKG-INFO: {', '.join(changing)} is dynamic: each build computes it")
        return None
    return _of_metadata(found, f"{source}/PKG-INFO")


def _of_metadata(found: Any, place: str) -> ProjectNeeds:
    """Requires-Dist has the extra that a requirement is for in its marker."""
    from packaging.markers import Marker
    from packaging.requirements import Requirement

    extras: dict[str, list[str]] = {normal(name): [] for name in found.get_all("Provides-Extra", [])}
    always: list[str] = []
    for line in found.get_all("Requires-Dist", []):
        marker = line.partition(";")[2]
        named = re.findall(r"""extra\s*==\s*['"]([\w.-]+)['"]""", marker)
        if not named:
            always.append(line)
            continue
        requirement = Requirement(line)
        rest = re.sub(r"""\s*(and\s+)?extra\s*==\s*['"][\w.-]+['"](\s+and)?\s*""", " ", marker).strip()
        rest = re.sub(r"^\(\s*(.*?)\s*\)$", r"\1", rest)
        requirement.marker = Marker(rest) if rest else None
        for name in named:
            extras.setdefault(normal(name), []).append(str(requirement))
    return ProjectNeeds(place, always, extras, found.get("Name", ""))


def _setup(tree: Tree, source: str, why: list[str]) -> ProjectNeeds | None:
    """setup.py and setup.cfg. What setup.py gives counts before setup.cfg, whose keys only fill in."""
    code, text = _read(tree, "setup.py"), _read(tree, "setup.cfg")
    in_code: dict[str, Any] | None = {}
    if code is not None:
        in_code = _literal_setup(code, f"{source}/setup.py", why)
        if in_code is None:
            return None
    elif text is None:
        return None
    assert in_code is not None
    always, extras, name, place = in_code.get("install_requires"), in_code.get("extras_require"), "", "setup.py"
    if text is not None:
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(text)
        except configparser.Error as error:
            raise RecipeError(f"{source}/setup.cfg: {str(error).partition(chr(10))[0]}", _BY_HAND) from None
        own = dict(parser["options"]) if parser.has_section("options") else {}
        own = {key.replace("-", "_"): value for key, value in own.items()}
        more = dict(parser["options.extras_require"]) if parser.has_section("options.extras_require") else None
        name = parser.get("metadata", "name", fallback="")
        if not always and "install_requires" in own:
            always, place = _of_cfg(tree, source, own["install_requires"]), "setup.cfg"
        if not extras and more is not None:
            extras = {key: _of_cfg(tree, source, value) for key, value in more.items()}
    rows = {normal(key.partition(":")[0]): value for key, value in (extras or {}).items() if key.partition(":")[0]}
    limited = [key for key in extras or {} if ":" in key]
    if limited:
        why.append(f"{source}/{place}: extras_require has {limited[0]!r}, a marker in an extra's name")
        return None
    return ProjectNeeds(f"{source}/{place}", list(always or ()), rows, name or str(in_code.get("name") or ""))


def _of_cfg(tree: Tree, source: str, value: str) -> list[str]:
    if value.strip().startswith("file:"):
        files = [part.strip() for part in value.strip().removeprefix("file:").split(",")]
        return _dynamic(tree, source, {"file": files}) or []
    rows = [row.strip() for row in (value.split("\n") if "\n" in value.strip() else value.split(";;"))]
    return [row for row in rows if row and not row.startswith("#")]


def _literal_setup(code: str, place: str, why: list[str]) -> dict[str, Any] | None:
    """The needs in the one call of setup(), None where they are not literal, or where that is not sure."""
    try:
        module = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        why.append(f"{place}: not this Python's code")
        return None
    calls = [node for node in ast.walk(module) if isinstance(node, ast.Call) and _called(node) == "setup"]
    body = [inner for node in module.body for inner in (node.body if _is_main(node) else [node])]
    top = [node for node in body if isinstance(node, ast.Expr) and node.value in calls]
    if len(calls) != 1 or len(top) != 1:
        why.append(f"{place}: {len(calls) or 'no'} calls of setup(), where one on the first level can be read")
        return None
    names = _constants(module)
    found: dict[str, Any] = {}
    for keyword in calls[0].keywords:
        if keyword.arg == "pbr":
            why.append(f"{place}:{keyword.value.lineno}: pbr computes what it needs")
            return None
        if keyword.arg is None:
            why.append(f"{place}:{keyword.value.lineno}: setup(**…) computes what it is called with")
            return None
        if keyword.arg not in _READ:
            continue
        value = _value(keyword.value, names)
        if keyword.arg == "name":
            found["name"] = value
        elif keyword.arg == "setup_requires":
            found["setup_requires"] = [value] if isinstance(value, str) else value if _texts(value) else []
        elif not (_texts(value) if keyword.arg == "install_requires" else _groups(value)):
            why.append(f"{place}:{keyword.value.lineno}: it computes {keyword.arg}")
            return None
        else:
            found[keyword.arg] = value
    return found


_READ = ("name", "install_requires", "extras_require", "setup_requires")


def _is_main(node: ast.stmt) -> "TypeGuard[ast.If]":
    """Whether it is `if __name__ == "__main__":`."""
    test = node.test if isinstance(node, ast.If) else None
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def _called(node: ast.Call) -> str:
    function = node.func
    return (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )


def _constants(module: ast.Module) -> dict[str, ast.expr]:
    """Names of the first level that are set once, and that nothing else in the file mentions but to read them."""
    once: dict[str, ast.expr] = {}
    stored: list[str] = []
    changed: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            stored.append(node.id)
        elif isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.value, ast.Name):
            changed.add(node.value.id)  # x.append(…), x[0] = …
        elif isinstance(node, ast.Call):
            changed |= {arg.id for arg in node.args if isinstance(arg, ast.Name)}
    for statement in module.body:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            if isinstance(target, ast.Name):
                once[target.id] = statement.value
    return {name: value for name, value in once.items() if stored.count(name) == 1 and name not in changed}


def _value(node: ast.expr, names: Mapping[str, ast.expr]) -> Any:
    """What an expression is, if it is a literal, or the name of one; else None."""
    if isinstance(node, ast.Name):
        node = names.get(node.id, node)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


def _groups(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(key, str) and _texts(rows) for key, rows in value.items())


def _recorded(tree: Tree, source: str) -> ProjectNeeds | None:
    """What setuptools noted of a project when it made an sdist of it."""
    if (text := _read(tree, "PKG-INFO")) is None:
        return None
    found = email.message_from_string(text)
    if found.get_all("Requires-Dist"):
        return _of_metadata(found, f"{source}/PKG-INFO")
    listed = [e.path for e in tree.files() if e.path.endswith(".egg-info/requires.txt")]
    if not listed:
        known = any(e.path.endswith(".egg-info/PKG-INFO") for e in tree.files())
        return ProjectNeeds(f"{source}/PKG-INFO", [], {}, found.get("Name", "")) if known else None
    place = min(listed, key=len)
    always: list[str] = []
    extras: dict[str, list[str]] = {}
    extra = marker = ""
    for row in (_read(tree, place) or "").splitlines():
        row = row.strip()
        if row.startswith("["):
            extra, _, marker = row.strip("[]").partition(":")
            if extra:
                extras.setdefault(normal(extra), [])
        elif row:
            line = f"{row}; {marker}" if marker else row
            (extras[normal(extra)] if extra else always).append(line)
    return ProjectNeeds(f"{source}/{place}", always, extras, found.get("Name", ""))


def _read(tree: Tree, path: str) -> str | None:
    entry = tree.get(path)
    if entry is None or entry.kind != "file" or entry.size > 4 << 20:
        return None
    return entry.read().decode("utf-8-sig", "replace")
