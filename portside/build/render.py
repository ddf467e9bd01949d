"""The Dockerfile and its contexts, from the one template `images/Dockerfile.j2`."""

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from portside.common.outputs import output as new_file
from portside.common.tree import Tree
from portside.common.values import Sha256
from portside.errors import BuildError, RecipeError
from portside.image.config import command, labels, workdir
from portside.inputs.kinds import BASES
from portside.inputs.spool import Spool
from portside.layers.layer import Layer
from portside.layers.writer import read_layer
from portside.lock.models import LockedWeights
from portside.lock.packages import PackageSet
from portside.plan.environment import building, unset, variables
from portside.plan.instructions import MAX_LINE, converter_context, readable, template
from portside.plan.model import Plan, Trees, WeightLinks, converted_part
from portside.plan.states import blob_of
from portside.store import Store
from portside.trees import parts as data

LINK_NOTE = (
    "The --link of COPY needs BuildKit with Dockerfile 1.4, which Docker brings since 23. Docker 20.10 stops with "
    "`Unknown flag: link`, and so does Podman 4.3: for them render without --link."
)

_MADE: dict[str, type] = {"migrated": Trees, "links": WeightLinks}
"""What the template asks whether there is any, and the parts that tell."""


def dockerfile(plan: Plan, gone: Sequence[str] = (), *, link: bool = False) -> str:
    """The whole Dockerfile of a recipe, from an empty image to the finished one.

    gone: what the patches remove from sources, or from the converter's result; paths relative to the workspace.
    link: write COPY --link for what goes into the workspace, of which no layer depends on what lies below it.
    Raises RecipeError or BuildError for what no Dockerfile can say.
    """
    recipe, lock = plan.recipe, plan.lock
    migrated = plan.layer("migrated").parts
    text = str(
        template().module.whole(
            recipe=recipe,
            lock=lock,
            base=plain(lock.base, recipe.name) if (plain := BASES[lock.base.kind].plain) is not None else None,
            stages=list(_stages(plan)),
            converted=_converted(plan),
            gone=list(_removals(recipe.workspace, gone)),
            has={kind: any(isinstance(p.of, of) for p in migrated) for kind, of in _MADE.items()},
            install_epoch=max((p.epoch for p in migrated), default=0),
            workdir=workdir(plan, "weights"),
            labels=sorted(labels(plan, "weights").items()),
            command=json.dumps(command(plan)),
            link_note=LINK_NOTE if link else "",
            building=building(recipe),
        )
    )
    return readable(text)


def _converted(plan: Plan) -> dict[str, Any] | None:
    part = converted_part(plan)
    if part is None:
        return None
    return {"instructions": part.manifest["instructions"]}


def _removals(workspace: str, gone: Sequence[str]) -> Iterator[str]:
    """Commands that remove these paths, in the form without a shell: a name may hold anything that is UTF-8."""
    paths: list[str] = []
    size = 0
    for path in gone:
        if re.search(r"[\ud800-\udfff]", path):
            raise BuildError(f"{path!r} is to be removed, and no Dockerfile can name it: its name is not UTF-8")
        word = f"{workspace}/{path}"
        size += len(json.dumps(word)) + 2
        if paths and size > MAX_LINE - 100:
            yield json.dumps(["rm", "-r", "-f", "--", *paths])
            paths, size = [], len(json.dumps(word)) + 2
        paths.append(word)
    if paths:
        yield json.dumps(["rm", "-r", "-f", "--", *paths])


def _stages(plan: Plan) -> Iterator[dict[str, Any]]:
    epoch = plan.lock.base.epoch
    for stage in plan.recipe.stages:
        packages = plan.lock.env.of(stage.recipe)
        epoch = max(epoch, packages.epoch if packages else 0)
        built = packages.python.built if packages is not None and packages.python is not None else None
        built_epoch = max(epoch, built.epoch if built is not None else 0)
        yield {
            "built_epoch": built_epoch,
            "recipe": stage.recipe,
            "environment": sorted(variables(plan.lock, stage).items()),
            "unset": unset(plan.lock, stage),
            "packages": packages,
            "epoch": epoch,
            "files": stage.files,
            "vendor": stage if stage.install else None,
        }
        epoch = built_epoch


def _has(store: Store, sha256: Sha256 | None) -> bool:
    return sha256 is not None and store.inputs.locate(sha256) is not None


