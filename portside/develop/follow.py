"""A working folder takes in what its recipe has had of changes since it was laid out, and loses nothing by it."""

import os
import secrets
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from portside.common.progress import say
from portside.common.tree import encode_path
from portside.develop.code import Installed, WorkspaceCode
from portside.develop.repository import BASE, WorkRepository
from portside.develop.work_folder import WorkFolder, by_origin, installed_rows, shown_code
from portside.errors import RecipeError
from portside.recipe import Recipe

Found = tuple[str, str] | None
"""A path's mode and git's name of its bytes; None where it is not there."""


def follow(
    work: WorkFolder, recipe: Recipe, code: WorkspaceCode, installed: Installed, key: str, sources: bool
) -> None:
    """Bring what changed in the recipe's code into the folder, beside a person's own edits.

    A kill leaves the folder as far as it was brought; the next call goes on. Raises RecipeError, and changes nothing,
    where both have changed the same lines.
    """
    repository = work.repository
    shown = shown_code(recipe, code, sources)
    theirs = _taken_in(repository, shown)
    base, mine = repository.tree_of(BASE), repository.snapshot()
    wanted, conflicts = _three_ways(repository, base, mine, theirs)
    if conflicts:
        raise RecipeError(
            f"the recipe '{recipe.name}' has other code now, and these were edited in {work.path} at the same lines:\n"
            + "\n".join(f"  {path}" for path in conflicts),
            f"Undo one of the two, or put the folder aside and begin anew: invoke develop --recipe {recipe.name} "
            "--reset (what lies there stays in its git).",
        )
    for path, (found, data) in wanted.items():
        _put(work, path, found, data)
    own = repository.commits(work.state().head)
    _settle(work, recipe, shown, installed, key, sources, theirs)
    if wanted:
        say(f"{len(wanted)} path(s) in {work.path} follow the recipe, which has changed")
    if own:
        say(f"{len(own)} commit(s) that are not captured yet will be one patch, for they were made on other code")


def start_over(
    work: WorkFolder, recipe: Recipe, code: WorkspaceCode, installed: Installed, key: str, sources: bool
) -> None:
    """Let the folder be as the recipe has it; what lay there stays in its git."""
    repository = work.repository
    shown = shown_code(recipe, code, sources)
    theirs = _taken_in(repository, shown)
    mine = repository.snapshot()
    head = repository.word("rev-parse", "HEAD")
    if mine != theirs:
        name = f"refs/portside/before/{secrets.token_hex(4)}"
        repository.set_ref(name, repository.commit_tree(mine, head, "What lay there before --reset"))
        say(f"What lay in {work.path} is kept: git -C {work.path} show {name}")
    new = repository.commit_tree(theirs, head, f"{recipe.name} as its image has it")
    old, now = repository.listing(mine), repository.listing(theirs)
    for path in [*(old.keys() - now.keys()), *sorted(now)]:
        if old.get(path) != now.get(path):
            _put(work, path, now.get(path))
    repository.git("reset", "--quiet", "--mixed", new)
    _settle(work, recipe, shown, installed, key, sources, theirs)


def _settle(
    work: WorkFolder, recipe: Recipe, shown: WorkspaceCode, installed: Installed, key: str, sources: bool, tree: str
) -> None:
    repository = work.repository
    head = repository.word("rev-parse", "HEAD")
    repository.set_ref(BASE, repository.commit_tree(tree, head, f"{recipe.name} as its image has it"))
    work.keep(
        replace(
            work.state(),
            key=key,
            head=head,
            origins=by_origin(shown.origins),
            installed=installed_rows(installed),
            removed=list(installed.removed),
            sources=sources,
        )
    )


def _taken_in(repository: WorkRepository, code: WorkspaceCode) -> str:
    with tempfile.TemporaryDirectory(prefix="portside-code-") as scratch:
        code.tree.write_to(Path(scratch))
        return repository.tree_of_folder(Path(scratch))


def _three_ways(
    repository: WorkRepository, base: str, mine: str, theirs: str
) -> tuple[dict[str, tuple[Found, bytes | None]], list[str]]:
    """What has to become of which path (its mode and name, and its bytes where they were merged), and the paths on
    which both sides disagree."""
    old, own, new = (repository.listing(tree) for tree in (base, mine, theirs))
    wanted: dict[str, tuple[Found, bytes | None]] = {}
    conflicts = []
    for path in sorted(old.keys() | own.keys() | new.keys()):
        b, m, t = old.get(path), own.get(path), new.get(path)
        if t in (b, m):
            continue
        if m == b:
            wanted[path] = (t, None)
        elif b and m and t and b[0][:3] == m[0][:3] == t[0][:3] == "100":
            text = repository.merged(m[1], b[1], t[1])
            if text is None:
                conflicts.append(path)
            else:
                wanted[path] = ((t[0] if m[0] == b[0] else m[0], m[1]), text)
        else:
            conflicts.append(path)
    return wanted, conflicts


def _put(work: WorkFolder, path: str, found: Found, data: bytes | None = None) -> None:
    """Let a path of the folder be as git has it; data: its bytes, where they are others."""
    target = os.path.join(os.fsencode(work.path), encode_path(path))
    if found is None:
        with suppress(FileNotFoundError):
            os.unlink(target)
        with suppress(OSError):
            os.removedirs(os.path.dirname(target))
        return
    mode, name = found
    os.makedirs(os.path.dirname(target), exist_ok=True)
    part = target + b"." + secrets.token_hex(4).encode() + b".portside"
    content = work.repository.blob(name) if data is None else data
    try:
        if mode == "120000":
            os.symlink(content, part)
        else:
            with open(part, "xb") as stream:
                stream.write(content)
            os.chmod(part, 0o755 if mode == "100755" else 0o644)
        os.replace(part, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(part)
