"""From `accelerators/NAME.yaml` to a validated accelerator."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from portside.accelerators.accelerator import AcceleratorProfile
from portside.common.explain import explain
from portside.common.named_files import NamedFiles
from portside.common.yaml_file import FileLine, Location, read_yaml
from portside.config import overridden
from portside.errors import RecipeError, did_you_mean

FOLDER = Path(__file__).parent


def accelerator_names(folder: Path = FOLDER, root: Path | None = None) -> list[str]:
    """The names of all accelerators, sorted. root: of a project, which may have some of its own."""
    return _files(folder).names(root)


def accelerator_path(name: str, folder: Path = FOLDER, root: Path | None = None) -> Path:
    """The file of an accelerator that there is. Raises RecipeError for a name that is taken twice."""
    return _files(folder).path(name, root)


def _files(folder: Path) -> NamedFiles:
    return NamedFiles("accelerators", folder, overridden)


def load_accelerator(name: str, folder: Path = FOLDER, root: Path | None = None) -> AcceleratorProfile:
    """The accelerator of that name, of the project at `root` or of Portside.

    Raises RecipeError that names file, line and key.
    """
    known = accelerator_names(folder, root)
    if name not in known:
        raise RecipeError(
            f"no accelerator '{name}'",
            f"{did_you_mean(name, known)}Known: {', '.join(known)}. docs/accelerators.md says how to describe another.",
        )
    path = accelerator_path(name, folder, root)
    values, places = _extended(path, folder, root, known, (name,))
    try:
        accelerator = AcceleratorProfile.model_validate(values)
    except ValidationError as error:
        lines = explain(error, AcceleratorProfile, places, FileLine(path, 1))
        raise RecipeError("\n".join(lines), "docs/accelerators.md describes every key.") from None
    if accelerator.name != name:
        raise RecipeError(f"{places['name',]}: the file of '{accelerator.name}' must be called {accelerator.name}.yaml")
    return accelerator


def _extended(
    path: Path, folder: Path, root: Path | None, known: Sequence[str], seen: tuple[str, ...]
) -> tuple[dict[str, Any], dict[Location, FileLine]]:
    """The keys of a file, and those of the one that it extends, with their places. Raises RecipeError."""
    values, places = read_yaml(path)
    base = values.get("extends")
    if not isinstance(base, str):
        return values, places
    if base in seen or base not in known:
        problem = f"extends itself by way of '{base}'" if base in seen else f"no accelerator '{base}'"
        raise RecipeError(f"{places['extends',]}: extends: {problem}", did_you_mean(base, known) or None)
    below, below_places = _extended(accelerator_path(base, folder, root), folder, root, known, (*seen, base))
    inherited = {key: value for key, value in below.items() if key not in values}
    sources = {**below.get("sources", {}), **values.get("sources", {})}
    kept = {at: place for at, place in below_places.items() if at[:1] and (at[0] in inherited or at[0] == "sources")}
    return {**inherited, **values, **({"sources": sources} if sources else {})}, {**kept, **places}
