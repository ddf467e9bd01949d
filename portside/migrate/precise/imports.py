"""Import statements: what they bind, and what they become."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from portside.migrate.precise.compiled import NewName, Rules
from portside.migrate.precise.found import Found, rename
from portside.migrate.precise.guards import guard_of
from portside.migrate.precise.known import Upstream
from portside.migrate.precise.names import Alias, Function, look_up
from portside.migrate.precise.source import Edit, Lines, find_all


@dataclass(frozen=True, slots=True)
class Site:
    """An import statement. parents: the statements around it, outermost first; functions: those of them that are
    functions. depth: blocks around it, in its function or module. typing_only: it runs for type checkers alone."""

    node: ast.Import | ast.ImportFrom
    parents: tuple[ast.AST, ...]
    functions: tuple[Function, ...]
    depth: int
    typing_only: bool


@dataclass(slots=True)
class Imports:
    """The sites of a module, its aliases (name -> meaning), and what the rules say about the statements.

    touched: statements that need the device's module before they run."""

    sites: list[Site] = field(default_factory=list)
    aliases: dict[str, Alias] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)
    touched: list[Site] = field(default_factory=list)


def collect(tree: ast.Module, lines: Lines, rules: Rules, known: Upstream) -> Imports:
    out = Imports()
    marked = sorted({lines.line(at) for at in find_all(lines.utf8, b"import")})
    for site in _sites(tree.body, marked, (), (), 0, False):
        out.sites.append(site)
        before = len(out.found)
        if isinstance(site.node, ast.Import):
            _plain(site.node, lines, rules, out)
        elif not site.node.level and site.node.module:
            _from(site.node, site.node.module, lines, rules, out)
        out.found[before:] = _judged(site, out.found[before:], out.aliases, lines, known)
        if any(found.device for found in out.found[before:]):
            out.touched.append(site)
    if any(not site.functions and _is_star(site.node) for site in out.sites):
        out.aliases.setdefault("torch", Alias("torch", "torch"))
    return out


def _judged(site: Site, found: list[Found], aliases: dict[str, Alias], lines: Lines, known: Upstream) -> list[Found]:
    """What is found in one statement, with what stands around it; beside the card's own import nothing is rewritten."""
    if any(item.edits for item in found) and known.place(site.node, site.parents):
        found = [known.left(item) if item.edits else item for item in found]
        for name in (alias.asname or alias.name for alias in site.node.names):
            if name in aliases:
                aliases[name] = Alias(aliases[name].old, aliases[name].old)
    asked = any(item.cls in ("unsupported", "needs-person") for item in found)
    guard = guard_of(site.node, site.parents, lines) if asked else ""
    return [replace(item, guard=guard) if item.cls in ("unsupported", "needs-person") else item for item in found]


def _is_star(node: ast.Import | ast.ImportFrom) -> bool:
    """`from .everything import *` may bring torch as well, and where nothing else does, it has to."""
    return node.names[0].name == "*"


