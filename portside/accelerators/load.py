"""From `accelerators/NAME.yaml` to a validated accelerator."""

from difflib import get_close_matches
from pathlib import Path

from pydantic import ValidationError

from portside.accelerators.models import Accelerator
from portside.errors import RecipeError
from portside.recipe.source import Place, read_yaml

FOLDER = Path(__file__).parent


def accelerator_names(folder: Path = FOLDER) -> list[str]:
    """The names of all accelerators, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_accelerator(name: str, folder: Path = FOLDER) -> Accelerator:
    """The accelerator of that name. Raises RecipeError that names file, line and key."""
    known = accelerator_names(folder)
    if name not in known:
        close = get_close_matches(name, known, 1)
        hint = f"Did you mean '{close[0]}'? " if close else ""
        raise RecipeError(
            f"no accelerator '{name}'",
            f"{hint}Known: {', '.join(known)}. docs/accelerators.md says how to describe another.",
        )
    path = folder / f"{name}.yaml"
    values, places = read_yaml(path)
    try:
        accelerator = Accelerator.model_validate(values)
    except ValidationError as error:
        lines = []
        for item in error.errors():
            location = tuple(item["loc"])
            known_part = next(location[:end] for end in range(len(location), -1, -1) if location[:end] in places)
            key = ".".join(str(part) for part in location)
            lines.append(
                f"{places.get(known_part, Place(path, 1))}: {key}: {item['msg'].removeprefix('Value error, ')}"
            )
        raise RecipeError("\n".join(lines), "docs/accelerators.md describes every key.") from None
    if accelerator.name != name:
        raise RecipeError(f"{places['name',]}: the file of '{accelerator.name}' must be called {accelerator.name}.yaml")
    return accelerator
