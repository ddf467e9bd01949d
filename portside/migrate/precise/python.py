"""One Python file through precise mode."""

import ast
import gc
import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from portside.migrate.precise.compiled import Rules, hides, places
from portside.migrate.precise.found import Found
from portside.migrate.precise.imports import Imports, collect
from portside.migrate.precise.known import Upstream, names_card
from portside.migrate.precise.leftovers import left_over
from portside.migrate.precise.lexer import NotLexed, Token, fields, tokens
from portside.migrate.precise.placing import place
from portside.migrate.precise.regions import reduced
from portside.migrate.precise.signatures import NONE, Signatures
from portside.migrate.precise.source import Decoded, Edit, Lines, Unreadable, apply, decode
from portside.migrate.precise.visitor import Visitor
from portside.migrate.report.hits import FileReport, Hit

GRAMMAR = (3, 10)
"""Newer syntax counts as not compiling, so that every Python that runs Portside gives the same result."""

CALLS = 1000
"""Nested calls that a file may need: Python's own limit, with which its compiler does not overflow the stack."""

UNREADABLE_RULE = "not-text"
SYNTAX_RULE = "does-not-compile"


def migrate_python(
    path: str, data: bytes, rules: Rules, twin: str = "", signatures: Signatures = NONE
) -> tuple[bytes, FileReport | None]:
    """The migrated bytes, and the report if there is any hit. A file that cannot be judged stays as it is.

    twin: the path of a file beside it that does for the card what this one does for CUDA; "" where there is none.
    signatures: of the source's own functions, as far as any file asked for them.
    """
    found = places(rules, data)
    if not found:
        return data, None
    try:
        decoded = decode(data)
    except Unreadable as error:
        return data, _left(path, UNREADABLE_RULE, str(error))
    utf8 = decoded.utf8
    found = found if utf8 is data else places(rules, utf8)
    try:
        with room():
            return _migrate(path, data, decoded, found, rules, twin, signatures)
    except NotLexed as error:
        newer = "its syntax is newer than Python 3.10: " if error.newer else "it has syntax that is not understood: "
        return data, _left(path, SYNTAX_RULE, f"{newer}{error}")
    except (SyntaxError, ValueError):
        return data, _left(path, SYNTAX_RULE, _reason(utf8))
    except (RecursionError, MemoryError):
        return data, _left(path, SYNTAX_RULE, "it is nested too deeply to be read")


@contextmanager
def room() -> Iterator[None]:
    """As many nested calls for the block as a new process has: what a file becomes must not depend on who calls."""
    frame, depth = sys._getframe(), 0
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + CALLS)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


_NEWER = (
    ("type parameters", re.compile(rb"(?m)^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+\w+[ \t]*\[")),
    ("a type statement", re.compile(rb"(?m)^[ \t]*type[ \t]+\w+[ \t]*(?:\[[^\n]*\][ \t]*)?=(?!=)")),
    ("exception groups", re.compile(rb"(?m)^[ \t]*except[ \t]*\*")),
    ("template strings", re.compile(rb"(?<![\w\"'])(?:t|rt|tr)[\"']", re.IGNORECASE)),
    ("unpacking in an index", re.compile(rb"\w\[\*|\w\[[^\]\n]*,[ \t]*\*\w")),
)
"""What came after `GRAMMAR`, by texts: which Python runs Portside must not decide what a report says."""


def _reason(utf8: bytes) -> str:
    """Why a text does not compile."""
    newer = [name for name, pattern in _NEWER if pattern.search(utf8)]
    if newer:
        return f"its syntax is newer than Python 3.10 ({', '.join(newer)})"
    return "it does not compile as Python 3"


def _left(path: str, rule: str, reason: str) -> FileReport:
    return FileReport(path, "left", [Hit("needs-person", rule, 0, 0, path, "", "")], reason)


@dataclass(frozen=True, slots=True)
class Judged:
    """What is found in a program, by place; what there is to know of it as a whole; and the functions whose parameters
    would say what a text in it is."""

    found: list[Found]
    summary: str
    asked: frozenset[str]


