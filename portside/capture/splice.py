"""Lines put into a recipe's YAML: all others stay byte for byte.

YAML's parser tells where each value begins and ends, so new lines go to their place as text. What comes out is read
again, and has to be exactly the values that were meant; where no place gives them (a list behind an alias, a merged
mapping), nothing is written and the error shows the lines.
"""

import copy
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from portside.common.yaml_file import Location, read_document
from portside.errors import RecipeError

ORDER = [
    "description",
    "extends",
    "without",
    "base",
    "accelerator",
    "env",
    "sources",
    "migration",
    "patches",
    "files",
    "install",
    "weights",
    "data",
    "run",
    "registry",
    "checks",
]
"""The keys of a recipe in the order in which people expect them."""
_RESOLVER: Any = yaml.SafeLoader("")
_PLAIN = re.compile(r"[A-Za-z0-9_./][\w ./()=,;@+<>!~^-]*")
_STEP = "  "


class SpliceError(Exception):
    """No place for a value gives what was meant."""


class RecipeText:
    """The text of one recipe's file, changed place by place. name: of the file, for errors."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self._name = name
        self._line_end = "\r\n" if "\r\n" in text else "\n"

    def values(self) -> Any:
        return read_text(self.text)

    def append(self, at: Location, items: Sequence[Any]) -> None:
        """Put items behind those of a list; the list, and mappings on the way to it, are made where they are missing.

        Raises RecipeError, with the lines to write by hand, where that cannot be done.
        """
        if items:
            self._change(at, list(items), lambda old: [*(old or []), *items], self._appended)

    def put(self, at: Location, value: Any) -> None:
        """Give a key that is not there its value; mappings on the way to it are made where they are missing."""
        self._change(at, value, lambda old: value, self._put)

    def replace(self, at: Location, value: Any) -> None:
        """Give what stands at a place another value."""
        self._change(at, value, lambda old: value, self._replaced)

    def remove(self, at: Location) -> None:
        """Take out an item of a list, or a key, with its lines; with a list's last item its key goes."""
        wanted = copy.deepcopy(self.values())
        holder = _get(wanted, at[:-1])
        if isinstance(holder, list) and len(holder) == 1:
            return self.remove(at[:-1])
        del holder[at[-1]]
        for text in self._removed(at):
            if _reads_as(text, wanted):
                self.text = text
                return None
        raise RecipeError(f"{self._name}: {'.'.join(map(str, at))} cannot be taken out by itself", "Take it out there.")

    def _change(
        self,
        at: Location,
        value: Any,
        change: Callable[[Any], Any],
        candidates: Callable[[Location, Any], Iterator[str]],
    ) -> None:
        wanted = copy.deepcopy(self.values())
        _set(wanted, at, change(_get(wanted, at)))
        for text in candidates(at, value):
            if _reads_as(text, wanted):
                self.text = text
                return
        lines = "\n".join(f"  {line}" for line in block(_nested(at, value), ""))
        raise RecipeError(
            f"{self._name}: {'.'.join(map(str, at))}: there is no place for new lines (an alias, a merged mapping or "
            "lines in brackets may be in the way)",
            f"Write them by hand, and capture again:\n{lines}",
        )

    def _appended(self, at: Location, items: list[Any]) -> Iterator[str]:
        node = self._node(at)
        if not isinstance(node, yaml.SequenceNode):
            yield from self._put(at, items)
            return
        if node.flow_style:
            yield from self._into_flow(node, [flow(item) for item in items])
            if not node.value:
                yield self._with(node.start_mark.index, node.end_mark.index, self._below(at, items))
            return
        indent = " " * node.start_mark.column
        yield from self._behind(node.value[-1], [line for item in items for line in item_lines(item, indent)])

    def _put(self, at: Location, value: Any) -> Iterator[str]:
        """The place of the deepest mapping on the way that is there."""
        for depth in range(len(at) - 1, -1, -1):
            node = self._node(at[:depth])
            if isinstance(node, yaml.MappingNode):
                break
        else:
            raise SpliceError
        found = next((v for k, v in node.value if k.value == at[depth]), None)
        rest = _nested(at[depth + 1 :], value)
        if found is not None:  # it is there, without a value
            yield self._with(found.start_mark.index, found.end_mark.index, self._below(at[: depth + 1], rest))
            yield self._with(found.start_mark.index, found.end_mark.index, " " + flow(rest))
            return
        key = str(at[depth])
        if node.flow_style:
            yield from self._into_flow(node, [f"{key}: {flow(rest)}"])
            if not node.value:
                yield self._with(node.start_mark.index, node.end_mark.index, self._below(at[:depth], {key: rest}))
            return
        indent = " " * node.start_mark.column
        lines = block({key: rest}, indent)
        behind = node.value[-1][1]
        if depth == 0:
            lines = ["", *lines]
            before = [v for k, v in node.value if k.value in ORDER and key in ORDER[ORDER.index(k.value) + 1 :]]
            yield from self._behind(before[-1] if before else behind, lines)
        yield from self._behind(behind, lines)

    def _replaced(self, at: Location, value: Any) -> Iterator[str]:
        node = self._node(at)
        if node is None:
            return
        start, end = node.start_mark.index, node.end_mark.index
        if isinstance(value, dict) and isinstance(node, yaml.MappingNode) and not node.flow_style:
            indent = " " * node.start_mark.column
            lines = block(value, indent)
            yield self._with(start, self._content_end(node), self._joined([lines[0][len(indent) :], *lines[1:]]))
        if isinstance(value, str) and "\n" in value and not (isinstance(node, yaml.ScalarNode) and node.style is None):
            key = " " * (self._indent(start) + len(_STEP))
            ending = self._line_end if self.text[:end].endswith("\n") else ""
            yield self._with(start, end, self._joined(literal(value, key)) + ending)
        yield self._with(start, end, flow(value))
        if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
            yield self._with(start, end, flow(value) + self._line_end)

    def _removed(self, at: Location) -> Iterator[str]:
        holder, node = self._node(at[:-1]), self._node(at)
        if not isinstance(holder, yaml.CollectionNode) or node is None:
            return
        if isinstance(holder, yaml.MappingNode):
            number, spans = next((n, holder.value) for n, (key, _) in enumerate(holder.value) if key.value == at[-1])
        else:
            number, spans = int(at[-1]), [(item, item) for item in holder.value]
        first = spans[number][0]
        if holder.flow_style:
            if number + 1 < len(spans):
                yield self._with(first.start_mark.index, spans[number + 1][0].start_mark.index, "")
            elif number:
                yield self._with(spans[number - 1][1].end_mark.index, node.end_mark.index, "")
            return
        start = self.text.rfind("\n", 0, first.start_mark.index) + 1
        end = self.text.find("\n", self._content_end(node))
        end = len(self.text) if end < 0 else end + 1
        yield self._with(start, end, "")

    def _node(self, at: Location) -> yaml.Node | None:
        """The node at a place, None where there is none, or where it is written somewhere else (an alias)."""
        loader = yaml.SafeLoader(self.text)
        try:
            node: yaml.Node | None = loader.get_single_node()
        finally:
            loader.dispose()
        for key in at:
            above = node
            if isinstance(node, yaml.MappingNode):
                node = next((value for name, value in node.value if name.value == key), None)
            elif isinstance(node, yaml.SequenceNode) and isinstance(key, int):
                node = node.value[key] if key < len(node.value) else None
            else:
                return None
            if node is None or above is None or not _is_inside(node, above):
                return None
        return node

    def _into_flow(self, node: yaml.CollectionNode, texts: Sequence[str]) -> Iterator[str]:
        end = node.end_mark.index - 1
        if not node.value:
            yield self._with(end, end, ", ".join(texts))
            return
        last = node.value[-1][1] if isinstance(node, yaml.MappingNode) else node.value[-1]
        first = node.value[-1][0] if isinstance(node, yaml.MappingNode) else last
        end = last.end_mark.index
        if first.start_mark.line > node.start_mark.line:  # an item on each line
            between = f",{self._line_end}{' ' * first.start_mark.column}"
            yield self._with(end, end, "".join(between + text for text in texts))
        yield self._with(end, end, "".join(f", {text}" for text in texts))

    def _behind(self, node: yaml.Node, lines: list[str]) -> Iterator[str]:
        """The lines below the line on which a value ends."""
        for end in dict.fromkeys((self._content_end(node), node.end_mark.index)):
            stop = self.text.find("\n", end)
            if end and self.text[end - 1 : end] == "\n":
                stop = end - 1
            if stop < 0:
                yield self.text + self._line_end + self._joined(lines) + self._line_end
                continue
            yield self._with(stop + 1, stop + 1, self._joined(lines) + self._line_end)

    def _content_end(self, node: yaml.Node) -> int:
        """Where what is written of a value ends; the parser counts blank lines and comments behind a block to it."""
        if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1][1] if isinstance(node, yaml.MappingNode) else node.value[-1]
            return self._content_end(last)
        end: int = node.end_mark.index
        if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
            return len(self.text[:end].rstrip("\r\n "))
        if not isinstance(node, yaml.ScalarNode) or node.value or node.style:
            return end
        return int(node.start_mark.index)

    def _below(self, at: Location, value: Any) -> str:
        """A value in the place of an empty one, on lines of its own."""
        indent = " " * (_STEP_LENGTH * len([key for key in at if isinstance(key, str)]))
        return self._line_end + self._joined(block(value, indent))

    def _joined(self, lines: list[str]) -> str:
        return self._line_end.join(lines)

    def _indent(self, index: int) -> int:
        line = self.text[self.text.rfind("\n", 0, index) + 1 :]
        text = line.lstrip(" ")
        return len(line) - len(text) + (2 if text.startswith("- ") else 0)

    def _with(self, start: int, end: int, text: str) -> str:
        return self.text[:start] + text + self.text[end:]


