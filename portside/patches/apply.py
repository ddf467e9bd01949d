"""Carrying out a recipe's patch steps on its migrated trees, each step exactly or not at all."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from portside.common.canonical import digest_of, sha256_hex
from portside.common.globs import closest_paths, is_literal
from portside.common.tree import Tree
from portside.errors import MigrationError, RecipeError
from portside.patches import file_steps
from portside.patches.changes import Change, Where
from portside.patches.document import Document, TextEdit, readable
from portside.patches.explain import WIDEST, Candidate, no_file, wrong_count
from portside.patches.file_steps import Outcome, recipe_file, recipe_file_mode
from portside.patches.lines import MovedLines
from portside.patches.python import compile_problem
from portside.patches.steps import CommentOut, Copy, Define, Delete, Diff, Replace, SetLine, Step, TextStep
from portside.patches.text_steps import explain, find_places
from portside.patches.unified import parse_diff
from portside.patches.workspace import FileEdit, SourceFolders, Workspace

VERSION = 2
"""Of what steps mean and report: a new number is a new digest, and so a new key, for every layer with patches."""

LARGEST_REPORT = 32 << 20
"""Characters that the lines of a step's places have at most, before and after: a report has them all."""


@dataclass(frozen=True)
class Patched:
    """A patched tree, and every change in the order of steps, then of paths (a diff's: of the diff), then of lines.

    lines: where lines of the tree before all steps stand now.
    """

    tree: Tree
    changes: tuple[Change, ...]
    lines: MovedLines


def apply(
    tree: Tree,
    steps: Sequence[Step],
    files: Tree,
    places: Sequence[str] = (),
    sources: SourceFolders = SourceFolders(),  # noqa: B008  (it is frozen)
) -> Patched:
    """Carry out `steps` in their order; each sees the result of the steps before. `tree` itself stays as it is.

    files: the recipe's folder. places: where each step stands in the recipe, for errors. sources: the recipe's; the
    tree has those that are not migrated and that a step names. Raises MigrationError where a step finds another number
    of places than it says or leaves a .py file that no longer compiles, RecipeError where a file of the recipe's folder
    cannot be used.
    """
    workspace = Workspace(tree, sources)
    changes: list[Change] = []
    lines = MovedLines()
    for number, (step, place) in enumerate(zip(steps, places or [""] * len(steps), strict=True), 1):
        where = Where(number, step.title, place)
        outcomes = _KINDS[step.kind](step, workspace, files, where)
        for edit in {edit.path: edit for edits, _ in outcomes for edit in edits}.values():
            _check_compiles(workspace, edit, where)
        for edits, made in outcomes:
            workspace.commit(edits)
            lines.add(edits, made)
            changes += made
    return Patched(workspace.tree, lines.placed(changes), lines)


def used_files(steps: Sequence[Step]) -> tuple[str, ...]:
    """The paths in the recipe's folder that the steps need, sorted."""
    paths = [step.diff if isinstance(step, Diff) else step.copy_ for step in steps if isinstance(step, Diff | Copy)]
    return tuple(sorted(set(paths)))


def written_files(step: Step, read: Callable[[str], bytes]) -> list[str]:
    """The paths of the workspace that a step names and leaves a file at. read: gives a file of the recipe's folder.

    A diff that is wrong names none here: carrying it out says what is wrong with it.
    """
    if isinstance(step, Copy):
        return [step.to]
    if not isinstance(step, Diff):
        return []
    above = f"{step.folder}/" if step.folder else ""
    with suppress(RecipeError):
        return [above + diff.new for diff in parse_diff(read(step.diff), step.diff, step.strip) if diff.new]
    return []


def named_folders(steps: Sequence[Step], read: Callable[[str], bytes]) -> set[str]:
    """The folders of the workspace that steps call by name: the first part of each path, or of a glob that has no
    wildcard there. read: gives a file of the recipe's folder; a diff that is wrong names none here."""
    paths: list[str] = []
    for step in steps:
        if isinstance(step, Copy):
            paths.append(step.to)
        elif isinstance(step, Delete):
            paths += step.delete
        elif not isinstance(step, Diff):
            paths += step.files
        elif step.folder:
            paths.append(step.folder)
        else:
            with suppress(RecipeError):
                found = parse_diff(read(step.diff), step.diff, step.strip)
                paths += [path for diff in found for path in (diff.old, diff.new) if path]
    return {name for path in paths if is_literal(name := path.partition("/")[0])}


def described(steps: Sequence[Step], files: Tree) -> dict[str, Any]:
    """What `digest` is made of, for people: by step (its title, or its number) what it says, by file its digest."""
    titles = [step.title for step in steps]
    said = {
        title if titles.count(title) == 1 else f"step {number}": _said(step)
        for number, (title, step) in enumerate(zip(titles, steps, strict=True), 1)
    }
    return said | _used(steps, files)


