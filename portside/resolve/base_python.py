"""The Python of a base, when wheels are chosen for it: what a recipe leaves to it, and what contradicts it."""

from collections.abc import Callable, Mapping

from portside.errors import RecipeError
from portside.inputs.python.base_interpreter import read_interpreter
from portside.inputs.python.tags import is_newer_platform
from portside.layers.image_files import ImageFiles
from portside.lock.comparison import canonical, is_build_of, parsed_version
from portside.lock.packages import LockedInterpreter, PythonSet
from portside.recipe.models import WHEEL_ARCHITECTURES
from portside.recipe.python_packages import Python

KEY = "env.python"
OLDEST_PIP = "20.3"
"""The first that knows wheels of manylinux_2_N (pip's news, 20.3: PEP 600)."""


def interpreter(
    wanted: Python,
    before: LockedInterpreter | None,
    files: Callable[[], ImageFiles],
    environment: Mapping[str, str],
    architecture: str,
) -> LockedInterpreter | None:
    """The interpreter that the recipe names, None where it names none.

    before: what was read of it from the very same base. files: of the base, brought when they are asked for.
    environment: the base's variables. architecture: the base's. Raises RecipeError for one that is not
    there, and for what the recipe says of it otherwise than it is.
    """
    if wanted.interpreter is None:
        return None
    found = before
    if found is None or found.path != wanted.interpreter:
        machine = WHEEL_ARCHITECTURES[architecture]
        read = read_interpreter(files(), wanted.interpreter, environment, machine)
        found = LockedInterpreter(
            path=read.path,
            version=read.version,
            platform=read.platform,
            site=read.site,
            packages={name: package.version for name, package in read.packages.items()},
            fixed=tuple(name for name, package in read.packages.items() if not package.removable),
        )
    _check(wanted, found)
    return found


def _check(wanted: Python, found: LockedInterpreter) -> None:
    if wanted.version not in (None, found.version):
        raise RecipeError(
            f"{KEY}.version is {wanted.version}, but {found.path} in the base is Python {found.version}",
            f'Leave `version` out: the base tells it; or say version: "{found.version}".',
        )
    if wanted.platform is not None and is_newer_platform(wanted.platform, found.platform):
        raise RecipeError(
            f"{KEY}.platform is {wanted.platform}, but the base can load no wheels above {found.platform}",
            "Leave `platform` out: the base tells it.",
        )
    for given, version in sorted(wanted.given.items()):
        there = found.packages.get(canonical(given))
        if there is not None and not is_build_of(there, version):
            raise RecipeError(
                f"{KEY}.given.{given} is {version}, but {found.path} in the base has {there}",
                "Leave it out: the base tells what it has.",
            )
    for replaced in wanted.replace:
        if (key := canonical(replaced)) not in found.packages:
            raise RecipeError(
                f"{KEY}.replace names {replaced}, which {found.path} in the base does not have",
                "Take it out: a requirement alone brings it.",
            )
        if key in found.fixed:
            raise RecipeError(
                f"{KEY}.replace names {replaced}, and nothing in the base lists its files: pip cannot remove it",
                f"Take it out; the base's {replaced} {found.packages[key]} stays.",
            )


def installed(wanted: Python, found: LockedInterpreter | None) -> dict[str, str]:
    """What is there and stays, by name (PEP 503): of the interpreter, and what else the recipe says is given."""
    if found is None:
        return dict(wanted.given)
    free = set(map(canonical, wanted.replace))
    own = {name: version for name, version in found.packages.items() if name not in free}
    return {canonical(name): version for name, version in given(wanted, found).items()} | own


def given(wanted: Python, found: LockedInterpreter | None) -> dict[str, str]:
    """Of what the recipe says is given, that which the interpreter does not tell by itself."""
    packages = found.packages if found else {}
    return {name: version for name, version in wanted.given.items() if canonical(name) not in packages}


def filled(wanted: Python, found: LockedInterpreter | None) -> Python:
    """What the recipe asks for, with what it leaves to the interpreter."""
    if found is None:
        return wanted
    return wanted.model_copy(update={"version": found.version, "platform": wanted.platform or found.platform})


def has_pip(found: LockedInterpreter) -> bool:
    """Whether the interpreter has a pip that can install every wheel that is chosen for it."""
    there, oldest = parsed_version(found.packages.get("pip", "")), parsed_version(OLDEST_PIP)
    return there is not None and oldest is not None and there >= oldest


def check_below(wanted: Python, below: PythonSet | None, recipe: str) -> None:
    """Raise RecipeError where the recipes that one extends install wheels for another interpreter."""
    if below is None or not below.wheels:
        return
    other = below.interpreter.path if below.interpreter else None
    if other != wanted.interpreter:
        raise RecipeError(
            f"{KEY}.interpreter: {recipe} names {wanted.interpreter or 'none'}, and what it extends has installed its "
            f"wheels with {other or 'the python3 that PATH finds'}",
            "Name one interpreter for all of them: in the lowest recipe.",
        )
