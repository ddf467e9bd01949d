"""The environment variables of an image, and of what is executed on the way to it."""

from portside.accelerators import Host, for_host, load_accelerator
from portside.lock.models import Lock
from portside.recipe import Recipe
from portside.recipe.stages import Stage

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The search path of a base that has none of its own."""


def variables(lock: Lock, stage: Stage) -> dict[str, str]:
    """What the base sets, and what its scripts make of it, with the folders of the recipes up to a stage in front of
    its PATH, and what they set.

    The folder of an interpreter that they name stands behind those, in front of the base's.
    """
    inherited = {"PATH": PATH, **lock.base.env}
    packages = lock.env.of(stage.recipe)
    if packages is not None and packages.activation is not None:
        inherited = {"PATH": PATH, **packages.activation.on(inherited)}
    path = [*stage.path, *_folder(stage, inherited["PATH"]), inherited["PATH"]]
    return {**inherited, "PATH": ":".join(path), **stage.variables}


def unset(lock: Lock, stage: Stage) -> list[str]:
    """The base's variables that its scripts take away, and nothing sets again."""
    packages = lock.env.of(stage.recipe)
    gone = packages.activation.unset if packages is not None and packages.activation is not None else ()
    return [name for name in gone if name not in variables(lock, stage)]


def building(recipe: Recipe) -> list[tuple[str, str]]:
    """The variables that what is executed sees because no card is there, sorted: the accelerator's data say them.

    No image has them; the keys of what sees them do. What the image sets under the same name counts instead.
    Raises RecipeError for an accelerator or a variant that there is not.
    """
    wanted = recipe.model.accelerator
    accelerator = load_accelerator(wanted.name, root=recipe.root)
    if wanted.variant is not None:
        accelerator = for_host(accelerator, Host(), wanted.variant)
    return sorted((name, variable.value) for name, variable in accelerator.building.items())


def _folder(stage: Stage, path: str) -> list[str]:
    if stage.interpreter is None:
        return []
    folder = stage.interpreter.rpartition("/")[0]
    return [] if folder in stage.path or path.partition(":")[0] == folder else [folder]