def digest(steps: Sequence[Step], files: Tree) -> str:
    """sha256 (hex) of what the steps say and of the files they use: bytes, and whether they are executable.

    Raises RecipeError for a file that is missing.
    """
    return digest_of({"version": VERSION, "steps": [_said(step) for step in steps], "files": _used(steps, files)})


def _said(step: Step) -> dict[str, Any]:
    return step.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _used(steps: Sequence[Step], files: Tree) -> dict[str, list[Any]]:
    used = {}
    for path in used_files(steps):
        entry = recipe_file(files, path, "patches")
        used[path] = [entry.sha256 or sha256_hex(entry.read()), recipe_file_mode(entry)]
    return used


def _text(step: TextStep, workspace: Workspace, files: Tree, where: Where) -> list[Outcome]:
    selected = _select(step, workspace, where)
    found: list[tuple[Document, list[TextEdit]]] = []
    for path in selected:
        document = Document.read(path, workspace.read(path))
        if places := find_places(step, document):
            found.append((document, places))
    if sum(len(places) for _, places in found) != step.count:
        raise _wrong_count(step, workspace, selected, found, where)
    edits, changes = [], []
    written = 0
    for document, places in found:
        try:
            edits.append(FileEdit(document.path, document.change(places)))
        except UnicodeEncodeError as error:
            raise MigrationError(
                f"{where}: {readable(document.path)} is written in {document.encoding}, which cannot say "
                f"{error.object[error.start : error.end]!r}",
                "Use text that the file's encoding has.",
            ) from None
        for place in places:
            before, after = document.whole_lines(place)
            written += len(before) + len(after)
            if written > LARGEST_REPORT:
                raise MigrationError(
                    f"{where}: the lines of its {step.count} places, in {readable(document.path)}, are so long that a "
                    f"report of them would have more than {LARGEST_REPORT >> 20} MiB",
                    "A diff step, or a copy of the whole file, says the same in one place.",
                )
            line, spans = document.line_of(place.start), (document.span(place),)
            changes.append(where.change(document.path, line, before, after, spans=spans))
    return [(edits, changes)]


def _select(step: TextStep, workspace: Workspace, where: Where) -> list[str]:
    selected = workspace.select(step.files)
    for glob in step.files:
        if not any(workspace.matches([glob], path) for path in selected):
            entry = workspace.tree.get(glob)
            is_link = entry is not None and entry.kind == "symlink"
            why = "it is a link, which is never followed" if is_link else workspace.why_missing(glob)
            everything = (entry.path for entry in workspace.tree.files())
            raise no_file(str(where), glob, "`files`", closest_paths(glob, everything), why)
    return selected


def _wrong_count(
    step: TextStep,
    workspace: Workspace,
    selected: list[str],
    found: list[tuple[Document, list[TextEdit]]],
    where: Where,
) -> MigrationError:
    candidates = []
    for document, places in found:
        for place in places:
            line = document.line_of(place.start)
            text = document.lines[line - 1][:WIDEST] if document.lines else ""
            candidates.append(Candidate(document.path, line, readable(text)))
    near: list[Candidate] = []
    if len(candidates) < step.count:
        near = explain(step, [Document.read(path, workspace.read(path)) for path in selected])
    number = "the one file that matches" if len(selected) == 1 else f"{len(selected)} files that match"
    scope = f"{number} {', '.join(step.files)}"
    return wrong_count(str(where), step.count, candidates, near, scope, f"`{step.kind}` or `files`")


def _check_compiles(workspace: Workspace, edit: FileEdit, where: Where) -> None:
    """A .py file must compile after the step if it did before; a new one must in any case."""
    if edit.data is None or not edit.path.endswith(".py"):
        return
    problem = compile_problem(edit.data)
    before = edit.origin or edit.path
    if problem is None or (workspace.is_file(before) and compile_problem(workspace.read(before)) is not None):
        return
    lines = Document.read(edit.path, edit.data).lines
    text = readable(lines[problem.line - 1]) if 0 < problem.line <= len(lines) else ""
    place = f"{readable(edit.path)}:{problem.line}" if problem.line else readable(edit.path)
    raise MigrationError(
        f"{where}: the result does not compile\n    {place}: {text.strip()}  ({problem.message})",
        "The line number is of the file after the step. Correct what the step puts there.",
    )


_KINDS: dict[str, Callable[[Any, Workspace, Tree, Where], list[Outcome]]] = {
    Replace.kind: _text,
    CommentOut.kind: _text,
    Define.kind: _text,
    SetLine.kind: _text,
    Diff.kind: file_steps.diff,
    Copy.kind: file_steps.copy,
    Delete.kind: file_steps.delete,
}
"""What carries out a step: gives what is to be done one after the other, each to what the one before it left."""
