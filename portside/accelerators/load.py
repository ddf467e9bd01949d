"""From `accelerators/NAME.yaml` to a validated accelerator."""

from pathlib import Path

from pydantic import ValidationError

from portside.accelerators.models import Accelerator
from portside.common.explain import explain
from portside.common.yaml_file import Place, read_yaml
from portside.errors import RecipeError, did_you_mean

FOLDER = Path(__file__).parent


def accelerator_names(folder: Path = FOLDER) -> list[str]:
    """The names of all accelerators, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_accelerator(name: str, folder: Path = FOLDER) -> Accelerator:
    """The accelerator of that name. Raises RecipeError that names file, line and key."""
    known = accelerator_names(folder)
    if name not in known:
        raise RecipeError(
            f"no accelerator '{name}'",
            f"{did_you_mean(name, known)}Known: {', '.join(known)}. docs/accelerators.md says how to describe another.",
        )
    path = folder / f"{name}.yaml"
    values, places = read_yaml(path)
    try:
        accelerator = Accelerator.model_validate(values)
    except ValidationError as error:
        lines = explain(error, Accelerator, places, Place(path, 1))
        raise RecipeError("\n".join(lines), "docs/accelerators.md describes every key.") from None
    if accelerator.name != name:
        raise RecipeError(f"{places['name',]}: the file of '{accelerator.name}' must be called {accelerator.name}.yaml")
    return accelerator
