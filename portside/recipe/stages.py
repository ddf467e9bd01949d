"""What each recipe of a chain of `extends` adds to the env layer: each becomes layer blobs of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from portside.common.explain import explain
from portside.errors import RecipeError
from portside.recipe.debian_archives import DebianArchive
from portside.recipe.models import WHEEL_ARCHITECTURES, Env, EnvFile
from portside.recipe.python_packages import Python
from portside.recipe.vendor_files import EnvInstall, VendorFile


@dataclass(frozen=True)
class Stage:
    """One recipe's part of the env layer.

    debian, python, install, files: its own; python says version and platform, or an interpreter of the base that does.
    path, variables: all that count here, the lower recipes' included. interpreter: of the base, that the stages up to
    this one name. activate: the scripts that they name. components, archives: what they say of where packages are.
    """

    recipe: str
    debian: tuple[str, ...]
    python: Python | None
    files: tuple[EnvFile, ...]
    path: tuple[str, ...]
    variables: dict[str, str]
    interpreter: str | None = None
    activate: tuple[str, ...] = ()
    install: tuple[EnvInstall, ...] = ()
    components: tuple[str, ...] = ()
    archives: Mapping[str, DebianArchive] = field(default_factory=dict)

    @property
    def vendor_files(self) -> tuple[VendorFile, ...]:
        """The files that its commands install, each once."""
        return tuple({file.file: file for step in self.install for file in step.files}.values())

    @property
    def reads_base(self) -> bool:
        """Whether its lock says what only the base's files tell."""
        return bool(self.debian or self.activate) or (self.python is not None and self.python.interpreter is not None)


def make_stages(path: Path, envs: Sequence[tuple[str, Any]], architecture: str) -> tuple[Stage, ...]:
    """The stages of a recipe. envs: name of each recipe of the chain, lowest first, and its env as YAML values, with
    those of the lower ones merged in. architecture: of the base that they all stand on, as Debian calls it. Raises
    RecipeError where a lower one cannot stand by itself.
    """
    below = Env()
    stages = []
    for name, values in envs:
        env = _validated(path, name, values)
        stages.append(_stage(name, env, below, architecture))
        below = env
    return tuple(stages)


def _validated(path: Path, name: str, values: Any) -> Env:
    try:
        return Env.model_validate(values)
    except ValidationError as error:
        raise RecipeError(
            "\n".join([f"{path}: the env of '{name}', which it extends, is not complete:", *explain(error, Env, {})]),
            f"Correct recipes/{name}.yaml: its packages become a layer of their own.",
        ) from None


def _stage(name: str, env: Env, below: Env, architecture: str) -> Stage:
    """Lists were appended to the lower recipe's: what stands behind those is the recipe's own."""
    python = env.python
    if python is not None and below.python is not None:
        requirements = python.requirements[len(below.python.requirements) :]
        manual = python.manual[len(below.python.manual) :]
        build = python.build[len(below.python.build) :]
        own = {"requirements": requirements, "manual": manual, "build": build}
        python = python.model_copy(update=own) if requirements or manual or build else None
    if python is not None and python.platform is None and python.interpreter is None:
        python = python.model_copy(update={"platform": f"{WHEEL_ARCHITECTURES[architecture]}-manylinux_2_28"})
    debian, files = env.debian[len(below.debian) :], env.files[len(below.files) :]
    interpreter = env.python.interpreter if env.python is not None else None
    install = env.install[len(below.install) :]
    return Stage(
        name,
        debian,
        python,
        files,
        env.path,
        env.variables,
        interpreter,
        env.activate,
        install,
        env.components,
        env.archives,
    )
