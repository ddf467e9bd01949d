"""The sources that are migrated, laid out for editing: what is saved there is migrated at once.

The migrated file has a person's own edits and the recipe's patches in it, so the new result is merged into it: a
three-way merge of the file, what migrating gave of the source before, and what it gives now.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from portside.common.progress import say
from portside.common.tree import Tree, file_entry
from portside.develop.code import source_folders
from portside.develop.repository import merged_text
from portside.develop.watch import PAUSE, CodeLook
from portside.develop.work_folder import WorkFolder
from portside.migrate.migration import migrate
from portside.recipe import Recipe


class SourceSide:
    """The source side of a working folder."""

    def __init__(self, work: WorkFolder, recipe: Recipe) -> None:
        self._work = work
        self._recipe = recipe
        self._before = {path: self._read(path) for path in work.repository.known_paths() if self._is_source(path)}

    def _is_source(self, path: str) -> bool:
        return path.partition("/")[0] in source_folders(self._recipe)

    def _read(self, path: str) -> bytes | None:
        target = self._work.path / path
        return target.read_bytes() if target.is_file() and not target.is_symlink() else None

    def saved(self, paths: list[str]) -> list[str]:
        """Migrate what changed of the sources; gives the migrated files that were written."""
        return [made for path in paths if self._is_source(path) and (made := self._migrate(path)) is not None]

    def _migrate(self, path: str) -> str | None:
        old, new = self._before.get(path), self._read(path)
        if old == new:
            return None
        self._before[path] = new
        name, _, rest = path.partition("/")
        target = f"{name}{self._recipe.ruleset.suffix}/{rest}"
        there = self._read(target)
        before, after = self._migrated(target, old), self._migrated(target, new)
        if after is None:
            if there == before and there is not None:
                (self._work.path / target).unlink()
                return target
            say(f"{path} is gone; {target} stays, for it was edited")
            return None
        merged = after if there in (None, before) else merged_text(there or b"", before or b"", after)
        if merged is None:
            say(f"{path}: what it migrates to and what was edited in {target} are the same lines; it stays as it is")
            return None
        if merged == there:
            return None
        (self._work.path / target).parent.mkdir(parents=True, exist_ok=True)
        (self._work.path / target).write_bytes(merged)
        return target

    def _migrated(self, path: str, data: bytes | None) -> bytes | None:
        migration = self._recipe.model.migration
        if data is None or migration is None or migration.mode == "image":
            return data
        tree = Tree([file_entry(path, data)])
        return migrate(tree, self._recipe.ruleset, migration.mode, strict=migration.strict).tree[path].read()

    @contextmanager
    def following(self) -> Iterator[None]:
        """Migrate what is saved, as long as the block goes on."""
        names = source_folders(self._recipe)
        others = [item.name for item in self._work.path.iterdir() if item.name not in names]
        look = CodeLook(self._work.path, self._before, others)
        ended = threading.Event()

        def work() -> None:
            while not ended.wait(PAUSE):
                if paths := look.changed():
                    self.saved(paths)

        worker = threading.Thread(target=work, name="source-side", daemon=True)
        worker.start()
        try:
            yield
        finally:
            ended.set()
            worker.join()
