"""What differs between two plain values, in words: manifests of a part, requests of a recipe, configs of an image."""

from typing import Any


def changes(old: Any, new: Any, at: str = "") -> list[str]:
    """One short line per difference: `inputs.numpy 1.24.1: gone`, `suite: 'a' -> 'b'`."""
    if isinstance(old, dict) and isinstance(new, dict):
        lines = []
        for key in sorted(old.keys() | new.keys()):
            here = f"{at}.{key}" if at else key
            if key not in old:
                lines.append(f"{here}: new{_in_brackets(new[key])}")
            elif key not in new:
                lines.append(f"{here}: gone{_in_brackets(old[key])}")
            else:
                lines += changes(old[key], new[key], here)
        return lines
    if old == new:
        return []
    if isinstance(old, list) and isinstance(new, list):
        if len(old) == len(new) and all(isinstance(item, dict) for item in [*old, *new]):
            return [line for n, pair in enumerate(zip(old, new, strict=True)) for line in changes(*pair, f"{at}.{n}")]
        moved = [("+", _short(item)) for item in new if item not in old]
        moved += [("-", _short(item)) for item in old if item not in new]
        if moved and all(text for _, text in moved):
            return [f"{at}: " + ", ".join(f"{sign} {text}" for sign, text in moved)]
        return [f"{at}: changed" if moved else f"{at}: in another order"]
    before, after = _short(old), _short(new)
    return [f"{at}: {before} -> {after}" if before and after else f"{at}: changed"]


def _short(value: Any) -> str:
    """A value that a person can compare at a glance, else nothing: no hashes, no scripts, nothing nested."""
    if value is None:
        return "nothing"
    if isinstance(value, bool | int):
        return str(value).lower()
    if isinstance(value, str) and len(value) <= 60 and "\n" not in value:
        return repr(value)
    return ""


def _in_brackets(value: Any) -> str:
    short = _short(value)
    return f" ({short})" if short and value is not None else ""
