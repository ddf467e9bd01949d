"""Which recipes are others than in a commit of git: by the files of the project that decide what they give."""

import os
import subprocess
from collections.abc import Collection
from pathlib import Path

from portside.errors import RecipeError
from portside.recipe.loaded import Recipe


def changed_files(root: Path, reference: str) -> set[str]:
    """The files of the project, by their paths below its root, that are other, new or gone since a commit of its git
    repository; what is not committed yet counts, and what git ignores does not.

    reference: what git takes for a commit: `origin/main`, `HEAD~1`, a hash. Raises RecipeError where the project is in
    no repository, or that one has no such commit.
    """
    if not reference or reference.startswith("-"):
        raise RecipeError(f"--changed-since: {reference!r} is no commit", "Say a branch, a tag or a commit's hash.")
    if _git(root, "rev-parse", "--is-inside-work-tree") != b"true\n":
        raise RecipeError(f"--changed-since: {root} is in no git repository", "Name the recipes: --recipe, or --all.")
    found = _git(root, "rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}")
    if found is None:
        raise RecipeError(
            f"--changed-since: this git repository has no commit {reference!r}",
            "Fetch it: a CI fetches the last commit alone unless it is told otherwise (fetch-depth: 0 in GitHub "
            "Actions, GIT_DEPTH: 0 in GitLab CI).",
        )
    # Without a commit's name behind it, what is compared is the working tree.
    commit = found.decode().strip()
    diff = _git(root, "diff", "--name-only", "--no-renames", "--no-ext-diff", "--relative", "-z", commit, "--", ".")
    new = _git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", ".")
    if diff is None or new is None:
        raise RecipeError(
            f"git does not say what is other in {root} than in {reference}", f"See why: git diff {reference}"
        )
    return {os.fsdecode(name) for name in (diff + new).split(b"\0") if name}


def is_changed(recipe: Recipe, files: Collection[str]) -> bool:
    """Whether one of these files, by their paths below the project's root, decides what the recipe gives: it and its
    lock, its folder, the same of those that it extends, folders that it has as sources, its accelerator and ruleset
    where the project has files of its own for them, and portside.toml."""
    whole = {"portside.toml", f"accelerators/{recipe.model.accelerator.name}.yaml"}
    folders = set()
    for folder in recipe.folders:
        name = folder.relative_to(recipe.root).as_posix()
        whole |= {f"{name}.yaml", f"{name}.lock"}
        folders.add(name)
    if recipe.model.migration is not None:
        whole.add(f"rulesets/{recipe.model.migration.ruleset}.yaml")
    folders |= {path for source in recipe.model.sources.values() if (path := source.project_folder) is not None}
    return any(file in whole or _is_below(file, folders) for file in files)


def _is_below(file: str, folders: Collection[str]) -> bool:
    return any(folder in (".", file) or file.startswith(f"{folder}/") for folder in folders)


def _git(root: Path, *arguments: str) -> bytes | None:
    """What git prints; None where it fails. Raises RecipeError where there is no git."""
    environment = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
    except FileNotFoundError:
        raise RecipeError("--changed-since: git is not installed", "Install it: apt-get install git") from None
    return done.stdout if done.returncode == 0 else None
