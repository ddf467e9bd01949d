"""Who asks for each of some .debs: the recipe, or which of the others, by what their control fields say."""

import re
from collections.abc import Collection, Iterable, Mapping

from portside.inputs.debian.control import Stanza

RECIPE = "recipe"
_FIELDS = ("Pre-Depends", "Depends")


def who_asks(added: Collection[str], asked: Collection[str], records: Iterable[Stanza]) -> dict[str, tuple[str, ...]]:
    """By name: `recipe` and the names of packages that depend on it, or on what it provides; sorted.

    added: names of the .debs. asked: names that the recipe has. records: stanzas, those of `added` among them.
    """
    own = {record["Package"]: record for record in records if record.get("Package") in added}
    providing: dict[str, set[str]] = {name: {name} for name in own}
    for name, record in own.items():
        for provided in _names(record.get("Provides", "")):
            providing.setdefault(provided, set()).add(name)
    found: dict[str, set[str]] = {name: {RECIPE} if name in asked else set() for name in added}
    for name, record in own.items():
        for needed in _needed(record):
            for other in providing.get(needed, set()) - {name}:
                found[other].add(name)
    return {name: tuple(sorted(who, key=lambda w: (w != RECIPE, w))) for name, who in sorted(found.items())}


def _needed(record: Mapping[str, str]) -> set[str]:
    return {name for field in _FIELDS for name in _names(record.get(field, ""))}


def _names(text: str) -> set[str]:
    """The names in a field of relationships (Debian policy 7.1), alternatives too."""
    words = (re.match(r"\s*([a-z0-9][a-z0-9+.-]*)", part) for part in re.split(r"[,|]", text))
    return {match[1] for match in words if match}
