"""A recipe merged into the one that it extends, as values of YAML with their places.

Mappings are merged. Lists are appended to lists, but what names the same thing as an item of the lower list (a patch
its name, a file where it goes to, a wheel or a weight file itself) takes that item's place, and what stands under
`without` is left out. Everything else is replaced, and `null` drops it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from portside.common.yaml_file import FileLine, Location
from portside.errors import RecipeError, did_you_mean

REPLACED_WHOLE = {("base",)}
"""What a recipe that extends another replaces instead of merging: two bases at once would mean nothing."""

WITHOUT = "without"


@dataclass
class Merged:
    """own_env: whether the env layer is none that the lower recipe could share: something of its packages or files is
    another one, or is gone."""

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[Location, FileLine] = field(default_factory=dict)
    own_env: bool = False


@dataclass(frozen=True)
class _Items:
    """How the items of a list are named: by a key of theirs, or as texts by what `of_text` makes of them.

    replaces: whether an item takes the place of the one of the same name below.
    """

    key: str = ""
    of_text: Callable[[str], str] = str
    replaces: bool = True

    def name(self, item: Any) -> str | None:
        if isinstance(item, str):
            return self.of_text(item)
        names = [item.get(key) for key in self.key.split()] if isinstance(item, dict) else []
        return next((name for name in names if isinstance(name, str)), None)


def _project(requirement: str) -> str:
    """The name of a package as pip compares it (PEP 503); what a file or a project is read from stays as it is."""
    if "/" in requirement.partition("@")[0]:
        return requirement
    return re.sub(r"[-_.]+", "-", re.split(r"[\s<>=!~;\[(@]", requirement.strip())[0]).lower()


def _deb(package: str) -> str:
    return package.partition("=")[0]


_REQUIREMENTS: Location = ("env", "python", "requirements")
_LISTS: dict[Location, _Items] = {
    ("env", "debian"): _Items(of_text=_deb),
    ("env", "path"): _Items(),
    ("env", "components"): _Items(),
    _REQUIREMENTS: _Items("from needs-of", _project),
    ("env", "python", "manual"): _Items("file"),
    ("env", "install"): _Items("run", replaces=False),
    ("env", "files"): _Items("to"),
    ("migration", "sources"): _Items(),
    ("patches",): _Items("name"),
    ("files",): _Items("to"),
    ("install",): _Items("run", replaces=False),
    ("checks",): _Items("file"),
    ("weights", "*", "files"): _Items("path"),
}
"""The lists whose items have names; the others are appended to each other. `*`: any name."""


def merge(below: Merged, values: dict[str, Any], places: dict[Location, FileLine], lower: str) -> Merged:
    """What a recipe says on top of `below`. values, places: its own, as they are read. lower: the name of the recipe
    below, for errors. Raises RecipeError where `without` names what is not there."""
    own = {key: value for key, value in values.items() if key != WITHOUT}
    old = Merged({key: value for key, value in below.values.items() if key != WITHOUT}, dict(below.places))
    out = Merged(places=dict(old.places))
    gone = dict(_gone(values.get(WITHOUT), ()))
    _leave_out(old, out, gone, places, lower)
    _merge(old, own, places, (), out.values, out)
    if WITHOUT in values:
        out.values[WITHOUT] = values[WITHOUT]
        out.places |= {at: place for at, place in places.items() if at[:1] == (WITHOUT,)}
    return out


def _items(at: Location) -> _Items | None:
    return _LISTS.get(at) or _LISTS.get(("weights", "*", *at[2:]) if at[:1] == ("weights",) else ())


def _gone(value: Any, at: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """Where in a recipe something is left out, and what; a value that cannot be one is told when the model is made."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _gone(inner, (*at, key))
    elif isinstance(value, list):
        yield (*at, "files") if at[:1] == ("weights",) else at, value


