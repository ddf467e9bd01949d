"""The Dockerfile and its contexts, from the one template `images/Dockerfile.j2`."""

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

from portside import data
from portside.errors import RecipeError
from portside.image import command, environment, labels, workdir
from portside.inputs.spool import Spool
from portside.lock.models import Lock
from portside.plan import Plan
from portside.recipe import Recipe
from portside.store import Store
from portside.tree import Tree

TEMPLATE = Path(__file__).parent.parent / "images" / "Dockerfile.j2"


@cache
def _template() -> Any:
    import jinja2

    loader = jinja2.FileSystemLoader(TEMPLATE.parent)
    # The values are checked by the recipe's models: none can hold a quote or a line break.
    environment = jinja2.Environment(
        loader=loader, undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    return environment.get_template(TEMPLATE.name)


def env_instructions(lock: Lock) -> str:
    """What is executed for the env layer's packages, as Dockerfile text without FROM."""
    return str(_template().module.env(lock))


def install_instructions(recipe: Recipe, epoch: int) -> str:
    """What is executed for the migrated layer's install steps, as Dockerfile text without FROM."""
    return str(_template().module.install(recipe, epoch))


def dockerfile(plan: Plan) -> str:
    """The whole Dockerfile of a recipe, from an empty image to the finished one."""
    recipe, lock = plan.recipe, plan.lock
    migrated = plan.layer("migrated").parts
    return str(
        _template().module.whole(
            recipe=recipe,
            lock=lock,
            environment=sorted(environment(plan).items()),
            has={"env_files": bool(recipe.model.env.files), "migrated": any(p.kind == "data" for p in migrated)},
            install_epoch=migrated[-1].epoch if migrated else 0,
            workdir=workdir(plan, "weights"),
            labels=sorted(labels(plan, "weights").items()),
            command=json.dumps(command(plan)),
        )
    )


def check_output(output: Path) -> None:
    """Raise RecipeError unless `output` is a folder that is empty or does not exist yet."""
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise RecipeError(f"{output} is not an empty folder", "Name a new one: nothing is overwritten.")


def render(plan: Plan, store: Store, output: Path) -> None:
    """Write Dockerfile and contexts to `output`, a folder that is new or empty.

    All inputs must be in the store. Raises RecipeError for a folder that holds something, InputError for an input
    that is missing.
    """
    check_output(output)
    recipe, lock = plan.recipe, plan.lock
    output.mkdir(parents=True, exist_ok=True)
    (output / "Dockerfile").write_text(dockerfile(plan), encoding="utf-8")
    base = plan.layer("env").parts[0]
    shutil.copyfile(store.layout.blob(base.manifest["diff_id"]), output / "base.tar")
    with store.workspace() as folder, Spool(folder) as spool:
        contexts: dict[str, Tree] = {"env": data.env_context(lock, store)}
        sources = {name: data.source_tree(source, store, spool) for name, source in sorted(lock.sources.items())}
        contexts |= {f"sources/{name}": tree for name, tree in sources.items()}
        contexts["migrated"] = data.migrated_tree(recipe, sources)
        contexts["env-files"] = recipe.file_tree(recipe.model.env.files)
        contexts |= {f"weights/{name}": data.weights_tree(w, store) for name, w in sorted(lock.weights.items())}
        for name, tree in contexts.items():
            if len(tree):
                tree.write_to(output / name)
    for path in (output, *sorted(p for p in output.rglob("*") if p.is_dir() and not p.is_symlink())):
        # A COPY takes over the modes of folders, and the umask had its say in those that write_to was not told of.
        path.chmod(path.stat().st_mode | 0o755)
