"""Reading and writing `recipes/NAME.lock`: JSON that a person can review, one input per line."""

import json
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from portside.common.differences import changes
from portside.common.explain import explain
from portside.common.outputs import write_text
from portside.common.version import __version__
from portside.errors import LockError
from portside.lock.agree import contradictions
from portside.lock.models import FORMAT, Lock
from portside.lock.written import check_written, same_images, writer
from portside.recipe import Recipe


def dump_lock(lock: Lock) -> str:
    """A lock as text: keys in the models' order, containers of containers over several lines, the rest on one."""
    absent = {"written_by"} if lock.written_by is None else None
    return _dump(lock.model_dump(mode="json", exclude=absent), 0) + "\n"


def _dump(value: Any, depth: int) -> str:
    inner, outer = "  " * (depth + 1), "  " * depth
    if isinstance(value, dict | list) and any(isinstance(v, dict | list) for v in _values(value)):
        if isinstance(value, dict):
            rows = [f"{inner}{json.dumps(key)}: {_dump(item, depth + 1)}" for key, item in value.items()]
            return "{\n" + ",\n".join(rows) + f"\n{outer}}}"
        rows = [inner + _dump(item, depth + 1) for item in value]
        return "[\n" + ",\n".join(rows) + f"\n{outer}]"
    return json.dumps(value, ensure_ascii=False)


def _values(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def write_lock(recipe: Recipe, lock: Lock) -> None:
    """Replace the recipe's lock, with a note of this Portside; a reader sees the old one or the new one.

    Raises LockError, and leaves the lock that is there, if what was found is not what the recipe pins.
    """
    if wrong := contradictions(recipe, lock):
        raise LockError(
            "\n".join([f"what was found for {recipe.name} is not what the recipe pins:", *(f"  {w}" for w in wrong)]),
            f"{recipe.lock_path} was left as it is. Bring what the recipe pins, or correct the recipe.",
        )
    write_text(recipe.lock_path, dump_lock(lock.model_copy(update={"written_by": writer()})))


def read_lock(path: Path) -> Lock | None:
    """The lock in a file, or None where there is none. Raises LockError for one that is damaged or of another form."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LockError(f"{path} cannot be read: {error.strerror}", "Look at what it is, and at its rights.") from None
    remedy = f"Restore it, or make a new one: rm {path} && invoke lock --recipe {path.stem}"
    try:
        value = json.loads(data, object_pairs_hook=_mapping)
    except (ValueError, RecursionError) as error:
        raise LockError(f"{path} is damaged: {error}", remedy) from None
    if isinstance(value, dict) and "format" not in value:
        raise LockError(f"{path} is no lock: it does not say which form it has", remedy)
    if isinstance(value, dict) and value["format"] != FORMAT:
        raise LockError(f"{path} has the form {value['format']}, this Portside reads form {FORMAT}{_by(value)}", remedy)
    try:
        return Lock.model_validate(value)
    except ValidationError as error:
        lines = [f"  {line}" for line in explain(error, Lock, {})[:5]]
        raise LockError("\n".join([f"{path} is not a lock{_by(value)}:", *lines]), remedy) from None


def _by(value: Any) -> str:
    """Who wrote a lock that cannot be read, where that was another version: it may know keys that this one does not."""
    note = value.get("written_by") if isinstance(value, dict) else None
    version = note.get("portside") if isinstance(note, dict) else None
    if not isinstance(version, str) or not re.fullmatch(r"[\w.+-]{1,40}", version) or version == __version__:
        return ""
    return f" (it was written by Portside {version}, this is {__version__})"


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON takes the last of several values of one key; who reads the file sees the first."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands twice")
    return found


def differences(recipe: Recipe, lock: Lock) -> list[str]:
    """What the recipe asks for now and did not when the lock was made, one short line each."""
    return changes(lock.requests, recipe.requests())


def check_lock(recipe: Recipe, lock: Lock) -> None:
    """Raise LockError unless the lock belongs to this version of the recipe, has what the recipe pins, and gives here
    the image that it gave where it was written."""
    check_request(recipe, lock)
    check_written(lock, recipe.lock_path)


def check_request(recipe: Recipe, lock: Lock) -> None:
    """Raise LockError unless the lock belongs to this version of the recipe and has what the recipe pins."""
    command = f"invoke lock --recipe {recipe.name}"
    if lock.recipe != recipe.name:
        raise LockError(
            f"{recipe.lock_path} is the lock of '{lock.recipe}', not of '{recipe.name}'",
            f"Remove it and make one: rm {recipe.lock_path} && {command}",
        )
    if changed := differences(recipe, lock):
        raise LockError(
            "\n".join([f"{recipe.lock_path} belongs to another version of the recipe:", *(f"  {c}" for c in changed)]),
            f"Update it (only what changed is resolved again): {command}",
        )
    if wrong := contradictions(recipe, lock):
        raise LockError(
            "\n".join([f"{recipe.lock_path} contradicts the recipe that it was made for:", *(f"  {w}" for w in wrong)]),
            f"Somebody has edited it. Restore it, or let what is wrong be resolved again: {command}",
        )


def fits(recipe: Recipe, lock: Lock) -> bool:
    """Whether the lock can be used for this version of the recipe, by this Portside."""
    return not differences(recipe, lock) and not contradictions(recipe, lock) and same_images(lock)
