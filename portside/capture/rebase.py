"""Patch steps that follow when upstream has moved: step by step, a three-way merge of what each of them did.

The old lock gives the text that a step was written for, and what it made of it; the new lock gives the text that it is
to work on now. A step that still has its places stays as it is. For any other one git merges the three texts: the
result is the step with another count, or a diff in its place, or nothing where upstream has done it itself. Where the
same lines changed on both sides, the conflict is shown, and the steps before it are written.
"""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from portside.capture.edits import free_path
from portside.capture.own_steps import STEP, own_steps
from portside.capture.proof import staged
from portside.capture.splice import RecipeText
from portside.common.canonical import canonical_json
from portside.common.progress import live, step
from portside.common.tree import Bytes, Entry, Tree, encode_path, file_entry
from portside.common.values import FileName
from portside.develop.repository import diff_text, merge_file
from portside.errors import LockError, MigrationError, PortsideError, RecipeError
from portside.inputs.spool import Spool
from portside.lock.file import read_lock
from portside.lock.models import Lock
from portside.patches.apply import apply
from portside.patches.document import Document
from portside.patches.steps import Copy, Delete
from portside.patches.text_steps import find_places
from portside.patches.unified import parse_diff
from portside.patches.workspace import SourceFolders, Workspace
from portside.project import Project
from portside.recipe import Recipe
from portside.recipe.pending import NewFile, change_recipe
from portside.trees.migrated import before_patches, migrated_tree
from portside.trees.parts import source_tree


@dataclass(frozen=True)
class Rebased:
    """What became of one step. what: `stays`, `count`, `diff`, `copy`, `goes` or `conflict`. shown: the text with the
    marks of a conflict, by path."""

    title: str
    place: str
    what: str
    note: str = ""
    shown: dict[str, str] = field(default_factory=dict)


def rebase(project: Project, name: str, old_lock: Path | None = None, *, dry_run: bool = False) -> list[Rebased]:
    """Let a recipe's own patch steps follow its lock. old_lock: a file with the lock that they were written for;
    default: the newest one in the project's git that has other sources.

    Raises RecipeError, LockError; a conflict is no error here: it is the last of what is given.
    """
    recipe = project.recipe(name)
    if recipe.model.migration is not None and recipe.model.migration.mode == "image":
        raise RecipeError(
            "in image mode only a build makes the code that patches work on",
            f"Build it, and correct the step that it names: invoke build --recipe {name}",
        )
    new = project.lock(recipe)
    old = _old_lock(recipe, new, old_lock)
    with project.store.lock(FileName(f"capture-{name}")), live():
        with step("Migrating what the old lock has"):
            before = _code(project, recipe, old)
        with step("Migrating what the new lock has"):
            after = _code(project, recipe, new)
        work = _Rebase(recipe, before, after)
        done = work.run()
        files = {f"{name}/{path}": file for path, file in work.files.items()}
        if work.text.text != work.before:
            files[f"{name}.yaml"] = NewFile(work.text.text.encode())
        if files:
            with staged(recipe, files) as made:
                if done[-1].what != "conflict":
                    _prove(project, made, new, work.state)
            if not dry_run:
                change_recipe(recipe.root, name, files)
    return done


def _prove(project: Project, recipe: Recipe, lock: Lock, wanted: Tree) -> None:
    """Raise MigrationError where the recipe gives another tree than the steps did one by one."""
    with project.store.workspace() as work, Spool(work) as spool:
        sources = {name: source_tree(lock.sources[name], project.store, spool) for name in recipe.tree_sources}
        made = migrated_tree(recipe, sources)
    for entry in wanted.files():
        other = made.get(entry.path)
        if other is None or other.sha256 != entry.sha256:
            raise MigrationError(f"the new steps do not give {entry.path} again", "Correct them by hand.")


def _old_lock(recipe: Recipe, new: Lock, given: Path | None) -> Lock:
    def sources(lock: Lock) -> bytes:
        return canonical_json({name: source.identity for name, source in lock.sources.items()})

    if given is not None:
        found = read_lock(given)
        if found is None:
            raise LockError(f"there is no lock {given}", "--old-lock names the file with the lock as it was.")
        return found
    for data in _committed(recipe.lock_path):
        old = _read(data, recipe)
        if old is not None and sources(old) != sources(new):
            return old
    raise LockError(
        f"the project's git has no lock of '{recipe.name}' with other sources than now, so nothing has moved",
        "Update it first (invoke lock --recipe NAME --update SOURCE), or name the old one: --old-lock FILE",
    )


def _read(data: bytes, recipe: Recipe) -> Lock | None:
    with TemporaryDirectory(prefix="portside-lock-") as scratch:
        path = Path(scratch, recipe.lock_path.name)
        path.write_bytes(data)
        try:
            return read_lock(path)
        except LockError:
            return None


