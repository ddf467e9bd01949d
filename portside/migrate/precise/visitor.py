"""One walk over the statements that hold something a rule may be for."""

import ast
import re
from bisect import insort
from collections.abc import Sequence
from dataclasses import replace

from portside.migrate.precise.compiled import NewName
from portside.migrate.precise.first_argument import judge_first
from portside.migrate.precise.found import Found, rename
from portside.migrate.precise.imports import within
from portside.migrate.precise.lexer import fields, tokens
from portside.migrate.precise.literals import judge_f_string, judge_string
from portside.migrate.precise.members import REPLACED, judge_member, judge_numbers, of_card
from portside.migrate.precise.names import Alias, Chain, Function, look_up
from portside.migrate.precise.source import Edit, Lines
from portside.migrate.precise.walk import Walk

_FLAG_HOLDERS = frozenset(
    [
        "args",
        "arg",
        "opt",
        "opts",
        "options",
        "config",
        "cfg",
        "conf",
        "hparams",
        "params",
        "FLAGS",
        "flags",
        "self",
        "settings",
    ]
)
DEEPEST = 300
"""Nodes inside each other; a number of our own, as how deep Python itself can go differs from version to version."""
_PART = re.compile(rb"[A-Za-z0-9_./-]")


class Visitor(Walk):
    """The walk itself: which node is judged how."""

    def body(self, statements: Sequence[ast.stmt]) -> None:
        for node in statements:
            first = node.lineno
            decorators = getattr(node, "decorator_list", None)
            if decorators:
                first = min(first, decorators[0].lineno)
            if within(self.marked, first, node.end_lineno or first):
                self.visit(node)

    def visit(self, node: ast.AST) -> None:
        outer, self.node = self.node, node
        self._visit(node)
        self.node = outer

    def _visit(self, node: ast.AST) -> None:
        kind = type(node)
        if kind is ast.Attribute:
            self._attribute(node)  # type: ignore[arg-type]
        elif kind is ast.Name:
            self._name(node)  # type: ignore[arg-type]
        elif kind is ast.Constant:
            if isinstance(node.value, str | bytes):  # type: ignore[attr-defined]
                judge_string(self, node)  # type: ignore[arg-type]
        elif kind is ast.JoinedStr:
            self._f_string(node)  # type: ignore[arg-type]
        elif kind is ast.Call:
            self._call(node)  # type: ignore[arg-type]
        elif kind in (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda):
            self._function(node)  # type: ignore[arg-type]
        elif kind not in (ast.Import, ast.ImportFrom):
            self._children(node)

    def _children(self, node: ast.AST) -> None:
        if len(self.parents) >= DEEPEST:
            raise RecursionError
        self.parents.append(node)
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, list):
                if value and isinstance(value[0], ast.stmt):
                    self.body(value)
                else:
                    for item in value:
                        if isinstance(item, ast.AST) and self._concerns(item):
                            self.visit(item)
            elif isinstance(value, ast.AST) and self._concerns(value):
                self.visit(value)
        self.parents.pop()

    def _concerns(self, node: ast.AST) -> bool:
        """Whether a marked line is among the node's, or the node does not know its lines."""
        first = getattr(node, "lineno", None)
        return first is None or self.base is not None or within(self.marked, first, node.end_lineno)  # type: ignore[attr-defined]

    def _function(self, node: Function) -> None:
        if not isinstance(node, ast.Lambda):
            in_class = bool(self.parents) and isinstance(self.parents[-1], ast.ClassDef)
            target = self.rules.methods.get(node.name) or self.rules.attributes.get(node.name)
            if in_class and target is not None:
                self._definition(node, target)
        self.functions.append(node)
        self._children(node)
        self.functions.pop()

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef, target: NewName) -> None:
        """A class that defines the method itself: it keeps up with the calls."""
        start = self.span(node)[0]
        at = self.lines.utf8.find(node.name.encode(), self.lines.utf8.find(b"def", start) + 3)
        end = at + len(node.name)
        if self.lines.utf8[start:at].split() not in ([b"def"], [b"async", b"def"]) or node.name in self.rules.dropped:
            return
        if target.cls != "rewritten" or target.first:
            cls = "needs-person" if target.first else target.cls
            self.add(Found(at, end, cls, target.rule, f"def {node.name}"))
        else:
            edits = (Edit(at, end, target.to.encode()),)
            self.add(Found(at, end, "rewritten", target.rule, f"def {node.name}", edits))

    # names

    def chain(self, node: ast.expr) -> Chain | None:
        """The imported name that an expression `a.b.c` is, if it is one."""
        attributes: list[tuple[str, int]] = []
        inner = node
        while isinstance(inner, ast.Attribute):
            start = self.span(inner)[1] - len(inner.attr.encode())
            if inner.attr == "torch" and attributes:
                return self._held(inner, start, tuple(attributes[::-1]), self.span(node)[1])
            attributes.append((inner.attr, start))
            inner = inner.value
        if not isinstance(inner, ast.Name):
            return None
        alias = self.imports.aliases.get(inner.id)
        if alias is None:
            return None
        attributes.reverse()
        old = ".".join([alias.old, *(name for name, _ in attributes)])
        concerns = self._is_device(old) or look_up(self.rules, old) is not None
        if concerns and self._hidden(inner.id):
            return None
        start, end = self.span(node)
        return Chain(old, alias, inner.id, self.span(inner)[0], max(end, start), tuple(attributes))

    def _held(self, inner: ast.Attribute, start: int, attributes: tuple[tuple[str, int], ...], end: int) -> Chain:
        """`self.torch.cuda.x`: an object holds the module."""
        old = ".".join(["torch", *(name for name, _ in attributes)])
        return Chain(old, Alias("torch", "torch"), "torch", start, end, attributes, inner.value)

    def _hidden(self, name: str) -> bool:
        return self.shadows.hides(name, self.functions)

    def _name(self, node: ast.Name) -> None:
        alias = self.imports.aliases.get(node.id)
        if alias is None or self._hidden(node.id):
            return
        if self._is_device(alias.new):
            self.needs.append(tuple(self.functions))
        target = self.rules.apis.get(alias.old)
        if target is not None and target.first and alias.new != alias.old:
            judge_first(self, node, target, alias.old, ())

    def _is_device(self, dotted: str) -> bool:
        namespace = self.rules.namespace
        return namespace is not None and (dotted == namespace or dotted.startswith(namespace + "."))

    def _attribute(self, node: ast.Attribute) -> None:
        if node in self.judged:
            return
        chain = self.chain(node)
        if chain is not None and chain.attributes:
            if self._is_device(chain.old) or self._is_device(chain.alias.new):
                self.needs.append(tuple(self.functions))
            if self._api(chain):
                if chain.holder is not None:
                    self.visit(chain.holder)
                return
        if chain is None or not chain.old.startswith(tuple(self.rules.others)):
            self._member(node, chain)
        if (
            chain is None
            or chain.holder is not None
            or any(name in self.rules.attributes for name, _ in chain.attributes[:-1])
        ):
            self.parents.append(node)
            self.visit(node.value)
            self.parents.pop()

    def _api(self, chain: Chain) -> bool:
        target = look_up(self.rules, chain.old)
        if target is None or len(target[1]) <= len(chain.alias.old):
            return False
        rule, part = target
        end = self._end_of_part(chain, part)
        if rule.cls != "rewritten":
            self.add(Found(chain.start, end, rule.cls, rule.rule, part))
            return True
        if isinstance(self.node, ast.Attribute) and not isinstance(self.node.ctx, ast.Load) and of_card(self, part):
            self.add(Found(chain.start, end, "needs-person", rule.rule, part, note=REPLACED))
            return True
        edits = self._rewrite(chain, part, rule.to, end)
        if edits is None:
            note = f"Write {rule.to} here by hand: the names that it needs are not imported."
            self.add(Found(chain.start, end, "needs-person", rule.rule, part, note=note))
        elif rule.first:
            judge_first(self, self.node, rule, part, edits)
        else:
            self.add(Found(chain.start, end, "rewritten", rule.rule, part, edits, device=rule.device))
        return True

    def _end_of_part(self, chain: Chain, part: str) -> int:
        count = part.count(".") - chain.alias.old.count(".")
        name, start = chain.attributes[count - 1]
        return start + len(name.encode())

    def _rewrite(self, chain: Chain, part: str, to: str, end: int) -> tuple[Edit, ...] | None:
        """Edits that make `part`, as the text spells it, mean `to`; None where that needs other imports."""
        new = chain.alias.new
        if to.startswith(new + "."):
            rest = to[len(new) + 1 :].split(".")
            old = [name for name, _ in chain.attributes][: part.count(".") - chain.alias.old.count(".")]
            if len(rest) == len(old):
                pairs = zip(chain.attributes, rest, strict=False)
                return tuple(
                    Edit(start, start + len(name.encode()), after.encode())
                    for (name, start), after in pairs
                    if name != after
                )
            return (Edit(chain.start, end, f"{chain.root}.{'.'.join(rest)}".encode()),)
        root = to.partition(".")[0]
        if root == self.rules.module or self.imports.aliases.get(root) == Alias(root, root):
            return (Edit(chain.start, end, to.encode()),)
        return None

    def _member(self, node: ast.Attribute, chain: Chain | None) -> None:
        """An attribute of an object, or a method that is not called."""
        start, end = self.span(node)
        start = end - len(node.attr.encode())
        attribute = self.rules.attributes.get(node.attr)
        if attribute is not None and self.lines.utf8[start:end] == node.attr.encode():
            is_new = attribute.cls == "rewritten"
            edits = (Edit(start, end, attribute.to.encode()),) if is_new else ()
            self.add(Found(start, end, attribute.cls, attribute.rule, f".{node.attr}", edits, device=is_new))
            return
        method = self.rules.methods.get(node.attr)
        if method is None or (chain is not None and not self._hidden(chain.root)):
            return
        holder = node.value
        name = holder.id if isinstance(holder, ast.Name) else holder.attr if isinstance(holder, ast.Attribute) else ""
        if name in _FLAG_HOLDERS or isinstance(node.ctx, ast.Store):
            self.add(Found(start, end, "kept", "own-attribute", f".{node.attr}"))
        else:
            note = f"If this is the method of a tensor or module, write .{method.to} by hand."
            self.add(Found(start, end, "needs-person", method.rule, f".{node.attr}", note=note))

    # calls

    def _call(self, node: ast.Call) -> None:
        func = node.func
        if isinstance(func, ast.Attribute) and func.attr in self.rules.methods and self._method(node, func):
            self.parents.append(node)
            self.parents.append(func)
            self.visit(func.value)
            self.parents.pop()
            if func.attr not in self.rules.dropped:
                for child in (*node.args, *node.keywords):
                    self.visit(child)
            self.parents.pop()
            return
        self._places(node)
        self._keywords(node)
        self._children(node)

    def _method(self, node: ast.Call, func: ast.Attribute) -> bool:
        """`x.cuda(...)`; false where it is a function of an imported module and no method."""
        chain = self.chain(func)
        target = self.rules.methods[func.attr]
        start, end = self.span(func)
        start = end - len(func.attr.encode())
        if self.lines.utf8[start:end] != func.attr.encode():
            return False
        if chain is not None and look_up(self.rules, chain.old) is not None:
            return False
        if chain is not None and len(chain.attributes) == 1 and not self._hidden(chain.root):
            self.add(Found(start, end, "kept", "foreign-module", chain.old))
            return True
        edits = [Edit(start, end, target.to.encode())]
        if target.first:
            judge_first(self, func, target, f".{func.attr}()", tuple(edits))
            return True
        if func.attr in self.rules.dropped and (node.args or node.keywords):
            open_at = self.lines.utf8.index(b"(", end)
            edits.append(Edit(open_at + 1, self.span(node)[1] - 1, b""))
            end = self.span(node)[1]
        self.add(Found(start, end, "rewritten", target.rule, f".{func.attr}()", tuple(edits), device=True))
        return True

    def _keywords(self, node: ast.Call) -> None:
        for keyword in node.keywords:
            if keyword.arg is None:
                continue
            start = self.span(keyword)[0]
            end = start + len(keyword.arg.encode())
            target = self.rules.variables.get(keyword.arg)
            if target is None and any(keyword.arg == name for _, name in self.rules.keywords):
                chain = self.chain(node.func)
                target = self.rules.keywords.get((chain.old, keyword.arg)) if chain is not None else None
            if target is None or self.lines.utf8[start:end] != keyword.arg.encode():
                continue
            edits = rename(start, keyword.arg, target.to) if target.cls == "rewritten" else ()
            if target.value:
                self._keyword_value(keyword, start, target, edits)
            else:
                self.add(Found(start, end, target.cls, target.rule, keyword.arg, edits))

    def _keyword_value(self, keyword: ast.keyword, start: int, target: NewName, edits: tuple[Edit, ...]) -> None:
        """A keyword whose new one takes something else than a truth value."""
        assert keyword.arg is not None
        value = keyword.value
        first, last = self.span(value)
        if isinstance(value, ast.Constant):
            new = target.value if value.value is True else target.otherwise
            if new:
                edits = (*edits, Edit(first, last, new.encode()))
                self.add(Found(start, last, target.cls, target.rule, keyword.arg, edits))
        elif target.otherwise and not isinstance(value, ast.IfExp | ast.Lambda | ast.NamedExpr):
            head = Edit(start, first, f"{target.to}={target.value} if ".encode())
            self.add(Found(start, first, target.cls, target.rule, keyword.arg, (head,)))
            tail = Edit(last, last, f" else {target.otherwise}".encode())
            self.add(Found(last, last, target.cls, target.rule, keyword.arg, (tail,)))
        else:
            note = f"Where it is true, write {target.to}={target.value} by hand."
            self.add(Found(start, start + len(keyword.arg), "needs-person", target.rule, keyword.arg, note=note))

    def _places(self, node: ast.Call) -> None:
        """Bare device numbers, and names that are given as texts or made up at run time."""
        func = node.func
        if self.rules.index:
            judge_numbers(self, node, self.chain(func) if isinstance(func, ast.Attribute | ast.Name) else None)
        if len(node.args) > 1 and isinstance(node.args[0], ast.Attribute | ast.Name):
            judge_member(self, node, self.chain(node.args[0]))

    # f-strings

    def _f_string(self, node: ast.JoinedStr) -> None:
        if judge_f_string(self, node):
            return
        start, end = self.span(node)
        for token in self.tokens(start, end):
            if not token.is_f:
                continue
            for first, last in fields(self.lines.utf8, token):
                around = self.lines.utf8[max(first - 2, token.body_start) : first - 1]
                around += self.lines.utf8[last + 1 : min(last + 2, token.body_end)]
                outer, self.glued = self.glued, len(self.parents) if _PART.search(around) else None
                self._field(first, last)
                self.glued = outer

    def _field(self, first: int, last: int) -> None:
        """An expression inside an f-string, parsed alone: before Python 3.12 the AST does not tell its place."""
        text = b"(" + self.lines.utf8[first:last] + b")"
        lines = Lines(text)
        if self.base is None and not within(self.marked, self.lines.line(first), self.lines.line(last)):
            return
        for token in tokens(text):
            start = token.start + first - 1
            shift = start - token.start
            if start not in self.strings:
                insort(self.starts, start)
            self.strings[start] = replace(
                token,
                start=start,
                end=token.end + shift,
                body_start=token.body_start + shift,
                body_end=token.body_end + shift,
            )
        outer, self.base = self.base, (lines, first - 1)
        if outer is None:
            self.field_depth = len(self.parents)
        self.visit(ast.parse(text.decode(), mode="eval").body)
        self.base = outer
