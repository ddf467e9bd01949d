"""A git commit as source: recipe to lock, lock to store, store to tree."""

from dataclasses import replace

from portside.common.tree import Tree
from portside.errors import InputError
from portside.inputs import git, git_lfs
from portside.inputs.bringer import Bringer, Moved
from portside.inputs.git_names import empty_folders, is_gits_own, tree_name
from portside.inputs.spool import Spool
from portside.lock.sources import LockedGitSource
from portside.recipe import sources as recipes
from portside.store import Store


def resolve(asked: recipes.GitSource, bringer: Bringer) -> LockedGitSource:
    source = git.resolve(asked.git, asked.revision, bringer.config, bringer.store, asked.submodules)
    if asked.lfs == "fetch":
        return git_lfs.locked(source, bringer.store)
    return source.model_copy(update={"pointers": asked.lfs == "pointers"})


def bring(source: LockedGitSource, bringer: Bringer) -> None:
    git.fetch(source, bringer.store, bringer.config, bringer.offline)
    git_lfs.bring(source, bringer)


def moved(asked: recipes.GitSource, source: LockedGitSource, bringer: Bringer) -> Moved | None:
    if asked.commit is not None:
        return None
    now = git.newest(asked.git, asked.revision, bringer.config, bringer.store)
    return Moved(str(asked.tag or asked.branch), source.commit, now) if now != source.commit else None


def tree(source: LockedGitSource, store: Store, spool: Spool) -> Tree:
    return git_lfs.filled(git.tree(source, store, spool), source, store)


def is_here(source: LockedGitSource, store: Store) -> bool:
    return git.is_here(source, store) and git_lfs.is_here(source, store)


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
    """By the names that git gives the files, of the source and of each submodule, with its pointers of Git LFS."""
    tree = git_lfs.with_pointers(tree, source)
    links = {module.path: module.commit for module in source.submodules}
    if empty := [path for path in empty_folders(tree) if path not in links]:
        return f"the commit is not here, and the files do not say which submodule {empty[0]} stands for"
    for at, commit in source.placed():
        cut = f"{at}/" if at else ""
        own = {path.removeprefix(cut): name for path, name in links.items() if path.startswith(cut)}
        if (found := tree_name(tree.below(at) if at else tree, own)) != commit.tree:
            if source.lfs:
                return (
                    "the commit is not here, and its pointers of Git LFS may be written in another way than git-lfs has"
                )
            where = f"{at} " if at else ""
            raise InputError(f"{where}holds the git tree {found}, the lock says {commit.tree}")
    return None