def _committed(path: Path) -> Iterator[bytes]:
    """The file as the project's git has it, the newest first."""

    def git(*arguments: str) -> bytes:
        try:
            run = subprocess.run(["git", *arguments], cwd=path.parent, stdin=subprocess.DEVNULL, capture_output=True)
        except FileNotFoundError:
            return b""
        return run.stdout if run.returncode == 0 else b""

    for commit in git("log", "--format=%H", "--", path.name).decode().split():
        yield git("show", f"{commit}:./{path.name}")


def _code(project: Project, recipe: Recipe, lock: Lock) -> Tree:
    with project.store.workspace() as work, Spool(work) as spool:
        if missing := sorted(set(recipe.tree_sources) - lock.sources.keys()):
            raise LockError(f"that lock has no source {missing[0]}", "Name another one: --old-lock FILE")
        sources = {name: source_tree(lock.sources[name], project.store, spool) for name in recipe.tree_sources}
        tree = before_patches(recipe, sources)
        # The spool goes with the block.
        return Tree(_held(entry) for entry in tree)


def _held(entry: Entry) -> Entry:
    return entry if entry.content is None else replace(entry, content=Bytes(entry.read()))


class _Rebase:
    def __init__(self, recipe: Recipe, old: Tree, new: Tree) -> None:
        self.before = recipe.path.read_bytes().decode("utf-8")
        self.text = RecipeText(self.before, str(recipe.path))
        self.files: dict[str, NewFile | None] = {}
        self.state = new
        self._recipe = recipe
        self._old = old
        self._folder = recipe.folder_tree()
        self._taken = {entry.path for entry in self._folder if entry.kind != "dir"}
        suffix = recipe.ruleset.suffix if recipe.model.migration else ""
        migrated = recipe.model.migration.sources if recipe.model.migration else ()
        self._folders = SourceFolders({name: f"{name}{suffix}" for name in migrated}, recipe.unmigrated_sources)
        self._own = own_steps(recipe, self.text)

    def run(self) -> list[Rebased]:
        done: list[Rebased] = []
        gone: list[int] = []
        places = self._recipe.patch_places
        for number, one in enumerate(self._recipe.model.patches):
            place = places[number] if number < len(places) else ""
            found = self._step(number, one, place)
            done.append(found)
            if found.what == "goes":
                gone.append(self._own[number])
            if found.what == "conflict":
                break
        for at in sorted(gone, reverse=True):
            self.text.remove(("patches", at))
        return done

    def _step(self, number: int, one: Any, place: str) -> Rebased:
        before = self._old
        try:
            after = self._applied(before, one)
        except PortsideError:
            after = before  # it was corrected already, for what upstream has now
        self._old = after
        try:
            self.state, there = self._applied(self.state, one), self.state
            return self._overwritten(number, one, place, before, there)
        except PortsideError as error:
            problem = error
        if number not in self._own:
            raise RecipeError(
                f"{place}: the step '{one.title}' is of a recipe that '{self._recipe.name}' extends",
                "Rebase that one first: invoke patch --recipe NAME --rebase",
            )
        if after is before:
            return Rebased(one.title, place, "conflict", problem.problem)
        at = self._own[number]
        if (found := self._another_count(one, at, place, after, before)) is not None:
            return found
        return self._merged(one, at, place, before, after)

    def _overwritten(self, number: int, one: Any, place: str, old: Tree, new: Tree) -> Rebased:
        """A copy over a file of upstream's has its place whatever that file is by now: what changed in it is merged."""
        stays = Rebased(one.title, place, "stays")
        if not isinstance(one, Copy) or not one.overwrite or _same(old.get(one.to), new.get(one.to)):
            return stays
        base, own, theirs = old.get(one.to), self.state[one.to], new[one.to]
        data, marks = merge_file(own.read(), base.read(), theirs.read()) if base is not None else (b"", 1)
        if marks or number not in self._own:
            return replace(stays, note=f"upstream has changed {one.to}, which it replaces: look at it")
        if data == own.read():
            return stays
        self.state.write(one.to, data)
        self.files[one.copy_] = NewFile(data, self._folder[one.copy_].mode | 0o600)
        return replace(stays, what="copy", note=f"{one.copy_} is merged with what upstream has")

    def _applied(self, tree: Tree, one: Any) -> Tree:
        return apply(tree, [one], self._folder, [""], self._folders).tree

    def _another_count(self, one: Any, at: int, place: str, after: Tree, before: Tree) -> Rebased | None:
        """The same step with as many places as there are now: where there are more, or where merging gives the same."""
        if isinstance(one, Copy) or one.kind == "diff":
            return None
        count = self._places(one)
        if count in (0, one.count):
            return None
        try:
            made = self._applied(self.state, one.model_copy(update={"count": count}))
        except PortsideError:
            return None
        if count < one.count and not isinstance(one, Delete):
            merged = _merge(before, after, self.state)
            if isinstance(merged, dict) or _bytes(made) != _bytes(merged):
                return None
        self.state = made
        self.text.replace(("patches", at, "count"), count)
        look = ": look at the new ones" if count > one.count else ""
        return Rebased(one.title, place, "count", f"{one.count} -> {count}{look}")

    def _places(self, one: Any) -> int:
        """How many places a step has now."""
        workspace = Workspace(self.state, self._folders)
        if isinstance(one, Delete):
            return sum(e.kind != "dir" and workspace.matches(one.delete, e.path) for e in workspace.tree)
        documents = (Document.read(path, workspace.read(path)) for path in workspace.select(one.files))
        return sum(len(find_places(one, document)) for document in documents)

    def _merged(self, one: Any, at: int, place: str, before: Tree, after: Tree) -> Rebased:
        merged = _merge(before, after, self.state)
        if isinstance(merged, dict):
            return Rebased(one.title, place, "conflict", "both sides changed these lines", merged)
        if _bytes(merged) == _bytes(self.state):
            return Rebased(one.title, place, "goes", "upstream has done it itself")
        if isinstance(one, Copy) and one.to in merged:
            source = one.copy_
            self.files[source] = NewFile(merged[one.to].read(), self._folder[source].mode | 0o600)
            there = one.to in self.state
            new: dict[str, Any] = {"name": one.name} if one.name else {}
            new |= {"copy": source, "to": one.to} | ({"mode": one.mode} if one.mode else {})
            if there:
                new["overwrite"] = True
            if there != one.overwrite:
                self.text.replace(("patches", at), new)
            self.state = merged
            return Rebased(one.title, place, "copy", f"{source} is merged with what upstream has")
        data = b"".join(_diffs(self.state, merged))
        head = f"Subject: [PATCH] {one.title}\n\nmade anew from the step for what upstream has now\n---\n".encode()
        count = sum(len(file.hunks) or 1 for file in parse_diff(head + data, "the new diff", 1))
        path = one.diff if one.kind == "diff" else free_path(f"{_slug(one.title)}.patch", self._taken)
        self.files[path] = NewFile(head + data)
        row = {"name": one.title, "diff": path, "count": count}
        self.text.replace(("patches", at), row)
        folder = Tree([*self._folder])
        folder.put(file_entry(path, head + data))
        self._folder = folder
        self.state = self._applied(self.state, STEP.validate_python(row))
        return Rebased(one.title, place, "diff", path)


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:50] or "step"


