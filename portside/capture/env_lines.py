"""Lines of `env` and `run` for what was installed and run in the container of a working folder."""

from typing import Any

from portside.capture.installed import NewPackages, normal
from portside.capture.splice import RecipeText
from portside.develop.work_folder import SHELL, WorkFolder, WorkState
from portside.errors import RecipeError
from portside.recipe import Recipe

_REQUIREMENTS = ("env", "python", "requirements")


def write_packages(new: NewPackages, text: RecipeText, recipe: Recipe) -> dict[str, str]:
    """Say in the recipe's text what was installed; gives what cannot be said, with why."""
    unsaid = dict(new.unsaid)
    debian = [line for line in new.debian if line not in recipe.model.env.debian]
    if debian and not recipe.model.base.chosen.takes_packages:
        unsaid |= dict.fromkeys(debian, f"a base of the kind `{recipe.model.base.chosen.kind}` takes no packages")
        debian = []
    _write(("env", "debian"), debian, lambda line: line.partition("=")[0], text)
    python = recipe.model.env.python
    lines = [line for line in new.requirements if python is None or line not in python.requirements]
    if lines and python is None:
        text.put(("env", "python"), {"version": new.python, "requirements": lines})
        return unsaid
    _write(_REQUIREMENTS, lines, _project, text)
    return unsaid


def _write(at: tuple[str, ...], lines: list[str], name_of: Any, text: RecipeText) -> None:
    """Lines of a list; one that the recipe itself has of the same package is replaced."""
    values = text.values()
    for key in at:
        values = (values or {}).get(key)
    own = [name_of(item) if isinstance(item, str) else None for item in values or []]
    for line in lines:
        if name_of(line) in own:
            text.replace((*at, own.index(name_of(line))), line)
        else:
            text.append(at, [line])


def _project(requirement: str) -> str:
    head = requirement
    for sign in "<>=!~;[( @":
        head = head.partition(sign)[0]
    return normal(head.strip())


def last_command(work: WorkFolder, state: WorkState) -> dict[str, Any] | None:
    """What was run last in the container: by `develop`, or by a person in its shell."""
    if state.commands:
        return state.commands[-1]
    try:
        lines = (work.kept / SHELL / "history").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    typed = [line.strip() for line in lines if line.strip() not in ("", "exit", "logout") and line[:1] != "#"]
    return {"command": typed[-1], "env": {}, "workdir": None, "target": None} if typed else None


def write_target(name: str, work: WorkFolder, state: WorkState, text: RecipeText, recipe: Recipe) -> None:
    """Make the last command a run target. Raises RecipeError where there is none, or one of that name."""
    row = last_command(work, state)
    if row is None:
        raise RecipeError(
            "no command was run in the container yet, so there is none to make a target of",
            f"Run it: invoke develop --recipe {recipe.name} --command '…'",
        )
    targets = recipe.model.run.targets
    if name in targets:
        raise RecipeError(f"'{recipe.name}' has a target '{name}' already", "Give it another name.")
    value: dict[str, Any] = {"description": f"as it was run in the working folder of {recipe.name}"}
    value["command"] = row["command"]
    other = targets.get(row["target"]) if row["target"] else None
    if env := (dict(other.env) if other is not None else {}) | dict(row["env"]):
        value["env"] = env
    if row["workdir"]:
        value["workdir"] = row["workdir"]
    if other is not None:
        kept = other.model_dump(mode="json", exclude_defaults=True, include={"ports", "devices", "network", "data"})
        value |= kept
    text.put(("run", "targets", name), value)
