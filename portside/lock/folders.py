"""Folders of the project as sources: which files count, so that every checkout of the same commit has the same."""

from dataclasses import replace
from pathlib import Path

from portside.common.tree import Tree
from portside.errors import RecipeError

EPOCH = 315_532_800
"""1980-01-01, the time of all files of such a source: a checkout's say when it was made, and zip has none before."""
_LEFT_OUT = ("__pycache__", ".pytest_cache")
"""Beside `.git`: what running the files leaves among them."""


def project_files(root: Path, folder: str) -> Tree:
    """The files and links of a folder of the project at `root`, paths relative to it; no folders, as git has none.

    Modes are 0644, or 0755 where the owner may execute. Raises RecipeError where there is no such folder in the
    project, or nothing in it, or what is neither file nor link; InputError for a socket or a device.
    """
    path = root / folder
    if not path.is_dir():
        raise RecipeError(f"the project has no folder {folder}", f"Put it at {path}, or correct the recipe.")
    if not path.resolve().is_relative_to(root.resolve()):
        raise RecipeError(f"{path} leads out of the project", "Put the folder itself there.")
    files = Tree(
        replace(entry, mtime=EPOCH, mode=entry.mode if entry.kind != "file" else 0o755 if entry.mode & 0o100 else 0o644)
        for entry in Tree.from_folder(path)
        if entry.kind != "dir" and not any(part in _LEFT_OUT for part in entry.path.split("/"))
    )
    if strange := next((entry for entry in files if entry.kind not in ("file", "symlink")), None):
        raise RecipeError(f"{path / strange.path} is a {strange.kind}", "Move it out of the folder.")
    if not any(True for _ in files):
        raise RecipeError(f"{path} holds no files", "Correct the recipe.")
    return files


def changed(root: Path, folder: str, digest: str) -> bool:
    """Whether a project has a folder of that name whose files are others. digest: of a `Tree` of files and links."""
    return (root / folder).is_dir() and project_files(root, folder).digest() != digest
