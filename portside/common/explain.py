"""What pydantic finds wrong with a file that a person wrote, as `FILE:LINE: KEY: what was expected, what was found`."""

import re
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError

from portside.common.kinds import Kinds, OneKey
from portside.common.url import without_secrets
from portside.common.yaml_file import LONGEST, FileLine, Location, PlainScalar, found

_KINDS = {
    "string_type": "text",
    "string_sub_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "mapping_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "path_type": "a path",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "string_too_short": "some text",
}


_OTHERS = {
    "string_pattern_mismatch": "expected text of another form",
    "union_tag_not_found": "its kind is missing",
    "union_tag_invalid": "there is no such kind",
}


def explain(
    error: ValidationError, model: type[BaseModel], places: Mapping[Location, FileLine], top: FileLine | None = None
) -> list[str]:
    """One line per mistake. places: where the file's keys and items stand; top: where it begins.

    Without places (a file that no person writes) a line has the key alone.
    """
    items = error.errors(include_url=False)
    locations = [_location(item, model) for item in items]
    found = []
    for item, location in zip(items, locations, strict=True):
        if item["type"] == "too_short" and any(other[: len(location)] == location != other for other in locations):
            continue  # the list is not empty: what is in it is wrong, and told by itself
        known = next((location[:end] for end in range(len(location), 0, -1) if location[:end] in places), ())
        place = places.get(known, top)
        key = ".".join(str(part) for part in location if part != "[key]")
        line = ": ".join(filter(None, [str(place) if place else "", without_secrets(key), in_words(item, model)]))
        found.append((place, line))
    found.sort(key=lambda line: line[0].line if line[0] else 0)
    return list(dict.fromkeys(line for _, line in found))


def _location(item: Any, model: type[BaseModel]) -> Location:
    """Which key a mistake is about: one that shows only when several are seen together tells it by itself."""
    location, _ = _walk(item["loc"], model)
    return (*location, *getattr(item.get("ctx", {}).get("error"), "at", ()))


def in_words(item: Any, model: type[BaseModel] | None = None) -> str:
    """One of pydantic's error values in words: what was expected, and what was found."""
    kind, value, context = item["type"], item["input"], item.get("ctx", {})
    if kind == "missing":
        return "this key is missing" + _example(item["loc"], model)
    if kind == "extra_forbidden":
        return "no such key here" + _near(item["loc"], model)
    if kind in _KINDS:
        return f"expected {_KINDS[kind]}, found {found(value)}{_hint(kind, value)}"
    if kind == "greater_than_equal":
        return f"expected {context['ge']} or more, found {found(value)}"
    if kind == "less_than_equal":
        return f"expected {context['le']} or less, found {found(value)}"
    if kind == "literal_error":
        close = get_close_matches(str(value), re.findall("'([^']*)'", str(context["expected"])), 1)
        hint = f"; did you mean '{close[0]}'?" if close and isinstance(value, str) else _hint("string_type", value)
        return f"expected {context['expected']}, found {found(value)}{hint}"
    if kind == "too_short":
        return f"expected at least {context['min_length']} of them, found {context['actual_length'] or 'none'}"
    if kind == "string_too_long":
        return f"expected at most {context['max_length']} characters, found {len(value)}"
    if kind == "value_error":
        problem = str(context["error"])
    else:
        problem = _OTHERS.get(kind) or str(item["msg"]).replace("Input should be ", "expected ")
    scalar = isinstance(value, str | int | float | bool) or value is None
    return f"{problem}, found {found(value)}" if scalar and repr(value) not in problem else problem


def _hint(kind: str, value: Any) -> str:
    if kind.startswith("string") and value is not None and not isinstance(value, str | Mapping | Sequence):
        return "; quote it: it is taken for something else than text"
    if kind.startswith("int_") and isinstance(value, str) and value.isdecimal():
        return "; without quotes"
    if kind.startswith("int_") and isinstance(value, PlainScalar):
        return value.hint
    if kind.startswith("bool_") and isinstance(value, PlainScalar):
        meant = {"yes": "; write true", "on": "; write true", "no": "; write false", "off": "; write false"}
        return meant.get(value.text.lower(), "")
    if kind in ("tuple_type", "list_type") and isinstance(value, str):
        return f"; write it as a list: [{found(value)}]" if len(value) <= LONGEST else ""
    return ""


def _near(location: Location, model: type[BaseModel] | None) -> str:
    names = list(_fields(location[:-1], model))
    if close := get_close_matches(str(location[-1]), names, 1):
        return f"; did you mean '{close[0]}'?"
    return f"; expected one of {', '.join(names)}" if names else ""


def _example(location: Location, model: type[BaseModel] | None) -> str:
    field = _fields(location[:-1], model).get(str(location[-1]))
    examples = (field.examples or []) if field else []
    return f"; for example {location[-1]}: {examples[0]!r}" if examples and isinstance(examples[0], str) else ""


def _fields(location: Location, model: type[BaseModel] | None) -> dict[str, Any]:
    """The keys that may stand at a location, with their fields."""
    _, annotation = _walk(location, model)
    return {key: field for _, option in _options(annotation) for key, field in _keys(option).items()}


def _walk(location: Location, annotation: Any) -> tuple[Location, Any]:
    """A location as the file has it, without the tags of unions that pydantic puts in, and the type that is there."""
    kept: list[str | int] = []
    for part in location:
        tagged = {tag: option for tag, option in _options(annotation) if tag is not None}
        if part in tagged:
            annotation = tagged[str(part)]
            continue
        kept.append(part)
        annotation = next((inner for _, option in _options(annotation) if (inner := _inside(option, part))), None)
    return tuple(kept), annotation


def _options(annotation: Any) -> Iterator[tuple[str | None, Any]]:
    """The kinds that a type allows, with their tags."""
    if get_origin(annotation) is Annotated:
        inner, *notes = get_args(annotation)
        if (table := _table(notes)) is not None:
            yield from table.options()
            return
        own = next((note.tag for note in notes if isinstance(note, Tag)), None)
        yield from ((own or tag, option) for tag, option in _options(inner))
    elif get_origin(annotation) in (Union, types.UnionType):
        for argument in get_args(annotation):
            yield from _options(argument)
    else:
        kind = _keys(annotation).get("kind")
        yield (kind.default if kind is not None and isinstance(kind.default, str) else None), annotation


def _table(notes: Iterable[Any]) -> Kinds | OneKey | None:
    return next((note for note in notes if isinstance(note, Kinds | OneKey)), None)


def _inside(kind: Any, part: str | int) -> Any:
    """The type of what a kind has under a key or index; None if nothing can be there."""
    if field := _keys(kind).get(str(part)):
        table = _table(field.metadata)
        return field.annotation if table is None else Annotated[field.annotation, table]
    arguments = get_args(kind)
    if get_origin(kind) is dict:
        return arguments[1]
    return arguments[0] if get_origin(kind) in (tuple, list) and isinstance(part, int) else None


def _keys(kind: Any) -> dict[str, Any]:
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return {}
    return {field.alias or name: field for name, field in kind.model_fields.items()}
