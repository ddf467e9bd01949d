"""YAML with places: plain values and, for every key and item, the file and line where it stands.

The versions of YAML read some words without quotes differently: 22:22 and 1_000 are the numbers 1342 and 1000 to YAML
1.1, and texts to YAML 1.2; 010 is 8 to the one and 10 to the other; `on` is true or a text. So only what all read alike
and as it is written becomes a value: true and false, null, decimal whole numbers, and words that are text to all of
them. Everything else is `PlainScalar`, which fits nowhere, so that an error shows it as it stands in the file.
"""

import datetime
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from portside.common.url import without_secrets
from portside.errors import RecipeError

Location = tuple[str | int, ...]
"""Keys and indexes from the document's root to a value."""


@dataclass(frozen=True, slots=True)
class FileLine:
    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, repr=False)
class PlainScalar:
    """What stands in a file without quotes and is no plain text to some readers of YAML. kind: what it is to all of
    them, number or date; nothing where they disagree."""

    text: str
    kind: str = ""

    def __repr__(self) -> str:
        return self.text

    def __str__(self) -> str:
        return f"the {self.kind} {self.text}" if self.kind else f"`{self.text}`"

    @property
    def hint(self) -> str:
        """What to write where a whole number belongs; nothing where this is none."""
        if re.fullmatch(r"-?[1-9][0-9]*", self.text):
            return "; it is too large"
        if not re.search("[0-9]", self.text) or re.fullmatch(r"-?[0-9]+\.[0-9]+", self.text) or self.kind == "date":
            return ""
        return "; write it in decimal digits alone, without a 0 in front"


MOST_DEEP = 100
LONGEST = 80
"""Characters of a text that an error shows."""
_LOOKED_AT = 4096
_LOGIN = re.compile(r"[^\s:/@'\"]+:[^\s/@'\"]+@(?!sha256:)")
"""A user and password in front of a host without a scheme, as somebody may write them for a registry."""