def judge(utf8: bytes, rules: Rules, found: list[int], twin: str = "", signatures: Signatures = NONE) -> Judged:
    """Judge a program. found: what `places` gives for it. Raises SyntaxError, ValueError, NotLexed or RecursionError
    where it cannot be read."""
    lexed = list(tokens(utf8))
    for token in lexed:
        if token.is_f and b"{" in utf8[token.body_start : token.body_end]:
            fields(utf8, token)
    lines = Lines(utf8)
    marked = sorted({lines.line(at) for at in found})
    tree, whole = _tree(utf8, lines, lexed, marked, names_card(utf8, rules))
    known = Upstream(rules, utf8, tree, twin)
    imports = collect(tree, lines, rules, known)
    behind = {lines.line(at) for at in _alias_places(utf8, imports, rules)}
    if behind and not whole:
        tree = parse(utf8)
        known = Upstream(rules, utf8, tree, twin)
        imports = collect(tree, lines, rules, known)
    marked = sorted({*marked, *behind})
    strings = {token.start: token for token in lexed if token.kind == "string"}
    visitor = Visitor(lines, rules, imports, strings, marked, known, signatures)
    visitor.body(tree.body)
    everything = [*imports.found, *visitor.found]
    if rules.module is not None and (not known.possible or any(item.edits for item in everything)):
        everything += place(tree, lines, rules.module, imports, visitor.needs)
    everything = outermost(everything)
    covered = sorted((item.start, item.end) for item in everything if item.end > item.start)
    everything += left_over(utf8, rules, lexed, covered, visitor.uses)
    everything.sort(key=lambda item: (item.start, item.end))
    return Judged(everything, known.summary(lines), frozenset(visitor.asked))


def edits_of(found: Iterable[Found]) -> list[Edit]:
    """All edits, by place."""
    return sorted((edit for item in found for edit in item.edits), key=lambda edit: (edit.start, edit.end))


def _migrate(
    path: str, data: bytes, decoded: Decoded, found: list[int], rules: Rules, twin: str, signatures: Signatures
) -> tuple[bytes, FileReport | None]:
    judged = judge(decoded.utf8, rules, found, twin, signatures)
    if not judged.found:
        return data, None
    lines = Lines(decoded.utf8)
    report = FileReport(path, "unchanged", hits(judged.found, lines), "", judged.summary, judged.asked)
    edits = edits_of(judged.found)
    if not edits:
        return data, report
    new = decoded.encode(apply(decoded.utf8, edits))
    if not compiles(new):
        return data, _left(path, SYNTAX_RULE, "it does not compile as Python 3")
    report.state = "edited"
    return new, report


def outermost(found: list[Found]) -> list[Found]:
    """Ordered by place, without what lies in text that another place replaces (`"cuda:" + str(x.cuda())`, whole)."""
    out: list[Found] = []
    end = -1
    for item in sorted(found, key=lambda item: (item.start, -item.end)):
        if item.start >= end or item.start == item.end:
            out.append(item)
            end = max([end, *(edit.end for edit in item.edits)])
    return out


def _alias_places(utf8: bytes, imports: Imports, rules: Rules) -> list[int]:
    """Where names appear that stand for a module below torch, or for a function whose calls get an argument: the word
    that a rule looks for is not in such lines."""
    out: list[int] = []
    for name, alias in imports.aliases.items():
        target = rules.apis.get(alias.old)
        if hides(rules, alias.old) or (target is not None and target.first):
            out += [match.start() for match in re.finditer(rb"\b%s\b" % re.escape(name).encode(), utf8)]
    return out


def _tree(
    utf8: bytes, lines: Lines, lexed: list[Token], marked: list[int], everything: bool
) -> tuple[ast.Module, bool]:
    """The syntax tree of what matters (or everything), and whether it is that of the whole file."""
    part = None if everything else reduced(utf8, lines, lexed, marked)
    if part is not None:
        try:
            return parse(part), False
        except SyntaxError:
            pass
    return parse(utf8), True


def parse(utf8: bytes) -> ast.Module:
    """The AST; the garbage collector would take most of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(utf8.decode("utf-8"), feature_version=GRAMMAR)
    finally:
        if enabled:
            gc.enable()


def compiles(data: bytes) -> bool:
    """Whether Python compiles the bytes of a file, in the encoding that they declare."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(data, "migrated", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def hits(found: list[Found], lines: Lines) -> list[Hit]:
    """Found places as the report's hits, with the lines where they are afterwards."""
    out: list[Hit] = []
    added = 0
    for item in found:
        line = lines.line(item.start)
        before = lines.utf8[item.start : item.end]
        after = _edited(before, item)
        inserted = item.start == item.end
        text = after.decode("utf-8", "replace").strip() if inserted else after.decode("utf-8", "replace")
        grown = after.count(b"\n") - before.count(b"\n") if item.edits else 0
        at_end = inserted and after.startswith((b"\n", b"\r"))
        above = inserted and not at_end and after.endswith((b"\n", b"\r"))
        out.append(
            Hit(
                item.cls,
                item.rule,
                max(1, line - above),
                0 if inserted else lines.column(item.start),
                item.name,
                before.decode("utf-8", "replace"),
                text,
                line + added + at_end,
                item.note,
                item.guard,
            )
        )
        added += grown
    return out


def _edited(before: bytes, item: Found) -> bytes:
    edits = [Edit(edit.start - item.start, edit.end - item.start, edit.new) for edit in item.edits]
    return apply(before, sorted(edits, key=lambda edit: (edit.start, edit.end)))