_STEP_LENGTH = len(_STEP)


def read_text(text: str) -> Any:
    """The values of a YAML text, as those of a file. Raises RecipeError."""
    with TemporaryDirectory(prefix="portside-yaml-") as scratch:
        path = Path(scratch, "recipe.yaml")
        path.write_bytes(text.encode())
        return read_document(path)[0]


def _reads_as(text: str, wanted: Any) -> bool:
    try:
        return bool(read_text(text) == wanted)
    except (RecipeError, yaml.YAMLError):
        return False


def _is_inside(node: yaml.Node, above: yaml.Node) -> bool:
    return bool(above.start_mark.index <= node.start_mark.index and node.end_mark.index <= above.end_mark.index)


def _get(values: Any, at: Location) -> Any:
    for key in at:
        if isinstance(values, dict):
            values = values.get(key)
        elif isinstance(values, list) and isinstance(key, int) and key < len(values):
            values = values[key]
        else:
            return None
    return values


def _set(values: Any, at: Location, value: Any) -> None:
    for key in at[:-1]:
        if isinstance(values, dict) and values.get(key) is None:
            values[key] = {}
        values = values[key]
    values[at[-1]] = value


def _nested(at: Location, value: Any) -> Any:
    for key in reversed(at):
        value = {key: value}
    return value


