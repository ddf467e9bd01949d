"""From rounds of edits to patch steps: a diff for each commit, copies of new files, deletions.

Each step is tried on the code as the steps before leave it. A commit after which a file does not compile is joined with
the next one, into a series in one file; what no diff can say is copied whole.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Any, BinaryIO

from portside.capture.edits import REGULAR, Edits, Round, Sorted, free_path, subject_of, whole_paths
from portside.capture.own_steps import STEP
from portside.common.tree import Entry, Tree, encode_path, file_entry
from portside.develop.repository import WorkRepository
from portside.errors import MigrationError, PortsideError, RecipeError
from portside.patches.apply import apply
from portside.patches.unified import parse_diff
from portside.patches.workspace import SourceFolders
from portside.recipe.pending import NewFile

_ZERO = "0" * 40
_LOOKS_LIKE_A_DIFF = re.compile(
    rb"^(diff |Index: |--- |\+\+\+ |@@ |From |GIT binary|Binary files|---$|# HG|Property changes)", re.MULTILINE
)


@dataclass(frozen=True)
class NewStep:
    """A step for a recipe. value: as it stands there. files: of the recipe's folder, by path, that it needs.
    paths: what it changes."""

    value: dict[str, Any]
    files: Mapping[str, NewFile] = field(default_factory=dict)
    paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class BlobContent:
    """The bytes of a file of a working folder, which git has."""

    repository: WorkRepository
    name: str
    size: int = 0

    def open(self) -> BinaryIO:
        return BytesIO(self.repository.blob(self.name))


@dataclass
class _Change:
    """What one round does to the paths that patches reach. diff: the trees between which its patch is. gone, added:
    paths."""

    round: Round
    diff: tuple[str, str]
    gone: list[str]
    added: list[str]
    changed: list[str]


class StepMaker:
    """Makes the steps of one capture. names: those that steps of the recipe have. taken: paths of the recipe's folder
    that are in use."""

    def __init__(
        self,
        edits: Edits,
        placed: Sorted,
        repository: WorkRepository,
        folders: SourceFolders,
        names: set[str],
        taken: set[str],
    ) -> None:
        self._edits = edits
        self._placed = placed
        self._repository = repository
        self._folders = folders
        self._names = names
        self._taken = taken
        self._whole = whole_paths(edits, repository, placed.patched)
        self._tree = self._base()
        self._known_changes: dict[bool, list[_Change]] = {}

    def _base(self) -> Tree:
        rows = []
        for path, (mode, name) in self._edits.old.items():
            if path not in self._placed.patched:
                continue
            if mode in REGULAR:
                content = BlobContent(self._repository, name)
                rows.append(Entry(path, "file", 0o755 if mode == "100755" else 0o644, content=content))
            elif mode == "120000":
                rows.append(Entry(path, "symlink", 0o777, link="?"))
        return Tree(rows).with_folders()

    def steps(self) -> list[NewStep]:
        """Raises MigrationError for code that does not compile in the end, as a build would."""
        waiting = list(self._edits.rounds)
        made: list[NewStep] = []
        start = 0
        while start < len(waiting):
            for end in range(start + 1, len(waiting) + 1):
                found = self._group(start, end, last=end == len(waiting))
                if found is not None:
                    made += found
                    break
            start = end
        return made

    def _group(self, start: int, end: int, *, last: bool) -> list[NewStep] | None:
        """The steps of some rounds together; None where they do not apply, or do not compile, by themselves."""
        error: PortsideError | None = None
        names, taken = set(self._names), set(self._taken)
        for how in ("renames", "no renames", *(["whole"] if last else [])):
            changes = self._changes(how == "renames")[start:end]
            try:
                return self._tried(self._copied(changes) if how == "whole" else self._said(changes, how == "renames"))
            except (MigrationError, RecipeError) as found:
                error = error or found
                self._names, self._taken = set(names), set(taken)
        if last and error is not None:
            raise error
        return None

    def _changes(self, renames: bool) -> list[_Change]:
        if renames not in self._known_changes:
            self._known_changes[renames] = self._worked_out(renames)
        return self._known_changes[renames]

    def _worked_out(self, renames: bool) -> list[_Change]:
        """What each round does, with what the diffs of all rounds before it make of the base."""
        state, known = (
            self._edits.base,
            {path for path in self._edits.old if path in self._placed.patched} - self._whole,
        )
        copied: set[str] = set()
        done: list[_Change] = []
        whole = self._last_rounds()
        for number, one in enumerate(self._edits.rounds):
            put: dict[str, tuple[str, str] | None] = {}
            gone: list[str] = []
            added: list[str] = []
            changed: list[str] = []
            binary = self._repository.binary(one.before, one.after)
            for change in self._repository.changes(one.before, one.after, renames=renames):
                origin, path, new = change.origin, change.path, change.new
                if path not in self._placed.patched and (origin is None or origin not in self._placed.patched):
                    continue
                if origin is not None:
                    moved = origin in known and path in self._placed.patched and path not in self._edits.old
                    same = change.old is not None and new is not None and change.old[1] == new[1]
                    if moved and new is not None and new[0] in REGULAR and (same or path not in binary):
                        put |= {origin: None, path: new}
                        known = (known - {origin}) | {path}
                        changed.append(path)
                        continue
                    self._delete(origin, known, copied, gone, done)
                    change = replace(change, origin=None, old=None)
                if path in self._whole or path not in self._placed.patched:
                    continue
                if new is None:
                    self._delete(path, known, copied, gone, done)
                elif path in known and new[0] in REGULAR:
                    put[path] = new
                    changed.append(path)
                elif path in self._edits.new and path not in copied:
                    copied.add(path)
                    added.append(path)
            for path in [path for path, last in whole.items() if last == number]:
                if path in self._edits.new:
                    added.append(path)
                if path not in self._edits.new or self._edits.old[path][0] not in REGULAR:
                    gone.append(path)
            after = self._repository.with_changes(state, put) if put else state
            done.append(_Change(one, (state, after), sorted(gone), sorted(added), sorted(changed)))
            state = self._repository.with_changes(after, dict.fromkeys(gone)) if gone else after
        return done

    def _delete(self, path: str, known: set[str], copied: set[str], gone: list[str], done: Sequence[_Change]) -> None:
        if path in known:
            known.remove(path)
            gone.append(path)
        elif path in copied:
            # It comes back later, or else `added` would have passed it over: then it is copied there.
            copied.remove(path)
            for before in done:
                if path in before.added:
                    before.added.remove(path)

    def _last_rounds(self) -> dict[str, int]:
        """The last round that changed each path that is handled whole."""
        found: dict[str, int] = {}
        for number, one in enumerate(self._edits.rounds):
            for change in self._repository.changes(one.before, one.after, renames=False):
                if change.path in self._whole:
                    found[change.path] = number
        return {path: n for path, n in found.items() if self._edits.old.get(path) != self._edits.new.get(path)}

    def _said(self, changes: Sequence[_Change], renames: bool) -> list[NewStep]:
        subject = _subject(changes)
        steps = []
        mails = [self._mail(change, renames) for change in changes]
        if patch := b"".join(mails):
            files = parse_diff(patch, "the patch of what was edited", 1)
            count = sum(len(file.hunks) or 1 for file in files)
            name = free_path(f"{self._number():04}-{_slug(subject)}.patch", self._taken)
            value = {"name": self._name(subject), "diff": name, "count": count}
            paths = tuple(dict.fromkeys(path for change in changes for path in change.changed))
            steps.append(NewStep(value, {name: NewFile(patch)}, paths))
        steps += self._rest(
            [path for change in changes for path in change.gone],
            [path for change in changes for path in change.added],
            None if patch else subject,
        )
        return steps

    def _copied(self, changes: Sequence[_Change]) -> list[NewStep]:
        """As `_said`, with every file whole in the place of a diff."""
        changed = dict.fromkeys(path for change in changes for path in change.changed if path in self._edits.new)
        gone = [path for change in changes for path in change.gone if path not in changed]
        added = [path for change in changes for path in change.added if path not in changed]
        return self._rest(gone, [*changed, *added], _subject(changes))

    def _rest(self, gone: Sequence[str], added: Sequence[str], subject: str | None) -> list[NewStep]:
        steps: list[NewStep] = []
        named = subject
        if gone:
            value: dict[str, Any] = {"name": self._name(named)} if named else {}
            named = None
            globs = self._globs(gone)
            value |= {"delete": globs[0] if len(globs) == 1 else globs, "count": len(gone)}
            steps.append(NewStep(value, paths=tuple(gone)))
        for path in added:
            mode, blob = self._edits.new[path]
            data = self._repository.blob(blob)
            source = free_path(path, self._taken)
            value = {"name": self._name(named)} if named else {}
            named = None
            value |= {"copy": source, "to": path}
            if path in self._tree and path not in gone and self._tree[path].kind == "file":
                value["overwrite"] = True
            steps.append(NewStep(value, {source: NewFile(data, 0o755 if mode == "100755" else 0o644)}, (path,)))
        return steps

    def _globs(self, gone: Sequence[str]) -> list[str]:
        """The paths that are gone; a folder of which nothing is left as one glob."""
        left = [entry.path for entry in self._tree if entry.kind != "dir" and entry.path not in gone]
        found: list[str] = []
        for path in sorted(gone, key=encode_path):
            if any(glob.endswith("/**") and path.startswith(glob[:-2]) for glob in found):
                continue
            above = path
            best = path
            while "/" in (above := above.rpartition("/")[0]):
                if any(other.startswith(above + "/") for other in left):
                    break
                best = f"{above}/**"
            if best.endswith("/**") and sum(other.startswith(best[:-2]) for other in gone) < 2:
                best = path
            found.append(best)
        return found

    def _tried(self, steps: list[NewStep]) -> list[NewStep]:
        """The steps, carried out on the code as it is by now. Raises MigrationError or RecipeError where one fails."""
        files = Tree(file_entry(path, new.data, new.mode) for step in steps for path, new in step.files.items())
        models = [STEP.validate_python(step.value) for step in steps]
        self._tree = apply(self._tree, models, files, ["capture"] * len(models), self._folders).tree
        return steps

    def _mail(self, change: _Change, renames: bool) -> bytes:
        diff = self._repository.patch(*change.diff, renames=renames)
        if not diff:
            return b""
        commit = change.round.commit
        author = commit.author if commit else "Portside <portside@localhost>"
        lines = [f"From {_ZERO} Mon Sep 17 00:00:00 2001", f"From: {author}"]
        lines += [f"Date: {commit.date}"] if commit else []
        subject = subject_of(change.round, change.changed)
        lines.append(f"Subject: [PATCH] {subject}")
        head = "\n".join(lines).encode("utf-8", "replace") + b"\n\n"
        body = b""
        if commit is not None:
            body = commit.message.strip(b"\n").partition(b"\n")[2].strip(b"\n")
            body = _LOOKS_LIKE_A_DIFF.sub(rb"  \1", body)
        return head + (body + b"\n" if body else b"") + b"---\n" + diff + b"-- \nPortside\n\n"

    def _number(self) -> int:
        found = [int(match[1]) for path in self._taken if (match := re.match(r"(\d{4})-.*\.patch$", path))]
        return max(found, default=0) + 1

    def _name(self, subject: str) -> str:
        wanted, number = subject, 1
        while wanted in self._names:
            number += 1
            wanted = f"{subject} ({number})"
        self._names.add(wanted)
        return wanted


def _subject(changes: Sequence[_Change]) -> str:
    changed = [path for change in changes for path in change.changed]
    others = [path for change in changes for path in (*change.added, *change.gone)]
    return subject_of(changes[0].round, sorted(dict.fromkeys(changed or others)))


def _slug(text: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return words[:50].rstrip("-") or "edits"
