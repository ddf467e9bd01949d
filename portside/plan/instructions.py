"""What run parts execute, as Dockerfile text from the one template `images/Dockerfile.j2`."""

import re
import shlex
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from portside.common.canonical import canonical_json
from portside.common.tree import Tree, file_entry
from portside.errors import RecipeError
from portside.lock.packages import LockedBuild, PackageSet, PythonSet
from portside.plan.environment import building
from portside.recipe import Recipe
from portside.recipe.stages import Stage

TEMPLATE = Path(__file__).with_name("Dockerfile.j2")
"""The very file that people find as images/Dockerfile.j2."""

Variables = Sequence[tuple[str, str]]
"""As `environment.building` gives them."""

MAX_LINE = 65_000
"""Bytes of a line; BuildKit reads none of 64 KiB or more."""


@cache
def template() -> Any:
    import jinja2

    from portside.plan.compiled import Compiled

    # The values are checked by the models of recipe and lock: a line stays a line, a value what it is.
    options: dict[str, Any] = {"keep_trailing_newline": True, "autoescape": False, "undefined": jinja2.StrictUndefined}
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATE.parent),
        bytecode_cache=Compiled(TEMPLATE.parent / "__pycache__", sorted(options.items(), key=str)),
        **options,
    )
    environment.filters["quoted"] = _quoted
    environment.filters["shell"] = shlex.quote
    return environment.get_template(TEMPLATE.name)


def _quoted(value: str) -> str:
    """A value of ENV or LABEL in double quotes: a vendor's image may have any, and so may a description."""
    return '"' + re.sub(r'([\\"$])', r"\\\1", value) + '"'


def readable(text: str) -> str:
    """The text, if builders read all of its lines. Raises RecipeError."""
    for line in text.split("\n"):
        if (size := len(line.encode())) > MAX_LINE:
            raise RecipeError(
                f"the Dockerfile's line that begins with '{line[:40]}' would have {size} bytes, and builders read no "
                f"line of more than {MAX_LINE}",
                "Make what it says shorter.",
            )
    return text


def env_instructions(packages: PackageSet, epoch: int, variables: Variables) -> str:
    """What is executed for one recipe's packages of the env layer, as Dockerfile text without FROM."""
    return str(template().module.env(packages, epoch, variables))


def vendor_instructions(stage: Stage, epoch: int, variables: Variables) -> str:
    """What is executed for one recipe's vendor files of the env layer, as Dockerfile text without FROM."""
    return readable(str(template().module.vendor(stage, epoch, variables)))


def build_instructions(recipe: str, python: PythonSet, epoch: int, variables: Variables) -> str:
    """What is executed for the source distributions of one recipe, as Dockerfile text without FROM."""
    return readable(str(template().module.build(recipe, python, epoch, variables)))


BUILDER = "run_build.py"


def builder_context(built: LockedBuild) -> Tree:
    """What the RUN that builds sees at its bind mount beside the sdists and the tools: the program, and its orders."""
    path = Path(__file__).with_name(BUILDER)
    rows = [sdist.model_dump(include={"name", "version", "file", "backend", "path"}) for sdist in built.sdists]
    tools = "".join(f"{tool.name}=={tool.version} --hash=sha256:{tool.sha256}\n" for tool in built.tools)
    files = [file_entry(BUILDER, path.read_bytes()), file_entry("builds.json", canonical_json(rows))]
    return Tree([*files, *([file_entry("tools.txt", tools.encode())] if tools else [])])


def install_instructions(recipe: Recipe, epoch: int) -> str:
    """What is executed for the migrated layer's install steps, as Dockerfile text without FROM."""
    return readable(str(template().module.install(recipe, epoch, building(recipe))))


def convert_instructions(recipe: Recipe, epoch: int) -> str:
    """What is executed for image mode, as Dockerfile text without FROM. Raises RecipeError without a converter."""
    from portside.migrate.image import converter_of

    migration = recipe.model.migration
    assert migration is not None
    ruleset = recipe.ruleset
    converter = converter_of(ruleset)
    path = migration.converter or converter.path
    return readable(str(template().module.convert(recipe, converter, path, ruleset.suffix, epoch, building(recipe))))


CONVERTER = "run_converter.py"


def converter_context() -> Tree:
    """What the RUN of image mode sees at its bind mount: the program that runs the image's converter."""
    path = Path(__file__).parents[1] / "migrate" / CONVERTER
    return Tree([file_entry(CONVERTER, path.read_bytes())])
