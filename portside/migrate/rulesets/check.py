"""Plain data (from YAML) into dataclasses, with an error that names the key.

Not pydantic: a migration is a short command, and pydantic alone would take a fifth of its time.
"""

import dataclasses
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


class Wrong(ValueError):
    """A value that does not fit; place: keys from the outermost to the innermost."""

    def __init__(self, place: tuple[str, ...], problem: str) -> None:
        super().__init__(problem)
        self.place = place
        self.problem = problem


def build(cls: type[T], data: Any, place: tuple[str, ...] = ()) -> T:
    """An instance of a dataclass from a mapping. A field's key in the file is its metadata's `key`, else its name.

    Raises Wrong for unknown, missing and ill-typed keys, and for the ValueErrors of `__post_init__`.
    """
    if not isinstance(data, dict):
        raise Wrong(place, "expected a mapping of keys")
    hints = get_type_hints(cls)
    fields = {item.metadata.get("key", item.name): item for item in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in data:
        if key not in fields:
            raise Wrong((*place, str(key)), f"unknown key; known are {', '.join(fields)}")
    values: dict[str, Any] = {}
    for key, item in fields.items():
        if key in data:
            values[item.name] = fit(hints[item.name], data[key], (*place, key))
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise Wrong((*place, key), "is missing")
    try:
        return cls(**values)
    except ValueError as error:
        raise Wrong(place, str(error)) from error


def fit(hint: Any, value: Any, place: tuple[str, ...]) -> Any:
    """The value as the type says: texts, flags, literals, optional ones, tuples and mappings of them, dataclasses."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is UnionType:
        return None if value is None else fit(next(arg for arg in args if arg is not NoneType), value, place)
    if origin is Literal:
        if value not in args:
            raise Wrong(place, f"expected one of {', '.join(map(str, args))}, found {value!r}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise Wrong(place, f"expected a list, found {value!r}")
        kinds = [args[0]] * len(value) if args[-1] is Ellipsis else list(args)
        if len(kinds) != len(value):
            raise Wrong(place, f"expected a list of {len(kinds)} items, found {len(value)}")
        return tuple(
            fit(kind, item, (*place, f"[{n}]")) for n, (kind, item) in enumerate(zip(kinds, value, strict=True))
        )
    if origin is dict:
        if not isinstance(value, dict):
            raise Wrong(place, f"expected a mapping, found {value!r}")
        return {fit(args[0], k, place): fit(args[1], v, (*place, str(k))) for k, v in value.items()}
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return build(hint, value, place)
    if not isinstance(value, hint):
        wanted = {"str": "text", "bool": "true or false"}.get(hint.__name__, hint.__name__)
        quote = " (put it between quotes)" if hint is str and not isinstance(value, dict | list) else ""
        raise Wrong(place, f"expected {wanted}, found {value!r}{quote}")
    return value