def _bytes(tree: Tree) -> list[tuple[str, str, bool]]:
    return [(entry.path, entry.sha256 or entry.link, bool(entry.mode & 0o100)) for entry in tree if entry.kind != "dir"]


def _merge(before: Tree, after: Tree, now: Tree) -> Tree | dict[str, str]:
    """What turned one tree into another, done to a third one; where the same lines changed, the texts with marks."""
    out, conflicts = now.copy(), {}
    for path in sorted({entry.path for entry in (*before, *after) if entry.kind != "dir"}, key=encode_path):
        old, new, own = before.get(path), after.get(path), now.get(path)
        if _same(old, new):
            continue
        if _same(own, new) or (own is None and new is None):
            continue
        if _same(own, old):
            out.remove(path) if new is None else out.put(new)
        elif own is None or new is None or old is None or own.kind != "file" or new.kind != "file":
            have = "has no such file" if own is None else "has another one"
            conflicts[path] = f"the step {'deletes' if new is None else 'changes'} it, and upstream {have}\n"
        else:
            labels = ("upstream now", "upstream before", "the step")
            data, marks = merge_file(own.read(), old.read() if old.kind == "file" else b"", new.read(), labels)
            if marks:
                conflicts[path] = data.decode("utf-8", "replace") if marks > 0 else "it is no text\n"
            else:
                out.write(path, data)
    return conflicts or out


def _same(one: Entry | None, other: Entry | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.kind, one.sha256, one.link, one.mode & 0o100) == (
        other.kind,
        other.sha256,
        other.link,
        other.mode & 0o100,
    )


def _diffs(before: Tree, after: Tree) -> Iterator[bytes]:
    for path in sorted({entry.path for entry in (*before.files(), *after.files())}, key=encode_path):
        old, new = before.get(path), after.get(path)
        if not _same(old, new):
            yield diff_text(path, _content(old), _content(new))


def _content(entry: Entry | None) -> tuple[bytes, int] | None:
    return None if entry is None else (entry.read(), entry.mode)


def shown_conflict(found: Rebased) -> list[str]:
    """A conflict for a person: of each text the lines between the marks, with some around them."""
    lines: list[str] = []
    for path, text in found.shown.items():
        lines.append(f"{path}:")
        rows = text.split("\n")
        inside = False
        for number, row in enumerate(rows):
            inside = inside or row.startswith("<<<<<<<")
            if inside or any(other.startswith("<<<<<<<") for other in rows[number : number + 4]):
                lines.append(f"  {row}")
            inside = inside and not row.startswith(">>>>>>>")
        if not any(row.startswith("<<<<<<<") for row in rows):
            lines += [f"  {row}" for row in rows if row]
    return lines