def _leave_out(
    old: Merged, out: Merged, gone: dict[tuple[str, ...], list[Any]], places: dict[Location, FileLine], lower: str
) -> None:
    for at, names in gone.items():
        if (items := _items(at)) is None or not all(isinstance(name, str) for name in names):
            continue
        found: Any = old.values
        for key in at:
            found = found.get(key) if isinstance(found, dict) else None
        rows = found if isinstance(found, list) else []
        known = [items.name(row) for row in rows]
        for number, name in enumerate(names):
            if items.of_text(name) not in known:
                said = (WITHOUT, *(at[:-1] if at[:1] == ("weights",) else at))
                has = [one for one in known if one is not None]
                raise RecipeError(
                    f"{places.get((*said, number))}: {'.'.join(map(str, (*said, number)))}: {name!r} is none of what "
                    f"'{lower}' has there",
                    f"{did_you_mean(name, has)}It has: {', '.join(map(repr, has)) or 'nothing'}.",
                )
        wanted = {items.of_text(name) for name in names}
        kept = [(row, number) for number, row in enumerate(rows) if known[number] not in wanted]
        old.values = _with(old.values, at, [row for row, _ in kept])
        moved = {number: new for new, (_, number) in enumerate(kept)}
        old.places = dict(_moved(old.places, at, moved))
        out.places = dict(old.places)
        out.own_env |= at[0] == "env" and at != ("env", "path")


def _with(values: dict[str, Any], at: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The values with another one at a place; what is on the way is copied."""
    head, rest = at[0], at[1:]
    return values | {head: _with(values[head], rest, value) if rest else value}


def _moved(
    places: dict[Location, FileLine], at: Location, moved: dict[int, int]
) -> Iterator[tuple[Location, FileLine]]:
    """The places, with those of the items of a list where the items are now. moved: old number -> new one."""
    size = len(at)
    for location, place in places.items():
        if location[:size] != at or len(location) == size:
            yield location, place
        elif isinstance(number := location[size], int) and number in moved:
            yield (*at, moved[number], *location[size + 1 :]), place


def _merge(
    old: Merged, new: dict[str, Any], places: dict[Location, FileLine], at: Location, out: dict[str, Any], whole: Merged
) -> None:
    below: Any = old.values
    for key in at:
        below = below[key]
    out.update(below)
    for key, value in new.items():
        here = (*at, key)
        before = below.get(key)
        if value is None and before is not None:
            del out[key]
            continue
        if isinstance(value, dict) and isinstance(before, dict) and here not in REPLACED_WHOLE:
            out[key] = {}
            _merge(old, value, places, here, out[key], whole)
            continue
        moved: dict[int, int] = {}
        if isinstance(value, list):
            rows = before if isinstance(before, list) else []
            out[key], moved, replaced = _joined(rows, value, _items(here))
            whole.own_env |= here[0] == "env" and (replaced or (here == _REQUIREMENTS and _tightened(rows, value)))
        else:
            out[key] = value
        mine = {location: place for location, place in places.items() if location[: len(here)] == here}
        whole.places |= dict(_moved(mine, here, moved)) if moved else mine


def _joined(rows: list[Any], new: list[Any], items: _Items | None) -> tuple[list[Any], dict[int, int], bool]:
    """The lower list with the new one: the items, where those of the new one are now, and whether any was replaced by
    something else."""
    out, replaced = list(rows), False
    moved: dict[int, int] = {}
    known = [items.name(row) if items is not None and items.replaces else None for row in rows]
    for number, item in enumerate(new):
        name = items.name(item) if items is not None else None
        if name is None or name not in known or (isinstance(item, str) and items is _LISTS[_REQUIREMENTS]):
            moved[number] = len(out)
            out.append(item)
            continue
        moved[number] = known.index(name)
        replaced |= out[moved[number]] != item
        out[moved[number]] = item
    return out, moved, replaced


def _tightened(rows: list[Any], new: list[Any]) -> bool:
    """Whether a requirement says something else of a package that the lower recipe asks for too: both count."""
    below = {_project(row): row for row in rows if isinstance(row, str)}
    texts = [item for item in new if isinstance(item, str)]
    return any(_project(item) in below and below[_project(item)] != item for item in texts)
