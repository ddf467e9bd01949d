"""Whose checks a person lets run here: pytest files of a recipe are code of whoever wrote it."""

from dataclasses import dataclass
from pathlib import Path

from portside.common.canonical import digest_of
from portside.common.tree import Tree
from portside.common.values import Sha256
from portside.recipe import Recipe
from portside.recipe.models import LAYERS
from portside.store import Store

_UNREAD = ("__pycache__", ".pytest_cache")
"""What running checks leaves; no check reads it (PYTHONPYCACHEPREFIX)."""


@dataclass(frozen=True)
class OwnChecks:
    """files: the recipe's own pytest files. digest: of them and of all that lies where they may import from."""

    files: tuple[Path, ...]
    digest: Sha256


def own_checks(recipe: Recipe) -> OwnChecks | None:
    """None for a recipe that has none. Raises RecipeError for files that are not there."""
    names = recipe.model.checks_of(*LAYERS)
    if not names:
        return None
    files = tuple(recipe.file(name) for name in names)
    seen = []
    for folder in recipe.folders:
        tree = Tree.from_folder(folder) if folder.is_dir() else Tree()
        kept = Tree(entry for entry in tree if not any(part in _UNREAD for part in entry.path.split("/")))
        seen.append([[e.path, e.kind, e.sha256 or "", e.link or ""] for e in kept if e.kind != "dir"])
    return OwnChecks(files, Sha256(digest_of({"checks": list(names), "files": seen})))


def is_trusted(checks: OwnChecks, store: Store) -> bool | None:
    """Whether a person has let them run at this content; None where nobody was asked and no bundle brought them."""
    record = store.record("checks", checks.digest)
    return None if record is None else record["trusted"]


def brought_by(checks: OwnChecks, store: Store) -> str:
    """The bundle that they came in, "" for none."""
    record = store.record("checks", checks.digest)
    return "" if record is None else record["bundle"]


def trust(checks: OwnChecks, store: Store) -> None:
    store.keep("checks", checks.digest, {"trusted": True, "bundle": brought_by(checks, store)})


def note_bundle(recipe: Recipe, store: Store, bundle: str) -> None:
    """Remember that a recipe came in a bundle; one whose checks have been let run at this content stays as it is."""
    checks = own_checks(recipe)
    if checks is not None and not is_trusted(checks, store):
        store.keep("checks", checks.digest, {"trusted": False, "bundle": bundle})
