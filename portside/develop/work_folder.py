"""The folder in which a person works on a recipe's code: laid out once, and never overwritten without a word.

It is laid out under another name and renamed, so that a kill leaves no half of one. What Portside knows of it is in
`.git/portside/`: it goes with the folder and is no part of the code.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from portside.common.outputs import write_text
from portside.common.tree import Entry, Tree
from portside.develop.code import WEIGHTS, Installed, Origin, WorkspaceCode, source_folders
from portside.develop.repository import BASE, WorkRepository
from portside.errors import RecipeError
from portside.recipe import Recipe
from portside.store.files import remove_folder

FORMAT = 1
KEPT = "portside"
"""The folder in `.git` with what Portside knows of the working folder."""
BESIDE, NOTHING, SHELL = "sources", "nothing", "shell"
"""Folders in it: the sources that are not laid out for editing; an empty one; what a shell remembers."""
OUTPUTS = ("__pycache__/", "*.py[co]", ".pytest_cache/", ".ipynb_checkpoints/")
"""What running the code leaves, and what is never code."""


@dataclass(frozen=True)
class WorkState:
    """What a working folder was laid out from.

    recipe, workspace: of the image. key: `code_key` of the recipe whose code the base is. head: the commit that was
    checked out when the base was taken. origins: what put each path of the base there, by what: its paths. installed:
    what the install steps did: path -> kind, mode, size, sha256, link. removed: what they took away. sources: whether
    the sources that are migrated are laid out, too. networks: those that containers of this folder were given.
    commands: what was run in them, the newest last: its line, variables and working folder. container, image: the names
    of the last one and of what it was started from.
    """

    recipe: str
    workspace: str
    key: str
    head: str
    origins: Mapping[str, list[str]]
    installed: Mapping[str, list[Any]] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    sources: bool = False
    networks: list[str] = field(default_factory=list)
    commands: list[dict[str, Any]] = field(default_factory=list)
    container: str | None = None
    image: str | None = None
    format: int = FORMAT

    def origin_of(self) -> dict[str, Origin]:
        return {path: cast(Origin, origin) for origin, paths in self.origins.items() for path in paths}

    def install(self) -> Installed:
        rows = [
            Entry(path, kind, mode, size=size, sha256=sha256, link=link)
            for path, (kind, mode, size, sha256, link) in self.installed.items()
        ]
        return Installed(tuple(rows), tuple(self.removed))


def by_origin(origins: Mapping[str, Origin]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path, origin in sorted(origins.items()):
        found.setdefault(origin, []).append(path)
    return found


def installed_rows(installed: Installed) -> dict[str, list[Any]]:
    return {e.path: [e.kind, e.mode, e.size, e.sha256, e.link] for e in installed.entries}


class WorkFolder:
    """One working folder. path: absolute."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.repository = WorkRepository(path)

    @property
    def kept(self) -> Path:
        return self.path / ".git" / KEPT

    @property
    def _state(self) -> Path:
        return self.kept / "state.json"

    def exists(self) -> bool:
        return self._state.is_file()

    def state(self) -> WorkState:
        """Raises RecipeError where it is none of this version's."""
        try:
            value = json.loads(self._state.read_text(encoding="utf-8", errors="surrogateescape"))
            state = WorkState(**value)
            if state.format != FORMAT:
                raise ValueError("another form")
            return state
        except (ValueError, TypeError) as error:
            raise RecipeError(
                f"{self._state} cannot be read: {error}",
                f"Put the folder aside and begin anew: mv {self.path} {self.path}.old",
            ) from None

    def keep(self, state: WorkState) -> None:
        write_text(self._state, json.dumps(asdict(state), indent=1) + "\n")

    def note(self, **changes: Any) -> None:
        self.keep(replace(self.state(), **changes))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder against another develop, capture or reset. Raises RecipeError where another has it."""
        handle = os.open(self.kept / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RecipeError(
                    f"{self.path} is just being read or written by another call", "Wait until that has ended."
                ) from None
            yield
        finally:
            os.close(handle)

    @contextmanager
    def session(self) -> Iterator[None]:
        """A container of this folder is in use, maybe by several calls at once."""
        handle = os.open(self.kept / "session", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_SH)
            yield
        finally:
            os.close(handle)

    def in_use(self) -> bool:
        """Whether some call has a container of this folder in use."""
        handle = os.open(self.kept / "session", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
        except BlockingIOError:
            return True
        finally:
            os.close(handle)


def find_folder(root: Path, recipe: str, folder: str | None) -> WorkFolder:
    """The working folder that a person means. Raises RecipeError for one that is something else."""
    path = Path(os.path.abspath(folder)) if folder else root / "work" / recipe
    work = WorkFolder(path)
    if work.exists():
        if (found := work.state().recipe) != recipe:
            raise RecipeError(f"{path} is the working folder of '{found}'", "Name another one: --folder.")
        return work
    if path.is_symlink() or (path.exists() and (not path.is_dir() or any(path.iterdir()))):
        raise RecipeError(f"{path} is not empty, and no working folder", "Name a new folder: --folder.")
    return work


def ignored(recipe: Recipe, state_sources: bool) -> list[str]:
    """The patterns of what is in a working folder and no code: outputs, and the places of mounts."""
    mounts = [WEIGHTS, *(data.to for data in recipe.model.data.values())]
    mounts += [] if state_sources else source_folders(recipe)
    return [*OUTPUTS, *(f"/{_literal(path)}/" for path in mounts)]


def _literal(path: str) -> str:
    """A path as a pattern of gitignore(5) that stands for itself."""
    return "".join("\\" + char if char in "*?[]\\!# " else char for char in path)


def lay_out(
    work: WorkFolder, recipe: Recipe, code: WorkspaceCode, installed: Installed, key: str, sources: bool
) -> None:
    """Make a working folder whose first commit is the code. Raises StoreError where it cannot be written."""
    parent = work.path.parent
    parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(work.path)
    new = parent / f".{work.path.name}.{secrets.token_hex(4)}.new"
    new.mkdir()
    try:
        holder = os.open(new, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(holder, fcntl.LOCK_EX)
        _fill(WorkFolder(new), recipe, code, installed, key, sources)
        with suppress(FileNotFoundError):
            work.path.rmdir()  # find_folder has seen that it is empty
        new.rename(work.path)
        os.close(holder)
    except BaseException:
        remove_folder(new)
        raise


def _fill(work: WorkFolder, recipe: Recipe, code: WorkspaceCode, installed: Installed, key: str, sources: bool) -> None:
    shown = shown_code(recipe, code, sources)
    shown.tree.write_to(work.path)
    repository = work.repository
    repository.create(ignored(recipe, sources))
    head = repository.commit_everything(f"{recipe.name} as its image has it")
    repository.set_ref(BASE, head)
    work.kept.mkdir()
    origins = by_origin(shown.origins)
    work.keep(
        WorkState(
            recipe.name,
            recipe.workspace,
            key,
            head,
            origins,
            installed_rows(installed),
            list(installed.removed),
            sources,
        )
    )
    lay_beside(work, recipe, code, sources)


def lay_beside(work: WorkFolder, recipe: Recipe, code: WorkspaceCode, sources: bool) -> None:
    """Lay out the sources that are not to be edited where a container finds them, and make the folders that are mounted
    over."""
    beside = work.kept / BESIDE
    if beside.exists():
        remove_folder(beside)
    hidden = () if sources else source_folders(recipe)
    for name in hidden:
        (beside / name).mkdir(parents=True)
        code.tree.below(name).write_to(beside / name)
    (work.kept / NOTHING).mkdir(exist_ok=True)
    (work.kept / SHELL).mkdir(exist_ok=True)
    for path in mount_points(recipe, sources):
        (work.path / path).mkdir(parents=True, exist_ok=True)


def shown_code(recipe: Recipe, code: WorkspaceCode, sources: bool) -> WorkspaceCode:
    """What of the code is laid out: without the sources that are migrated, unless they are asked for; all of it can be
    written to by its owner."""
    hidden = () if sources else source_folders(recipe)
    shown = [
        replace(entry, mode=entry.mode | (0o700 if entry.kind == "dir" else 0o600))
        for entry in code.tree
        if entry.path.partition("/")[0] not in hidden
    ]
    paths = {entry.path for entry in shown}
    return WorkspaceCode(Tree(shown), {path: origin for path, origin in code.origins.items() if path in paths})


def mount_points(recipe: Recipe, sources: bool) -> list[str]:
    """The folders of the working folder that other things are mounted over; they have to be there, and the caller's."""
    points = [f"{WEIGHTS}/{name}" for name in recipe.model.weights]
    points += [data.to for data in recipe.model.data.values()]
    return points + ([] if sources else list(source_folders(recipe)))


def _remove_abandoned(path: Path) -> None:
    """Remove what a layout that was killed left beside the folder: nobody holds it any more."""
    for left in path.parent.glob(f".{path.name}.*.new"):
        try:
            handle = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove_folder(left)
        except BlockingIOError:
            pass
        finally:
            os.close(handle)


def give_back(folder: Path) -> None:
    """Let everything in a folder belong to whoever the folder belongs to, as far as this process may do that."""
    owner = folder.stat()
    for above, folders, names in os.walk(os.fsencode(folder)):
        for name in (*folders, *names):
            path = os.path.join(above, name)
            with suppress(OSError):
                info = os.lstat(path)
                if (info.st_uid, info.st_gid) != (owner.st_uid, owner.st_gid):
                    os.lchown(path, owner.st_uid, owner.st_gid)
