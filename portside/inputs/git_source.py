"""A git commit as source: recipe to lock, lock to store, store to tree."""

from dataclasses import replace

from portside.common.tree import Tree
from portside.errors import InputError
from portside.inputs import git
from portside.inputs.bringer import Bringer
from portside.inputs.git_names import empty_folders, is_gits_own, tree_name
from portside.inputs.spool import Spool
from portside.lock.models import LockedGitSource
from portside.recipe import models as recipes
from portside.store import Store


def resolve(asked: recipes.GitSource, bringer: Bringer) -> LockedGitSource:
    return git.resolve(asked.git, asked.commit, bringer.config, bringer.store)


def bring(source: LockedGitSource, bringer: Bringer) -> None:
    git.fetch(source, bringer.store, bringer.config, bringer.offline)


def tree(source: LockedGitSource, store: Store, spool: Spool) -> Tree:
    return git.tree(source, store, spool)


def is_here(source: LockedGitSource, store: Store) -> bool:
    return git.is_here(source, store)


def in_layer(source: LockedGitSource, tree: Tree) -> Tree:
    """All of a commit has its time, which is the source's epoch."""
    if own := next((entry.path for entry in tree if is_gits_own(entry.path)), None):
        raise InputError(f"holds a path that git itself refuses: {own!r}")
    return Tree(replace(entry, mtime=source.epoch) for entry in tree)


def out_of_layer(tree: Tree) -> Tree:
    """git knows no folders but the empty ones of submodules: a folder goes where a patch takes its last file away."""
    empty = empty_folders(tree)
    return Tree(entry for entry in tree if entry.kind != "dir" or entry.path in empty)


def proof(source: LockedGitSource, tree: Tree) -> str | None:
    """By the name that git gives the files."""
    if empty := empty_folders(tree):
        return f"the commit is not here, and the files do not say which submodule {empty[0]} stands for"
    if (found := tree_name(tree)) != source.tree:
        raise InputError(f"holds the git tree {found}, the lock says {source.tree}")
    return None
