"""Rulesets: the data that drives a migration from CUDA to another accelerator."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from portside.errors import RecipeError
from portside.migrate.rulesets.model import Ruleset

__all__ = ["Ruleset", "load", "names"]

_HERE = Path(__file__).parent


def names() -> list[str]:
    """The rulesets that come with Portside."""
    return sorted(path.stem for path in _HERE.glob("*.yaml"))


def load(name_or_path: str, overrides: Mapping[str, Any] | None = None) -> Ruleset:
    """A ruleset by its name (`mlu`) or from a file (a path that ends in `.yaml` or `.yml`).

    overrides: a recipe's extension. Raises RecipeError that names the file and the key.
    """
    import yaml

    is_path = name_or_path.endswith((".yaml", ".yml"))
    path = Path(name_or_path) if is_path else _HERE / f"{name_or_path}.yaml"
    shown = str(path) if is_path else path.name
    if not is_path and name_or_path not in names():
        raise RecipeError(f"there is no ruleset named {name_or_path!r}", f"Choose one of {', '.join(names())}.")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        data = yaml.load(path.read_bytes(), Loader=loader)
    except OSError as error:
        raise RecipeError(f"ruleset {shown} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise RecipeError(f"ruleset {shown} is not valid YAML: {error}") from error
    return _parse(shown, data)


def _parse(shown: str, data: Any) -> Ruleset:
    from pydantic import ValidationError

    try:
        return Ruleset.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise RecipeError(f"ruleset {shown}: {key}: {first['msg']}", "docs/rulesets.md describes every key.") from error