def found(value: Any) -> str:
    """A value of YAML, TOML or JSON in words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        # A login is looked for from each letter on, and of a long text only the beginning is shown.
        value = _LOGIN.sub("", without_secrets(value[:_LOOKED_AT]))
        return repr(value if len(value) <= LONGEST else value[: LONGEST - 1] + "…")
    if isinstance(value, datetime.date | datetime.time):
        return f"the date {value}"
    if isinstance(value, PlainScalar):
        return str(value)
    if isinstance(value, Mapping):
        return "a mapping" if value else "an empty mapping"
    return "a list" if value else "an empty list"


_YAML = "Look at that line and the one above: indentation, brackets, quotes, and `: ` inside of text without quotes."
MAX_NODES = 100_000
"""Values in one document, aliases counted where they are used: a guard against documents that explode."""

_TAGS = "tag:yaml.org,2002:"
_NULLS = ("", "~", "null", "Null", "NULL")
_FLAGS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")
_NUMBER = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
"""The numbers of YAML 1.2 (its core schema, 10.3.2). Those of 1.1 are what PyYAML resolves."""
_BREAKS = re.compile("[\x85\u2028\u2029]")
"""Line breaks to YAML 1.1, characters like others to 1.2."""


def read_yaml(path: Path) -> tuple[dict[str, Any], dict[Location, FileLine]]:
    """One YAML mapping and its places. Raises RecipeError that names file and line.

    Only plain data is made; a key that stands twice is an error, since one of the two would be lost.
    """
    value, places = read_document(path)
    if not isinstance(value, dict):
        raise RecipeError(
            f"{path}:1: expected a mapping of keys to values", "Begin with `description: …`; see docs/recipe.md."
        )
    return value, places


def read_document(path: Path) -> tuple[Any, dict[Location, FileLine]]:
    """One YAML document, whatever it is, else as `read_yaml`; None for an empty file."""
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise RecipeError(
            f"{path}:{line}: expected text in UTF-8, found the byte 0x{data[error.start]:02x}",
            f"Save it as UTF-8, or convert it: iconv -f latin1 -t utf-8 {path}",
        ) from None
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror}", "Look at its rights: ls -l") from None
    if broken := _BREAKS.search(text):
        line, code = text[: broken.start()].count("\n") + 1, f"{ord(broken[0]):04X}"
        raise RecipeError(
            f"{path}:{line}: the character U+{code} ends a line in some versions of YAML and not in others",
            f'Take it out, or write it as "\\u{code}", with the quotes.',
        )
    kind = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader = kind(text)
    try:
        _check_depth(path, kind, text)
        node = loader.get_single_node()
        places: dict[Location, FileLine] = {}
        return (None if node is None else _Reader(path, loader, places).value(node, ())), places
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = " ".join(filter(None, [error.context, error.problem]))
        raise RecipeError(f"{path}:{line}: not valid YAML: {problem}", _YAML) from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise RecipeError(
            f"{path}:{line}: not valid YAML: the character {chr(error.character)!r} is not allowed", _YAML
        ) from None
    except RecursionError:
        raise RecipeError(f"{path}: nested too deeply, or an alias inside of what it stands for", _YAML) from None
    except (yaml.YAMLError, ValueError) as error:
        raise RecipeError(f"{path}: not valid YAML: {error}", _YAML) from None
    finally:
        loader.dispose()


def _check_depth(path: Path, kind: Any, text: str) -> None:
    """Raise RecipeError for deeper nesting than any file needs: libyaml's composer takes it on the machine's stack, and
    that ends the process."""
    depth = 0
    for event in yaml.parse(text, Loader=kind):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEEP:
            raise RecipeError(
                f"{path}:{event.start_mark.line + 1 if event.start_mark else 1}: nested too deeply", _YAML
            )


class _Reader:
    def __init__(self, path: Path, loader: Any, places: dict[Location, FileLine]) -> None:
        self._path = path
        self._loader = loader
        self._places = places
        self._count = 0

    def value(self, node: yaml.Node, at: Location) -> Any:
        place = FileLine(self._path, node.start_mark.line + 1)
        self._places.setdefault(at, place)
        self._counted(place)
        if isinstance(node, yaml.MappingNode):
            self._check_tag(node, "map")
            return self._mapping(node, at)
        if isinstance(node, yaml.SequenceNode):
            self._check_tag(node, "seq")
            return [self.value(item, (*at, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node)

    def _counted(self, place: FileLine) -> None:
        self._count += 1
        if self._count > MAX_NODES:
            raise RecipeError(
                f"{place}: more than {MAX_NODES} values; are aliases nested?", "Write the values out, without aliases."
            )

    def _mapping(self, node: yaml.MappingNode, at: Location, hidden: Collection[str] = ()) -> dict[str, Any]:
        """hidden: keys that stand in the mapping which this one is merged into, and so not from here."""
        result: dict[str, Any] = {}
        merged: tuple[FileLine, yaml.Node] | None = None
        keys: dict[str, tuple[FileLine, yaml.Node]] = {}
        for key_node, value_node in node.value:
            place = FileLine(self._path, key_node.start_mark.line + 1)
            if key_node.tag == f"{_TAGS}merge":
                if merged is not None:
                    raise RecipeError(f"{place}: the key '<<' stands twice", "Merge several as a list: `<<: [*a, *b]`.")
                merged = place, value_node
                continue
            key = self._scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else key_node
            if not isinstance(key, str):
                raise RecipeError(
                    f"{place}: expected a name as key{'' if key is key_node else f', found {found(key)}'}",
                    "Quote it if it looks like a number, a date or yes and no.",
                )
            if key in keys:
                raise RecipeError(f"{place}: the key '{key}' stands twice", "Keep one of the two.")
            keys[key] = place, value_node
        if merged is not None:
            result = self._merged(*merged, at, {*hidden, *keys})
        for key, (place, value_node) in keys.items():
            if key not in hidden:
                here = (*at, key)
                self._places[here] = place
                result[key] = self.value(value_node, here)
        return result

    def _merged(self, place: FileLine, node: yaml.Node, at: Location, hidden: Collection[str]) -> dict[str, Any]:
        """What the merge key of YAML 1.1 brings (yaml.org/type/merge): the keys of a mapping, or of several in a list,
        of which the first has its way. They are those of one level: what lies below is replaced as a whole."""
        result: dict[str, Any] = {}
        for one in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            self._counted(place)
            if not isinstance(one, yaml.MappingNode):
                raise RecipeError(
                    f"{place}: `<<` merges a mapping, or a list of mappings, into the one that it stands in",
                    "Write `<<: *NAME`, where &NAME stands in front of that mapping.",
                )
            self._check_tag(one, "map")
            result |= self._mapping(one, at, {*hidden, *result})
        return result

    def _scalar(self, node: yaml.ScalarNode) -> str | int | bool | PlainScalar | None:
        text: str = node.value
        if node.style:  # quoted, or a block: None or empty for what is neither
            self._check_tag(node, "str")
            return text
        is_text = node.tag == f"{_TAGS}str"
        if is_text and not _NUMBER.fullmatch(text):
            return text
        kind = self._loader.resolve(yaml.ScalarNode, text, (True, False)).removeprefix(_TAGS)
        if is_text and kind != "str":
            return text  # tagged !!str
        self._check_tag(node, kind)
        if kind in ("merge", "value"):
            return text  # `<<` and `=` mean something else than themselves only as keys, and only to YAML 1.1
        if text in _NULLS:
            return None
        if text in _FLAGS:
            return _FLAGS[text]
        if _WHOLE.fullmatch(text):
            return int(text)
        return PlainScalar(text, "number" if _NUMBER.fullmatch(text) else "date" if kind == "timestamp" else "")

    def _check_tag(self, node: yaml.Node, implied: str) -> None:
        """Raise RecipeError for a tag that says something else than what the value looks like."""
        if node.tag != f"{_TAGS}{implied}":
            shown = node.tag.replace(_TAGS, "!!")
            raise RecipeError(
                f"{self._path}:{node.start_mark.line + 1}: the tag {shown} has no meaning here",
                "Leave it out; a text that looks like something else needs quotes.",
            )
