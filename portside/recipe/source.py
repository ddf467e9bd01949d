"""YAML with places: plain values and, for every key and item, the file and line where it stands."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from portside.errors import RecipeError

Location = tuple[str | int, ...]
"""Keys and indexes from the document's root to a value."""

MAX_NODES = 100_000
"""Values in one document, aliases counted where they are used: a guard against documents that explode."""


@dataclass(frozen=True, slots=True)
class Place:
    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def read_yaml(path: Path) -> tuple[dict[str, Any], dict[Location, Place]]:
    """One YAML mapping and its places. Raises RecipeError that names file and line.

    Only plain data is made; a key that stands twice is an error, since one of the two would be lost.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise RecipeError(f"{path}: not UTF-8 text") from None
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror}") from None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise RecipeError(f"{path}:1: expected a mapping of keys to values")
        places: dict[Location, Place] = {}
        value = _Reader(path, loader, places).value(node, ())
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RecipeError(f"{path}:{line}: not valid YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise RecipeError(f"{path}: not valid YAML: {error}") from None
    finally:
        loader.dispose()
    assert isinstance(value, dict)
    return value, places


class _Reader:
    def __init__(self, path: Path, loader: Any, places: dict[Location, Place]) -> None:
        self._path = path
        self._loader = loader
        self._places = places
        self._count = 0

    def value(self, node: yaml.Node, at: Location) -> Any:
        place = Place(self._path, node.start_mark.line + 1)
        self._places.setdefault(at, place)
        self._count += 1
        if self._count > MAX_NODES:
            raise RecipeError(f"{place}: more than {MAX_NODES} values; are aliases nested?")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, at)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*at, index)) for index, item in enumerate(node.value)]
        return self._loader.construct_object(node)

    def _mapping(self, node: yaml.MappingNode, at: Location) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = Place(self._path, key_node.start_mark.line + 1)
            key = self._loader.construct_object(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                raise RecipeError(f"{place}: expected a name as key; quote it if it looks like a number or a date")
            if key in result:
                raise RecipeError(f"{place}: the key '{key}' stands twice", "Keep one of the two.")
            here = (*at, key)
            self._places[here] = place
            result[key] = self.value(value_node, here)
        return result
