"""The steps that take a file of the recipe's folder (diff, copy) and the one that deletes files."""

from collections.abc import Sequence

from portside.common.globs import closest_paths, is_literal, matches
from portside.common.tree import Entry, Tree, encode_path
from portside.errors import MigrationError, RecipeError
from portside.patches.changes import Change, Where
from portside.patches.document import readable
from portside.patches.explain import Candidate, no_file, wrong_count
from portside.patches.hunks import NoPlace, apply_hunks, split_lines
from portside.patches.steps import Copy, Delete, Diff
from portside.patches.unified import FileDiff, parse_diff
from portside.patches.workspace import FileEdit, Workspace

Outcome = tuple[list[FileEdit], list[Change]]


def recipe_file(files: Tree, path: str, where: object) -> Entry:
    """A file of the recipe's folder. Raises RecipeError."""
    entry = files.get(path)
    if entry is None or entry.kind != "file":
        what = "is no plain file" if entry is not None else "is missing"
        raise RecipeError(f"{where}: {path} {what} in the recipe's folder", "Put it there or correct the recipe.")
    return entry


def recipe_file_mode(entry: Entry) -> int:
    """0755 for an executable file, else 0644: what git keeps, whatever the umask of the checkout was."""
    return 0o755 if entry.mode & 0o100 else 0o644


def copy(step: Copy, workspace: Workspace, files: Tree, where: Where) -> list[Outcome]:
    source = recipe_file(files, step.copy_, where)
    _check_target(workspace, step.to, where)
    exists = workspace.is_file(step.to)
    if exists and not step.overwrite:
        raise MigrationError(
            f"{where}: {step.to} is already there",
            "Say `overwrite: true` if the copy is meant to replace it, or choose another path.",
        )
    if step.overwrite and not exists:
        raise MigrationError(
            f"{where}: there is no {step.to} to overwrite",
            "The code is not what this step was written for. Correct `to`, or drop `overwrite` if the file is new.",
        )
    mode = recipe_file_mode(source) if step.mode is None else int(step.mode, 8)
    data = source.read()
    word = "overwritten by" if exists else "copied from"
    note = f"{word} {step.copy_} of the recipe's folder ({len(data):,} bytes, mode {mode:04o})"
    return [([FileEdit(step.to, data, mode)], [where.change(step.to, 0, "", "", note)])]


def delete(step: Delete, workspace: Workspace, files: Tree, where: Where) -> list[Outcome]:
    tree = workspace.tree
    paths = [entry.path for entry in tree if entry.kind != "dir"]
    for glob in step.delete:
        if not any(workspace.matches([glob], path) for path in paths):
            folder = is_literal(glob) and any(path.startswith(glob + "/") for path in paths)
            why = f"it is a folder; {glob}/** names everything in it" if folder else workspace.why_missing(glob)
            raise no_file(str(where), glob, "`delete`", closest_paths(glob, paths), why)
    gone = [path for path in paths if workspace.matches(step.delete, path)]
    if len(gone) != step.count:
        found = [Candidate(path, 0, "") for path in gone]
        raise wrong_count(str(where), step.count, found, [], "the files that match", "`delete`")
    edits = [FileEdit(path, None) for path in [*gone, *_emptied(tree, gone)]]
    return [(edits, [where.change(path, 0, "", "", f"deleted ({tree[path].size:,} bytes)") for path in gone])]


def _emptied(tree: Tree, gone: list[str]) -> list[str]:
    """The folders in which nothing is left but other such folders."""
    above = {"/".join(path.split("/")[:end]) for path in gone for end in range(1, path.count("/") + 1)}
    lost = set(gone) | {path for path in above if path in tree}
    kept = {
        "/".join(entry.path.split("/")[:end])
        for entry in tree
        if entry.path not in lost
        for end in range(1, entry.path.count("/") + 1)
    }
    return sorted((path for path in above - kept if path in tree), key=encode_path)


def diff(step: Diff, workspace: Workspace, files: Tree, where: Where) -> list[Outcome]:
    """An outcome for each commit of a series, which are to be carried out one after the other."""
    name = f"{where}: {step.diff}"
    parsed = parse_diff(recipe_file(files, step.diff, where).read(), name, step.strip)
    state = Workspace(workspace.tree, workspace.sources)
    outcomes = []
    parts: dict[int, list[FileDiff]] = {}
    for file in parsed:
        parts.setdefault(file.part, []).append(file)
    for _, files_of in sorted(parts.items()):
        outcomes.append(_diff_part(files_of, step, state, name, where))
        state.commit(outcomes[-1][0])
    changes = [change for _, made in outcomes for change in made]
    if len(changes) != step.count:
        found = [Candidate(c.path, c.line, c.after.split("\n")[0] or c.before.split("\n")[0], c.note) for c in changes]
        raise wrong_count(str(where), step.count, found, [], step.diff, "the diff")
    return outcomes


