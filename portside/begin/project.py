"""`invoke init`: a project of one's own, in a folder where nothing is overwritten."""

from dataclasses import dataclass
from pathlib import Path

from portside.begin.examples import example_recipes, example_tree
from portside.common.os_errors import remedy
from portside.common.root import is_root
from portside.common.tree import Entry, Tree, file_entry
from portside.errors import PortsideError, RecipeError
from portside.recipe import Recipe, load_recipe

_FILES = Path(__file__).with_name("files")
_PLACES = {
    "gitignore": ".gitignore",
    "gitlab-ci.yml": ".gitlab-ci.yml",
    "workflow.yml": ".github/workflows/portside.yml",
}
"""Where files go that would mean something to other programs if they lay in the package under that name."""
FIRST = "hello"
"""The recipe of a new project without an example."""


@dataclass(frozen=True)
class Made:
    """recipe: the one to build. written: the files that were not there yet, below the folder."""

    recipe: str
    written: tuple[str, ...]


def make_project(folder: Path, example: str | None = None) -> Made:
    """Write a project's files into a folder, which is made if need be; one that is there and the same stays.

    example: the name of a recipe that comes with Portside, in place of the first recipe; with those that it extends. A
    folder that is a project already gets nothing but these. Raises RecipeError, before anything is written, for a name
    that no example has, and where files are in the way.
    """
    recipe = example or FIRST
    recipes = example_tree(example) if example else _first_recipe()
    wanted = recipes if example and is_root(folder) else Tree([*recipes, *_frame()])
    try:
        if folder.exists() and not folder.is_dir():
            raise RecipeError(f"{folder} is no folder", "Name another one, new or not.")
        if in_the_way := [entry.path for entry in wanted if _is_in_the_way(folder, entry)]:
            raise RecipeError(
                f"{folder} has other files where the project's would be: {', '.join(in_the_way)}",
                "Nothing is overwritten, and nothing was written: name another folder, or move them away.",
            )
        missing = [entry for entry in wanted if not (folder / entry.path).exists()]
        for entry in missing:
            _write(folder / entry.path, entry)
    except OSError as error:
        place = error.filename or folder
        raise PortsideError(f"{place} cannot be written: {error.strerror}", remedy(error, folder)) from None
    return Made(recipe, tuple(entry.path for entry in missing))


def own_recipes() -> list[Recipe]:
    """Those that come with Portside: the examples, and the first one of a new project."""
    return [*example_recipes(), load_recipe(_FILES, FIRST)]


def _first_recipe() -> Tree:
    return Tree(entry for entry in Tree.from_folder(_FILES) if _is_file_of_recipe(entry))


def _is_file_of_recipe(entry: Entry) -> bool:
    return entry.kind == "file" and entry.path.startswith("recipes/") and "/__pycache__/" not in entry.path


def _frame() -> list[Entry]:
    """What a project has beside its recipes."""
    files = [path for path in sorted(_FILES.iterdir()) if path.is_file()]
    return [file_entry(_PLACES.get(path.name, path.name), path.read_bytes()) for path in files]


def _write(path: Path, entry: Entry) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as stream:
        stream.write(entry.read())
    if entry.mode & 0o100:
        mode = path.stat().st_mode
        path.chmod(mode | (mode & 0o444) >> 2)  # whoever may read it may run it


def _is_in_the_way(folder: Path, entry: Entry) -> bool:
    """Whether something else is where a file would go, or where a folder above it would."""
    path = folder / entry.path
    if path.is_symlink() or path.exists():
        return not path.is_file() or path.read_bytes() != entry.read()
    above = next(parent for parent in path.parents if parent.is_symlink() or parent.exists())
    return not above.is_dir()