def _present_packages(packages: PackageSet, store: Store) -> PackageSet:
    python = packages.python
    if python is None:
        return packages
    manual = tuple(wheel for wheel in python.manual if _has(store, wheel.sha256))
    return packages.model_copy(update={"python": python.model_copy(update={"manual": manual})})


def _present_vendor(packages: PackageSet, store: Store) -> PackageSet:
    return packages.model_copy(update={"vendor": tuple(row for row in packages.vendor if _has(store, row.sha256))})


def _present_weights(weights: LockedWeights, store: Store) -> LockedWeights:
    if weights.packed:
        return weights
    return weights.model_copy(update={"files": tuple(file for file in weights.files if _has(store, file.sha256))})


def check_output(output: Path) -> None:
    """Raise RecipeError unless `output` is a folder that is empty or does not exist yet."""
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise RecipeError(f"{output} is not an empty folder", "Name a new one: nothing is overwritten.")


def check_converted(plan: Plan, store: Store) -> Layer | None:
    """The layer with the result of the image's converter, None where the recipe uses none.

    Raises BuildError where the converter has not run yet: the patches are for its result.
    """
    part = converted_part(plan)
    if part is None:
        return None
    blob = blob_of(part, store)
    if blob is None:
        raise BuildError(
            f"{plan.recipe.name} uses the converter of its base image, and that has not run yet",
            lambda recipe: f"Build once, then render: invoke build --recipe {recipe} --layer migrated",
        )
    store.layout.check(blob)
    return read_layer(store.layout.tar(blob.digest))


def render(plan: Plan, store: Store, output: Path, *, link: bool = False) -> None:
    """Write Dockerfile and contexts to `output`, a folder that is new or empty. link: as `dockerfile` has it.

    All inputs must be in the store, but those that a person brings: without them the contexts are not complete.
    Raises RecipeError for a folder that holds something, InputError for an input that is missing, BuildError where
    the image's converter has not run yet.
    """
    check_output(output)
    converted = check_converted(plan, store)
    recipe, lock = plan.recipe, plan.lock
    output.mkdir(parents=True, exist_ok=True)
    if BASES[lock.base.kind].plain is None:
        [layer] = lock.base.layers
        with store.layout.blob(layer.diff_id).open("rb") as stream, new_file(output / "base.tar", None) as out:
            shutil.copyfileobj(stream, out)
    with store.workspace() as folder, Spool(folder) as spool:
        contexts: dict[str, Tree] = {
            f"env/{packages.recipe}": data.env_context(_present_packages(packages, store), store)
            for packages in lock.env.sets
        }
        contexts |= {
            f"vendor/{packages.recipe}": data.vendor_context(_present_vendor(packages, store), store)
            for packages in lock.env.sets
            if packages.vendor
        }
        contexts |= {
            f"build/{packages.recipe}": data.build_context(packages.python, store)
            for packages in lock.env.sets
            if packages.python is not None and packages.python.sdists
        }
        sources = {name: data.source_tree(source, store, spool) for name, source in sorted(lock.sources.items())}
        contexts |= {f"sources/{name}": tree for name, tree in sources.items()}
        made = data.over_sources(plan, sources, converted)
        contexts["migrated"] = made.tree
        if converted is not None:
            contexts["converter"] = converter_context()
        gone = (*made.removed, *made.replaced)
        with new_file(output / "Dockerfile", None) as out:
            out.write(dockerfile(plan, gone, link=link).encode())
        contexts["install-files"] = recipe.file_tree(recipe.files_below_install)
        contexts["files"] = recipe.file_tree(recipe.files_above_install)
        contexts["links"] = Tree(e for part in plan.layer("migrated").parts for e in data.link_tree(part))
        contexts |= {f"env-files/{stage.recipe}": recipe.file_tree(stage.files) for stage in recipe.stages}
        contexts |= {
            f"weights/{name}": data.weights_tree(_present_weights(weights, store), store)
            for name, weights in sorted(lock.weights.items())
        }
        for name, tree in contexts.items():
            if len(tree):
                tree.write_to(output / name)
            elif name.startswith("weights/"):
                (output / name).mkdir(parents=True)
    for path in (output, *sorted(p for p in output.rglob("*") if p.is_dir() and not p.is_symlink())):
        # A COPY takes over the modes of folders, and the umask had its say in those that write_to was not told of.
        path.chmod(path.stat().st_mode | 0o755)
