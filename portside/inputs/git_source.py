"""A git commit as source: recipe to lock, lock to store, store to tree."""

from portside.common.tree import Tree
from portside.inputs import git
from portside.inputs.bringer import Bringer
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