def block(value: Any, indent: str) -> list[str]:
    """A mapping or a list on lines of their own."""
    if isinstance(value, dict):
        return [line for key, inner in value.items() for line in _pair(key, inner, indent)]
    if isinstance(value, list):
        return [line for item in value for line in item_lines(item, indent)]
    return [indent + flow(value)]


def _pair(key: str, value: Any, indent: str) -> list[str]:
    if isinstance(value, dict | list) and value:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            line = f"{indent}{key}: {flow(value)}"
            if len(line) <= 120 and key not in _LISTS:
                return [line]
        return [f"{indent}{key}:", *block(value, indent + _STEP)]
    if isinstance(value, str) and "\n" in value:
        return literal(value, indent + _STEP, f"{indent}{key}: ")
    return [f"{indent}{key}: {flow(value)}"]


_LISTS = ("patches", "files", "install", "requirements", "debian", "checks")
"""The lists of a recipe that people write with an item on each line."""


def item_lines(item: Any, indent: str) -> list[str]:
    """An item of a list."""
    if isinstance(item, dict) and item:
        lines = block(item, indent + _STEP)
        return [indent + "- " + lines[0][len(indent) + 2 :], *lines[1:]]
    return [f"{indent}- {flow(item)}"]


def literal(text: str, indent: str, head: str = "") -> list[str]:
    """A text of several lines as YAML's literal block, where that can say it; else in quotes."""
    body = text[:-1] if text.endswith("\n") else text
    lines = body.split("\n")
    odd = any(not line.isprintable() and line.replace("\t", "").isprintable() is False for line in lines)
    if odd or not lines[0].strip() or lines[0][:1] in " \t" or any(line.strip() == "" and line for line in lines):
        return [head + flow(text)]
    if body.endswith("\n") or "\r" in text:
        return [head + flow(text)]
    return [f"{head}|{'' if text.endswith(chr(10)) else '-'}", *(indent + line if line else "" for line in lines)]


def flow(value: Any) -> str:
    """A value on one line, as all versions of YAML read it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str):
        return _scalar(value)
    return json.dumps(value)


def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) and "," not in text and not text.endswith(" "):
        resolved = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))
        if resolved == "tag:yaml.org,2002:str" and text.lower() not in ("y", "n", "=", "<<", "null", "~"):
            return text
    quoted = json.dumps(text, ensure_ascii=False)
    for char in "\x7f\x85\u2028\u2029\ufeff":
        quoted = quoted.replace(char, f"\\u{ord(char):04x}")
    return quoted
