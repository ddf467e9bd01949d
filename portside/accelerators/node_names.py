"""Paths and texts with a card's numbers in them: `/dev/dri/renderD{128+index}`, `/sys/bus/pci/devices/{pci}/vendor`.

A hole is a name, with a number added or taken away. The number of a name is decimal; `pci` is an address as Linux
writes it (`0000:3b:00.0`).
"""

import re
from collections.abc import Mapping
from typing import Final

PCI: Final = "pci"
INDEX: Final = "index"
LOGICAL: Final = "logical"
POSITION: Final = "position"
PART: Final = "part"
_HOLE = re.compile(r"\{(?:(?P<first>[0-9]+)\+)?(?P<name>[a-z]+)(?:(?P<sign>[+-])(?P<last>[0-9]+))?\}")
_NUMBER = r"(?:0|[1-9][0-9]*)"
_ADDRESS = r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]"


def names_in(template: str) -> list[str]:
    """The names of a template's holes, in their order. Raises ValueError for braces that are no hole."""
    rest = _HOLE.sub("", template)
    if "{" in rest or "}" in rest:
        raise ValueError("expected a name in braces, such as {index}, {128+index} or {pci}")
    for hole in _HOLE.finditer(template):
        if hole["name"] == PCI and (hole["first"] or hole["last"]):
            raise ValueError("expected {pci} alone: an address is no number")
        if hole["first"] and hole["last"]:
            raise ValueError("expected one number beside a name, such as {128+index}")
    return [hole["name"] for hole in _HOLE.finditer(template)]


def fill(template: str, values: Mapping[str, str]) -> str:
    """The text with every hole filled. Raises KeyError for a name that has no value."""

    def one(hole: re.Match[str]) -> str:
        value = values[hole["name"]]
        offset = _offset(hole)
        return str(int(value) + offset) if offset else value

    return _HOLE.sub(one, template)


def can_fill(template: str, values: Mapping[str, str]) -> bool:
    return all(name in values for name in names_in(template))


def as_glob(template: str) -> str:
    """The template with a `*` for each hole."""
    return _HOLE.sub("*", template)


def read(template: str, text: str) -> dict[str, str] | None:
    """The values that make a text of a template, None where none do: `{128+index}` and `131` give index 3."""
    pattern, position, seen = "", 0, set[str]()
    for hole in _HOLE.finditer(template):
        # What stood there as `*` stays one: globs have no names.
        pattern += re.escape(template[position : hole.start()]).replace(r"\*", "[^/]*")
        name, form = hole["name"], _ADDRESS if hole["name"] == PCI else _NUMBER
        pattern += f"(?P={name})" if name in seen and not _offset(hole) else f"(?P<{name}>{form})"
        seen.add(name)
        position = hole.end()
    found = re.fullmatch(pattern + re.escape(template[position:]).replace(r"\*", "[^/]*"), text)
    if found is None:
        return None
    values: dict[str, str] = {}
    for hole in _HOLE.finditer(template):
        name = hole["name"]
        value = found[name] if name == PCI else str(int(found[name]) - _offset(hole))
        if value.startswith("-"):
            return None
        values[name] = value
    return values


def _offset(hole: re.Match[str]) -> int:
    if hole["first"]:
        return int(hole["first"])
    return int(hole["last"] or 0) * (-1 if hole["sign"] == "-" else 1)
