"""The recipe's `files`: what was edited, added or removed of them, and new files outside of migrated trees."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from portside.capture.edits import Edits, free_path
from portside.capture.splice import RecipeText
from portside.develop.repository import WorkRepository
from portside.patches.apply import used_files
from portside.recipe import Recipe, load_recipe
from portside.recipe.models import LayerCheck, MigratedFile
from portside.recipe.pending import NewFile


@dataclass
class Rows:
    """added: items for `files`. without: paths of the lower recipes' that are left out. changed: files of the recipe's
    folder that become others, None for gone. removed, modes: of its own items, by where they go: those that go, and
    those that get another mode. unsaid: paths that no line can say, with why."""

    added: list[dict[str, Any]] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    changed: dict[str, NewFile | None] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    modes: dict[str, str] = field(default_factory=dict)
    unsaid: dict[str, str] = field(default_factory=dict)


class RowMaker:
    """Makes them for one capture. taken: paths of the recipe's folder that are in use; new ones are added to it."""

    def __init__(
        self, recipe: Recipe, edits: Edits, repository: WorkRepository, text: RecipeText, taken: set[str]
    ) -> None:
        self._recipe = recipe
        self._edits = edits
        self._repository = repository
        self._taken = taken
        values = text.values()
        rows = (values or {}).get("files") or []
        self._own = [row.get("to") for row in rows if isinstance(row, dict)]
        lower = recipe.model.extends
        self._lower = {row.to for row in load_recipe(recipe.root, lower).model.files} if lower else set()
        self._placed = [(row, file) for row in recipe.model.files for file in recipe.expanded([row])]

    def rows(self, paths: Iterable[str]) -> Rows:
        out = Rows()
        for path in paths:
            found = next(((row, file) for row, file in self._placed if file.to == path), None)
            if path not in self._edits.new:
                self._gone(path, found, out)
            elif found is None:
                self._new(path, out)
            else:
                self._edited(path, *found, out)
        return out

    def _read(self, path: str) -> NewFile:
        mode, blob = self._edits.new[path]
        return NewFile(self._repository.blob(blob), 0o755 if mode == "100755" else 0o644)

    def _new(self, path: str, out: Rows) -> None:
        new = self._read(path)
        for row, file in self._placed:
            if row.source != file.source and path.startswith(f"{row.to}/"):  # a folder, all of whose files go there
                out.changed[row.source + path[len(row.to) :]] = new
                return
        source = free_path(path, self._taken)
        out.added.append({"from": source, "to": path} | ({"mode": "0755"} if new.mode == 0o755 else {}))
        out.changed[source] = new

    def _edited(self, path: str, row: MigratedFile, file: MigratedFile, out: Rows) -> None:
        new = self._read(path)
        if self._others(file):
            out.unsaid[path] = f"the recipe's file {file.source} is used in other places, too: edit it there"
            return
        if (int(file.mode, 8) & 0o100 == 0) != (new.mode == 0o644):
            if row is not file and row.source != file.source and "mode" in row.model_fields_set:
                out.unsaid[path] = f"the mode of all files of {row.source} is said in one line"
                return
            if row.source == file.source and row.to in self._own:
                out.modes[row.to] = f"{new.mode:04o}"
            elif row.source == file.source:
                out.added.append({"from": row.source, "to": row.to, "mode": f"{new.mode:04o}"})
        out.changed[file.source] = new

    def _gone(self, path: str, found: tuple[MigratedFile, MigratedFile] | None, out: Rows) -> None:
        if found is None:
            out.unsaid[path] = "it is none of the recipe's files"
            return
        row, file = found
        own, *lower = self._recipe.folders
        if row.source != file.source:  # one of a folder's files
            elsewhere = any((folder / file.source).exists() for folder in lower)
            if (own / file.source).exists() and not elsewhere and not self._others(file):
                out.changed[file.source] = None
                return
            out.unsaid[path] = f"it is one of the files of {row.source}, which go there together"
            return
        if row.to not in self._own:
            out.without.append(row.to)
            return
        out.removed.append(row.to)
        if row.to in self._lower:
            out.without.append(row.to)
        if (own / file.source).exists() and not self._others(file):
            out.changed[file.source] = None

    def _others(self, file: MigratedFile) -> bool:
        """Whether something else of the recipe uses the same file of its folder."""
        model, source = self._recipe.model, file.source
        checks = [check.file if isinstance(check, LayerCheck) else check for check in model.checks]
        env = [one.source for one in self._recipe.expanded(model.env.files)]
        rows = [other.source for _, other in self._placed if other.to != file.to]
        return source in (*checks, *env, *rows, *used_files(model.patches))


def write_rows(rows: Rows, text: RecipeText) -> None:
    """Say in the recipe's text what is to be of its `files`. Raises RecipeError where there is no place."""

    def number(to: str) -> int:
        return next(n for n, row in enumerate(text.values()["files"]) if isinstance(row, dict) and row.get("to") == to)

    for to, mode in rows.modes.items():
        at = ("files", number(to), "mode")
        if "mode" in text.values()["files"][at[1]]:
            text.replace(at, mode)
        else:
            text.put(at, mode)
    for to in rows.removed:
        text.remove(("files", number(to)))
    text.append(("files",), rows.added)
    text.append(("without", "files"), rows.without)
