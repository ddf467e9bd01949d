"""The environment variables of an image, and of what is executed on the way to it."""

from portside.lock.bases import LockedBase
from portside.recipe.stages import Stage

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The search path of a base that has none of its own."""


def variables(base: LockedBase, stage: Stage) -> dict[str, str]:
    """What the base sets, with the folders of the recipes up to a stage in front of its PATH, and what they set.

    The folder of an interpreter that they name stands behind those, in front of the base's.
    """
    inherited = {"PATH": PATH, **base.env}
    path = [*stage.path, *_folder(stage, inherited["PATH"]), inherited["PATH"]]
    return {**inherited, "PATH": ":".join(path), **stage.variables}


def _folder(stage: Stage, path: str) -> list[str]:
    if stage.interpreter is None:
        return []
    folder = stage.interpreter.rpartition("/")[0]
    return [] if folder in stage.path or path.partition(":")[0] == folder else [folder]