def _diff_part(parsed: Sequence[FileDiff], step: Diff, workspace: Workspace, name: str, where: Where) -> Outcome:
    edits: list[FileEdit] = []
    changes: list[Change] = []
    for file in parsed:
        old, new = (
            path if path is None or step.folder is None else f"{step.folder}/{path}" for path in (file.old, file.new)
        )
        for path in (old, new):
            if path is not None and step.files is not None and not matches(step.files, path):
                raise MigrationError(
                    f"{name}:{file.line}: changes {readable(path)}, which `files` does not allow",
                    "Extend `files`, or take that part out of the diff.",
                )
        more_edits, more_changes = _diff_file(file, old, new, workspace, f"{name}:{file.line}", where)
        edits += more_edits
        changes += more_changes
    return edits, changes


def _diff_file(
    file: FileDiff, old: str | None, new: str | None, workspace: Workspace, at: str, where: Where
) -> tuple[list[FileEdit], list[Change]]:
    if file.may_be_new and old is not None and not workspace.is_file(old):
        old = None
    target = new or old or ""
    data = b""
    notes = []
    for path in dict.fromkeys(path for path in (old, new) if path is not None):
        _check_target(workspace, path, at)
    if old is None:
        notes.append("new file")
    elif not workspace.is_file(old):
        close = closest_paths(old, (entry.path for entry in workspace.tree.files()))
        raise no_file(at, old, "`folder` or `strip`", close, workspace.why_missing(old))
    else:
        entry = workspace.entry(old)
        data = entry.read()
        if file.old_mode is not None and (file.old_mode ^ entry.mode) & 0o100:
            raise MigrationError(
                f"{at}: {readable(old)} has the mode {entry.mode:04o}, not {file.old_mode:04o} as the diff says",
                "The code is not what this step was written for. Make the diff again.",
            )
        if file.link and old != new:
            notes.append(("renamed" if file.link == "rename" else "copied") + f" from {readable(old)}")
    if new is not None and new != old and workspace.is_file(new):
        raise MigrationError(
            f"{at}: {readable(new)} is already there", "Make the diff again from the code as it is now."
        )
    try:
        result, applied = apply_hunks(data, file.hunks)
    except NoPlace as error:
        raise _no_place(error, file, target if old is None else old, data, at) from None
    if new is None:
        notes.append("deleted")
        if result:
            raise MigrationError(
                f"{at}: deletes {readable(target)}, but {len(split_lines(result))} lines of it are not in the diff",
                "The code is not what this step was written for. Use a delete step, or make the diff again.",
            )
    if file.new_mode is not None and old is not None:
        notes.append(f"mode {file.new_mode:04o}")
    edits = [] if new is None else [FileEdit(new, result, file.new_mode, old)]
    if old is not None and (new is None or file.link == "rename"):
        edits.append(FileEdit(old, None))
    changes = [] if applied else [where.change(target, 0, "", "", ", ".join(notes))]
    for number, hunk in enumerate(applied):
        moved = [f"{abs(hunk.offset)} lines {'below' if hunk.offset > 0 else 'above'} the stated line"] * bool(
            hunk.offset
        )
        note = ", ".join([*(notes if number == 0 else []), *moved])
        before, after = (
            part.decode("utf-8", "backslashreplace").removesuffix("\n") for part in (hunk.before, hunk.after)
        )
        changes.append(where.change(target, hunk.line, before, after, note, hunk.spans))
    return edits, changes


def _no_place(error: NoPlace, file: FileDiff, path: str, data: bytes, at: str) -> MigrationError:
    hunk = file.hunks[error.hunk - 1]
    lines = [f"{at}: hunk {error.hunk} (stated line {hunk.start}) of {readable(path)} has no place of its own"]
    text = split_lines(data)
    if error.places:
        lines += ["  it would match at each of:"]
        lines += [
            str(Candidate(path, line, text[line - 1].decode("utf-8", "backslashreplace"))) for line in error.places
        ]
        return MigrationError("\n".join(lines), "Make the diff again with more lines of context (`git diff -U10`).")
    if error.nearest is not None:
        line, found, wanted = (
            part if isinstance(part, int) else part.decode("utf-8", "backslashreplace") for part in error.nearest
        )
        lines += [
            "  it matches nowhere; closest to it:",
            f"    {readable(path)}:{line}: {found}",
            f"    where the diff has: {wanted}",
        ]
    elif not hunk.old():
        lines += ["  it adds lines without any context to a file that is not empty"]
    else:
        lines += ["  the file is empty, or ends before the hunk"]
    return MigrationError(
        "\n".join(lines),
        "The code is not what this step was written for. Make the diff again from the code as it is now.",
    )


def _check_target(workspace: Workspace, path: str, where: object) -> None:
    if (why := workspace.not_patched(path)) is not None:
        raise MigrationError(
            f"{where}: {readable(path)} cannot be written: {why}",
            "Name the path in the migrated folder, or leave the source out of the migration.",
        )
    obstacle = workspace.obstacle(path)
    if obstacle is not None:
        raise MigrationError(
            f"{where}: {readable(path)} cannot be written: {obstacle}",
            "Links are never followed. Name the file itself, or delete what stands there in a step before.",
        )
