"""`invoke new`: brings the repository, drafts, looks whether it is a recipe, and writes it where nothing is yet."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from portside.common.explain import explain
from portside.common.outputs import output
from portside.common.progress import step
from portside.common.tree import Tree
from portside.common.yaml_file import FileLine, read_yaml
from portside.draft.drafted import Draft
from portside.draft.fitting import fit
from portside.draft.make import make_draft
from portside.draft.options import check_asked
from portside.draft.origin import RepositoryReader
from portside.errors import PortsideError, RecipeError
from portside.inputs.spool import Spool
from portside.project import Project
from portside.recipe import load_recipe
from portside.recipe.load import check_name
from portside.recipe.models import RecipeModel


@dataclass(frozen=True)
class Drafted:
    """text: of the recipe. files: of its folder, by their path below `recipes/`. unfit: why its packages cannot be had;
    nothing where they can."""

    name: str
    text: str
    files: dict[str, str]
    left: tuple[str, ...]
    unfit: str = ""

    @property
    def guesses(self) -> int:
        return sum("# ?" in line for line in self.text.split("\n"))

    @property
    def paths(self) -> list[str]:
        return [f"recipes/{self.name}.yaml", *(f"recipes/{path}" for path in sorted(self.files))]


def draft_recipe(
    project: Project,
    name: str,
    source: str,
    *,
    accelerator: str | None = None,
    base: str | None = None,
    weights: str | None = None,
    dockerfile: str | None = None,
) -> Drafted:
    """A recipe for a repository, not written yet. source: URL or folder, with @REF behind it or none.

    Raises RecipeError for arguments that cannot be, and where there is something of that name; InputError where the
    repository cannot be had.
    """
    check_name(name)
    check_free(project, name)
    asked = check_asked(name, project.root, accelerator, base, weights, dockerfile)
    with project.store.workspace() as folder, Spool(folder) as spool:
        reader = RepositoryReader(project.root, project.config, project.store, spool)
        with step(f"Bringing {source}"):
            origin, checkout = reader.source(source)
        draft = make_draft(asked, origin, checkout, reader)
        trees = {checkout.name: checkout.tree}
        unfit = fit(draft, _trees(draft, trees, reader), project.config)
        text = draft.text
    files = {f"{name}/{path}": content for path, content in draft.files.items()}
    check_text(text)
    return Drafted(name, text, files, tuple(draft.left), unfit)


def _trees(draft: Draft, known: dict[str, Tree], reader: RepositoryReader) -> Callable[[str], Tree]:
    def tree_of(source: str) -> Tree:
        if source not in known:
            asked = draft.sources[source][0].value
            revision = str(asked.get("tag") or asked.get("branch") or asked.get("commit") or "")
            found = reader.other(str(asked["git"]), revision)
            if found is None:
                raise RecipeError(f"{asked['git']} cannot be had any more")
            known[source] = found[1].tree
        return known[source]

    return tree_of


def check_free(project: Project, name: str) -> None:
    """Raise RecipeError where the project has something of the recipe's name already."""
    there = [path for path in (f"{name}.yaml", f"{name}.lock", name) if (project.root / "recipes" / path).exists()]
    if there:
        raise RecipeError(
            f"there is already {', '.join(f'recipes/{path}' for path in there)}",
            "Nothing is overwritten: choose another name, or move it away.",
        )


def check_text(text: str) -> None:
    """Raise PortsideError where a draft is no recipe; whatever is in a repository, that is a fault of Portside."""
    with tempfile.TemporaryDirectory(prefix="portside-draft-") as folder:
        path = Path(folder) / "draft.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            values, places = read_yaml(path)
            RecipeModel.model_validate(values)
        except ValidationError as error:
            problem = "\n".join(explain(error, RecipeModel, places, FileLine(path, 1)))
        except RecipeError as error:
            problem = error.problem
        else:
            return
    raise PortsideError(
        f"what was drafted is no recipe, and was not written:\n{problem.replace(str(path), 'draft')}",
        "This is a fault of Portside: please report it with the repository's address.",
    )


def write_draft(project: Project, drafted: Drafted) -> list[str]:
    """Write the recipe and its files; gives their paths. Raises RecipeError where something is there by now, and takes
    back what it wrote where it is no recipe of this project."""
    check_free(project, drafted.name)
    folder = project.root / "recipes"
    written: list[Path] = []
    try:
        for path, text in [*sorted(drafted.files.items()), (f"{drafted.name}.yaml", drafted.text)]:
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with output(target, None, RecipeError) as stream:
                stream.write(text.encode("utf-8"))
            written.append(target)
        load_recipe(project.root, drafted.name)
    except PortsideError:
        for target in written:
            target.unlink(missing_ok=True)
        raise
    return drafted.paths
