"""What was edited in a working folder, commit by commit, and what of it can become lines of a recipe."""

from collections.abc import Mapping
from dataclasses import dataclass

from portside.develop.code import Origin, patched_folders, source_folders
from portside.develop.repository import BASE, Commit, WorkRepository
from portside.develop.work_folder import OUTPUTS, WorkFolder, WorkState
from portside.recipe import Recipe

REGULAR = ("100644", "100755")
_WHY: dict[Origin, str] = {
    "install": "an install step writes it: change that step, or what it works on",
    "link": "it is a link to weights: `weights` with `to` in the recipe says where it is",
    "report": "Portside writes it with each migration",
    "env": "the env layer has it: `env.files` in the recipe says what it is",
}


@dataclass(frozen=True)
class Round:
    """What one commit did, or what is not committed yet. before, after: trees."""

    before: str
    after: str
    commit: Commit | None


@dataclass(frozen=True)
class Edits:
    """All that was edited since the base. base, now: trees, and what they list. rounds: oldest first; none where
    nothing was edited. ignored: new files that `.gitignore` files keep out. rewritten: the history does not go on from
    where the base was taken, so that all is one round."""

    base: str
    now: str
    old: Mapping[str, tuple[str, str]]
    new: Mapping[str, tuple[str, str]]
    rounds: tuple[Round, ...]
    ignored: tuple[str, ...]
    rewritten: bool

    @property
    def paths(self) -> list[str]:
        """Those that differ in the end."""
        return sorted(path for path in self.old.keys() | self.new.keys() if self.old.get(path) != self.new.get(path))


def read_edits(work: WorkFolder, state: WorkState) -> Edits:
    """Raises RecipeError for what no recipe can hold (see `WorkRepository.snapshot`)."""
    repository = work.repository
    base, now = repository.tree_of(BASE), repository.snapshot()
    commits = repository.commits(state.head)
    rounds: list[Round] = []
    last = base
    for commit in commits or ():
        if commit.tree != last:
            rounds.append(Round(last, commit.tree, commit))
        last = commit.tree
    if now != last:
        rounds.append(Round(last, now, None))
    ignored = tuple(repository.left_out([*OUTPUTS, "/weights/"]))
    old, new = repository.listing(base), repository.listing(now)
    return Edits(base, now, old, new, tuple(rounds), ignored, commits is None)


@dataclass(frozen=True)
class Sorted:
    """Where each edited path belongs. patched: changed by patch steps. files: by the recipe's `files`. unsaid: what no
    line of a recipe can say, with why. migrated_already: of sources whose migrated trees have what came of the edit."""

    patched: frozenset[str]
    files: tuple[str, ...]
    unsaid: Mapping[str, str]
    migrated_already: tuple[str, ...]


def sort_edits(edits: Edits, recipe: Recipe, origins: Mapping[str, Origin]) -> Sorted:
    """patched: every path of the folder that patch steps can reach, edited or not; the others: edited paths."""
    reached, migrated = patched_folders(recipe), source_folders(recipe)
    patched, files, unsaid, already = set(), [], {}, []
    for path in edits.old.keys() | edits.new.keys():
        origin, top = origins.get(path), path.partition("/")[0]
        if top in reached and origin in (None, "tree", "source"):
            patched.add(path)
    for path in edits.paths:
        origin, top = origins.get(path), path.partition("/")[0]
        if top in migrated and origin in (None, "source") and path not in patched:
            already.append(path)
        elif origin in _WHY:
            unsaid[path] = _WHY[origin]
        elif (why := _unsaid(path, edits)) is not None:
            unsaid[path] = why
        elif path not in patched:
            files.append(path)
    return Sorted(frozenset(patched - unsaid.keys()), tuple(files), unsaid, tuple(already))


def _unsaid(path: str, edits: Edits) -> str | None:
    """Why no line of a recipe can say what became of a path."""
    new = edits.new.get(path)
    if new is None:
        return None
    if new[0] == "120000":
        return "a recipe puts no links there: a line of `install` can make it (ln -s)"
    if new[0] not in REGULAR:
        return "it is no file"
    if path not in edits.old:
        try:
            path.encode()
        except UnicodeEncodeError:
            return "its name is not UTF-8"
    if path not in edits.old and any(char in path for char in "\\\n\r"):
        return "a recipe takes no such name"
    return None


def subject_of(round_: Round, changed: list[str]) -> str:
    """What a person called it, or else the files that were edited."""
    if round_.commit is not None and round_.commit.subject:
        return round_.commit.subject[:190]
    names = [path.rpartition("/")[2] for path in changed]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"what was edited in {', '.join(names[:3])}{more}"[:190]


def whole_paths(edits: Edits, repository: WorkRepository, patched: frozenset[str]) -> set[str]:
    """The paths of the base that no diff can follow: they are no text, or were no file for a while."""
    found: set[str] = set()
    for one in edits.rounds:
        binary = repository.binary(one.before, one.after)
        for change in repository.changes(one.before, one.after, renames=False):
            if change.path in patched and change.path in edits.old and change.new is not None:
                if change.path in binary and change.old is not None and change.old[1] != change.new[1]:
                    found.add(change.path)
                if change.new[0] not in REGULAR or (change.old is not None and change.old[0] not in REGULAR):
                    found.add(change.path)
    return found


def free_path(path: str, taken: set[str]) -> str:
    """A path of the recipe's folder that nothing has yet, as like `path` as can be; it is taken from now on."""
    if any(path.startswith(f"{other}/") for other in taken):  # what is a folder here is a file there
        path = f"captured/{path}"
    wanted, number = path, 1
    while wanted in taken or any(other.startswith(f"{wanted}/") for other in taken):
        number += 1
        stem, dot, suffix = path.rpartition(".")
        wanted = f"{stem}-{number}.{suffix}" if dot and stem and "/" not in suffix else f"{path}-{number}"
    taken.add(wanted)
    return wanted
