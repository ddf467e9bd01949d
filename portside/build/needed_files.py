"""A failed install step that speaks of a file of the recipe that is not there yet: which one, and what to write."""

import json
import re

from portside.errors import StepError
from portside.recipe import Recipe
from portside.recipe.models import InstallStep


def say_needed_files(recipe: Recipe, error: StepError) -> None:
    """Put into the error's remedy, where the step or its output names files of the recipe that lie on top of what the
    install steps make, the line that puts them below."""
    said = "\n".join([error.instruction or "", *error.output])
    named = [file.to for file in recipe.files_above_install if _names(said, file.to)]
    if not named:
        return
    which = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    comes = "is" if len(named) == 1 else "are"
    hint = (
        f"The recipe's {which} {comes} not there while `install` runs: an edit of such a file shall install nothing "
        f"anew. If the step needs it, write the step as\n      - {_line(recipe, error.instruction or '', named)}"
    )
    error.remedy = f"{hint}\n  {error.solution}" if error.solution else hint


def _names(said: str, path: str) -> bool:
    """Whether a text names the file, by its path or by its bare name: a step may have gone to another folder."""
    name = re.escape(path.rpartition("/")[2])
    return re.search(rf"(?<![\w.-]){name}(?![\w-])(?!\.\w)", said) is not None


def _line(recipe: Recipe, instruction: str, named: list[str]) -> str:
    """The install step that failed, in YAML, with these files among those that it names."""
    failed = [step for step in recipe.model.install if _command(step).strip(" \t") in instruction]
    step = max(failed, key=lambda step: len(_command(step)), default="…")
    files = [*(step.files if isinstance(step, InstallStep) else ()), *named]
    return f"{{run: {json.dumps(_command(step), ensure_ascii=False)}, files: {json.dumps(files, ensure_ascii=False)}}}"


def _command(step: str | InstallStep) -> str:
    return step if isinstance(step, str) else step.run
