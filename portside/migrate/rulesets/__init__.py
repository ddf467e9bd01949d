"""Rulesets: the data that drives a migration from CUDA to another accelerator."""

import dataclasses
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from portside.common.named_files import NamedFiles
from portside.config import overridden
from portside.errors import RecipeError, did_you_mean
from portside.migrate.rulesets.check import Wrong, build
from portside.migrate.rulesets.model import KINDS, Rule, Ruleset

__all__ = ["Ruleset", "load", "names", "ruleset_path"]

_HERE = Path(__file__).parent
_HELP = "docs/rulesets.md describes every key."
_FILES = NamedFiles("rulesets", _HERE, overridden)
_EXTENSION = ("framework", "suffix", "add", "remove")


def names(root: Path | None = None) -> list[str]:
    """The rulesets that come with Portside, and those of the project at `root`; sorted."""
    return _FILES.names(root)


def ruleset_path(name: str, root: Path | None = None) -> Path:
    """The file of a ruleset that there is. Raises RecipeError for a name that is taken twice."""
    return _FILES.path(name, root)


def load(name_or_path: str, overrides: Mapping[str, Any] | None = None, root: Path | None = None) -> Ruleset:
    """A ruleset by its name (`mlu`) or from a file (a path that ends in `.yaml` or `.yml`).

    overrides: a recipe's extension: `framework`, `suffix`, `add` (rules; one with the id of an existing rule
    replaces it) and `remove` (ids). root: of a project, which may have rulesets of its own. Raises RecipeError that
    names the file and the key.
    """
    is_path = name_or_path.endswith((".yaml", ".yml"))
    if not is_path and name_or_path not in (known := names(root)):
        hint = did_you_mean(name_or_path, known)
        raise RecipeError(f"there is no ruleset named {name_or_path!r}", f"{hint}Choose one of {', '.join(known)}.")
    path = Path(name_or_path) if is_path else ruleset_path(name_or_path, root)
    shown = path.name if path.parent == _HERE else str(path)
    name = None if is_path else name_or_path
    try:
        now = path.read_bytes()
    except OSError:
        now = None  # reading it as a ruleset says why
    if not overrides:
        return _whole(path, shown, name, now)
    settings, rules = _said(path, shown, name, now)
    try:
        rules, settings = _extend(rules, settings, overrides)
    except Wrong as error:
        raise _error(f"extension of ruleset {shown}", error) from error
    return _checked(settings, rules, shown)


@lru_cache(maxsize=16)
def _whole(path: Path, shown: str, name: str | None, now: bytes | None) -> Ruleset:
    """What a file says, without an extension. name: what it must say of itself. now: the file's bytes, so that what
    was made of others is not taken; one ruleset serves many recipes, and reading it takes longer than reading them."""
    settings, rules = _said(path, shown, name, now)
    return _checked(settings, rules, shown)


@lru_cache(maxsize=16)
def _said(path: Path, shown: str, name: str | None, now: bytes | None) -> tuple[dict[str, Any], list[Rule]]:
    """The settings and the rules of a file, which nobody changes; arguments as those of `_whole`."""
    data = _read(path, shown)
    if name is not None and data.get("name", name) != name:
        raise RecipeError(f"ruleset {shown}: name: expected {name!r}, as the file is called", _HELP)
    try:
        rules = [_rule(item, number) for number, item in enumerate(_list(data.get("rules"), "rules"))]
    except Wrong as error:
        raise _error(f"ruleset {shown}", error) from error
    return {key: value for key, value in data.items() if key != "rules"}, rules


def _checked(settings: dict[str, Any], rules: list[Rule], shown: str) -> Ruleset:
    try:
        _unique(rules)
        return _complete(settings, rules)
    except Wrong as error:
        raise _error(f"ruleset {shown}", error) from error


def _complete(settings: dict[str, Any], rules: list[Rule]) -> Ruleset:
    base = build(Ruleset, {**settings, "rules": ()})
    try:
        return dataclasses.replace(base, rules=tuple(rules))
    except ValueError as error:
        raise Wrong(("rules",), str(error)) from error


def _read(path: Path, shown: str) -> dict[str, Any]:
    from portside.common.yaml_file import read_document

    data, _ = read_document(path)
    if not isinstance(data, dict):
        raise RecipeError(f"ruleset {shown} is not a mapping of keys", _HELP)
    return data


def _rule(data: Any, number: int) -> Rule:
    name = data.get("id") if isinstance(data, dict) else None
    place = ("rules", f"[{name if isinstance(name, str) else number}]")
    kind = data.get("kind") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise Wrong((*place, "kind"), f"expected one of {', '.join(KINDS)}, found {kind!r}")
    return build(KINDS[kind], data, place)


def _extend(
    rules: list[Rule], settings: dict[str, Any], overrides: Mapping[str, Any]
) -> tuple[list[Rule], dict[str, Any]]:
    for key in overrides:
        if key not in _EXTENSION:
            raise Wrong((str(key),), f"unknown key; known are {', '.join(_EXTENSION)}")
    added = [_rule(item, number) for number, item in enumerate(_list(overrides.get("add"), "add"))]
    removed = _list(overrides.get("remove"), "remove")
    known = {rule.id for rule in rules}
    for name in removed:
        if name not in known:
            raise Wrong(("remove",), f"there is no rule {name!r}")
    gone = {*removed, *(rule.id for rule in added)}
    changed = {key: overrides[key] for key in ("framework", "suffix") if key in overrides}
    return [rule for rule in rules if rule.id not in gone] + added, {**settings, **changed}


def _list(value: Any, key: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise Wrong((key,), f"expected a list, found {value!r}")
    return list(value)


def _unique(rules: list[Rule]) -> None:
    seen: set[str] = set()
    for rule in rules:
        if rule.id in seen:
            raise Wrong(("rules", f"[{rule.id}]"), "two rules have this id")
        seen.add(rule.id)


def _error(shown: str, error: Wrong) -> RecipeError:
    place = ".".join(error.place).replace(".[", "[")
    return RecipeError(f"{shown}: {place}: {error.problem}" if place else f"{shown}: {error.problem}", _HELP)
