"""YAML with places: plain values and, for every key and item, the file and line where it stands."""

from pathlib import Path
from typing import Any

import yaml

from portside.errors import RecipeError
from portside.explain import Location, Place

_YAML = "Look at that line and the one above: indentation, brackets, quotes, and `: ` inside of text without quotes."
MAX_NODES = 100_000
"""Values in one document, aliases counted where they are used: a guard against documents that explode."""


def read_yaml(path: Path) -> tuple[dict[str, Any], dict[Location, Place]]:
    """One YAML mapping and its places. Raises RecipeError that names file and line.

    Only plain data is made; a key that stands twice is an error, since one of the two would be lost.
    """
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
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise RecipeError(
                f"{path}:1: expected a mapping of keys to values", "Begin with `description: …`; see docs/recipe.md."
            )
        places: dict[Location, Place] = {}
        value = _Reader(path, loader, places).value(node, ())
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
            raise RecipeError(
                f"{place}: more than {MAX_NODES} values; are aliases nested?", "Write the values out, without aliases."
            )
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
                raise RecipeError(
                    f"{place}: expected a name as key", "Quote it if it looks like a number, a date or yes and no."
                )
            if key in result:
                raise RecipeError(f"{place}: the key '{key}' stands twice", "Keep one of the two.")
            here = (*at, key)
            self._places[here] = place
            result[key] = self.value(value_node, here)
        return result
