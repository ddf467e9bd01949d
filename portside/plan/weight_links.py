"""Links that stand where a port looks for its weights: they are entries of the code, so that an image is the same
whether the weights are in it or are mounted."""

from portside.common.weight_places import WeightPlaces
from portside.errors import RecipeError
from portside.lock.models import Lock
from portside.recipe import Recipe


def weight_links(recipe: Recipe, lock: Lock) -> dict[str, str]:
    """The links of all sets of weights that say `to`: path below the workspace -> what it leads to.

    Raises RecipeError where two things go to one path, or one below the other.
    """
    found: dict[str, str] = {}
    for name, asked in sorted(recipe.model.weights.items()):
        folder = asked.to or _folder_of(recipe, asked.of_source)
        if folder is None:
            continue
        if folder.partition("/")[0] == "weights":
            raise _wrong(recipe, name, f"{folder} is where weights themselves are")
        for file in lock.weights[name].files:
            path = f"{folder}/{file.path}"
            if path in found:
                raise _wrong(recipe, name, f"{found[path]} has a link at {path} already")
            found[path] = f"{recipe.workspace}/weights/{name}/{file.path}"
    below = recipe.workspace.lstrip("/")
    there = WeightPlaces(f"{below}/{path}" for path in found)
    if (clash := there.nested()) is not None:
        raise _wrong(recipe, None, str(clash))
    for location, path in recipe.named_paths() if found else ():
        if there.clash([(path, "file")]) is not None:
            key = ".".join(map(str, location))
            raise _wrong(recipe, None, f"{key} goes to /{path}, where a link to weights is, or is in its way")
    return found


def _folder_of(recipe: Recipe, source: str | None) -> str | None:
    """The folder of a source, of its migrated tree where it has one."""
    if source is None or source in recipe.unmigrated_sources:
        return source
    return f"{source}{recipe.ruleset.suffix}"


def _wrong(recipe: Recipe, name: str | None, problem: str) -> RecipeError:
    key = f"weights.{name}.to" if name is not None else "weights: to"
    return RecipeError.about(recipe.path, f"{key}: {problem}", "Give one of the two another folder.")