def _sites(
    body: list[ast.stmt],
    marked: list[int],
    parents: tuple[ast.AST, ...],
    functions: tuple[Function, ...],
    depth: int,
    typing_only: bool,
) -> Iterator[Site]:
    for node in body:
        if not within(marked, node.lineno, node.end_lineno or node.lineno):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield Site(node, parents, functions, depth, typing_only)
            continue
        inner, level, around = functions, depth + 1, (*parents, node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inner, level = (*functions, node), 0
        typing = typing_only or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
        for name in ("body", "orelse", "finalbody"):
            part = getattr(node, name, None)
            if part:
                yield from _sites(part, marked, around, inner, level, typing if name == "body" else typing_only)
        for handler in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
            yield from _sites(handler.body, marked, (*around, handler), inner, level, typing_only)


def within(marked: list[int], first: int, last: int) -> bool:
    """Whether one of the sorted line numbers lies in first..last."""
    from bisect import bisect_left

    at = bisect_left(marked, first)
    return at < len(marked) and marked[at] <= last


def _plain(node: ast.Import, lines: Lines, rules: Rules, out: Imports) -> None:
    for alias in node.names:
        start = lines.offset(alias.lineno, alias.col_offset)
        new = _module(alias.name, start, lines, rules, out)
        if alias.asname:
            out.aliases[alias.asname] = Alias(alias.name, new)
        else:
            root = alias.name.partition(".")[0]
            out.aliases.setdefault(root, Alias(root, root))


def _module(name: str, start: int, lines: Lines, rules: Rules, out: Imports) -> str:
    """Judge `import name`, whose name begins at `start`; gives the name after the migration."""
    known = report_module(name, start, rules)
    if known is not None:
        out.found.append(known)
        return name
    target = look_up(rules, name)
    if target is None:
        return name
    rule, part = target
    end = start + len(name)
    new = rule.to + name[len(part) :]
    if rule.cls == "rewritten" and lines.utf8[start:end] == name.encode():
        out.found.append(Found(start, end, rule.cls, rule.rule, name, rename(start, name, new), device=rule.device))
        return new
    cls = "needs-person" if rule.cls == "rewritten" else rule.cls
    out.found.append(Found(start, end, cls, rule.rule, name))
    return name


def report_module(name: str, start: int, rules: Rules) -> Found | None:
    """What the rules say about the import of a package that has no counterpart."""
    part = name
    while part:
        target = rules.modules.get(part)
        if target is not None:
            return Found(start, start + len(name), target.cls, target.rule, part)
        part = part.rpartition(".")[0]
    return None


def _from(node: ast.ImportFrom, module: str, lines: Lines, rules: Rules, out: Imports) -> None:
    start = lines.offset(node.lineno, node.col_offset)
    match = re.compile(rb"from(?:[ \t\f]|\\\r?\n)+(%s)(?![\w.])" % re.escape(module).encode()).match(lines.utf8, start)
    at = match.start(1) if match else start
    known = report_module(module, at, rules)
    if known is not None:
        out.found.append(known)
    judged = [(alias, _name(alias, module, known is not None, lines, rules, out)) for alias in node.names]
    homes = {new.rpartition(".")[0] for _, new in judged}
    moves = [(alias, new) for alias, new in judged if new != f"{module}.{alias.name}"]
    home = homes.pop() if len(homes) == 1 else module
    possible = match is not None and (home != module or all(new.rpartition(".")[0] == module for _, new in moves))
    for alias, new in judged:
        if alias.name != "*":
            old = f"{module}.{alias.name}"
            out.aliases[alias.asname or alias.name] = Alias(old, new if possible else old)
    for alias, new in moves:
        rule, _ = look_up(rules, f"{module}.{alias.name}") or look_up(rules, module) or (None, "")
        assert rule is not None
        out.found.append(_from_found(alias, module, new, rule, possible, lines))
    if possible and home != module:
        rule_of_module = (look_up(rules, module) or look_up(rules, f"{module}.{node.names[0].name}") or (None, ""))[0]
        assert rule_of_module is not None
        edits = rename(at, module, home)
        found = Found(
            at, at + len(module), "rewritten", rule_of_module.rule, module, edits, device=rule_of_module.device
        )
        out.found.append(found)


def _name(alias: ast.alias, module: str, reported: bool, lines: Lines, rules: Rules, out: Imports) -> str:
    """The full new name of one imported name; what is not rewritten is reported here."""
    old = f"{module}.{alias.name}" if alias.name != "*" else module
    full = f"{module}.{alias.name}"
    start = lines.offset(alias.lineno, alias.col_offset)
    if not reported:
        known = report_module(old, start, rules)
        if known is not None:
            out.found.append(Found(start, start + len(alias.name), known.cls, known.rule, known.name))
            return full
    target = look_up(rules, old)
    if target is None:
        return full
    rule, part = target
    if rule.cls != "rewritten":
        out.found.append(Found(start, start + len(alias.name), rule.cls, rule.rule, part))
        return full
    new = rule.to + old[len(part) :]
    return f"{new}.*" if alias.name == "*" else new


def _from_found(alias: ast.alias, module: str, new: str, rule: NewName, possible: bool, lines: Lines) -> Found:
    start = lines.offset(alias.lineno, alias.col_offset)
    end = start + len(alias.name)
    name = module if alias.name == "*" else f"{module}.{alias.name}"
    if not possible or lines.utf8[start:end] != alias.name.encode():
        note = "It is imported together with names that stay where they are: import it in a statement of its own."
        return Found(start, end, "needs-person", rule.rule, name, note=note)
    last = new.rpartition(".")[2]
    edits: tuple[Edit, ...] = ()
    if last != alias.name:
        edits = (Edit(start, end, (last if alias.asname else f"{last} as {alias.name}").encode()),)
    return Found(start, end, "rewritten", rule.rule, name, edits, device=rule.device)
