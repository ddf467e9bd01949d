"""A recipe as it was loaded: its model, its files, and what it is called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portside.common.tree import Tree, file_entry
from portside.common.values import RecipeName
from portside.common.yaml_file import Location
from portside.errors import RecipeError
from portside.recipe.debian_archives import DebianArchive
from portside.recipe.models import File, MigratedFile, RecipeModel
from portside.recipe.named_files import F, expanded
from portside.recipe.stages import Stage

if TYPE_CHECKING:
    from portside.migrate.rulesets import Ruleset


@dataclass(frozen=True)
class Recipe:
    """A loaded recipe.

    folders: where its files are looked for, its own first, then those of the recipes it extends.
    workspace: the folder in the image; a recipe shares it with the recipe that it extends, and so shares layers.
    stages: what each recipe adds to the env layer, the lowest of those that it extends first, its own last.
    patch_places: FILE:LINE of each patch step.
    """

    name: RecipeName
    model: RecipeModel
    path: Path
    folders: tuple[Path, ...]
    workspace: str
    stages: tuple[Stage, ...] = ()
    patch_places: tuple[str, ...] = ()

    @property
    def root(self) -> Path:
        """The folder that holds `recipes/`."""
        return self.path.parents[1]

    @property
    def lock_path(self) -> Path:
        return self.path.with_suffix(".lock")

    @cached_property
    def ruleset(self) -> "Ruleset":
        """The ruleset by which the recipe's sources migrate, as it extends it. Raises RecipeError."""
        from portside.migrate.rulesets import load

        migration = self.model.migration
        assert migration is not None, "only a recipe that migrates something has a ruleset"
        return load(migration.ruleset, migration.extend, self.root)

    def file(self, relative: str) -> Path:
        """A file of the recipe's folder. Raises RecipeError where it is missing or leads out of the folder."""
        for folder in self.folders:
            path = folder / relative
            if path.is_symlink() or path.exists():
                if not path.resolve().is_relative_to(folder.resolve()):
                    raise RecipeError.about(
                        self.path, f"{relative} leads out of {folder}", "Put the file itself there."
                    )
                if path.is_file():
                    return path
        raise RecipeError.about(
            self.path,
            f"no file {relative} in {' or '.join(str(folder) for folder in self.folders)}",
            "Put it there or correct the recipe.",
        )

    def expanded(self, files: Sequence[F]) -> tuple[F, ...]:
        """The named files, with the files of a folder in its place. Raises RecipeError."""
        return tuple(expanded(files, self.folders, self.path))

    def file_tree(self, files: Sequence[File]) -> Tree:
        """The named files at their places (absolute ones without the leading '/'), with the modes they ask for."""
        tree = Tree()
        for file in self.expanded(files):
            data = self.file(file.source).read_bytes()
            tree.put(file_entry(file.to.lstrip("/"), data, int(file.mode, 8)))
        return tree

    @property
    def files_below_install(self) -> tuple[MigratedFile, ...]:
        """Those of `files` that install steps need."""
        return tuple(file for file in self.expanded(self.model.files) if self.model.is_below_install(file))

    @property
    def files_above_install(self) -> tuple[MigratedFile, ...]:
        """Those of `files` that go on top of what the install steps make."""
        return tuple(file for file in self.expanded(self.model.files) if not self.model.is_below_install(file))

    def folder_tree(self) -> Tree:
        """Everything in the recipe's folder; a recipe's own files hide those of the recipes it extends."""
        tree = Tree()
        for folder in reversed(self.folders):
            if folder.is_dir():
                for entry in Tree.from_folder(folder):
                    tree.put(entry)
        return tree

    def named_paths(self) -> list[tuple[Location, str]]:
        """Where in the recipe (as far as it says so) a path of the image is named that something is put to; the paths
        are relative to the root."""
        model, below = self.model, self.workspace.lstrip("/")
        named: list[tuple[Location, str]] = []
        for n, row in enumerate(model.env.files):
            named += [(("env", "files", n), file.to.lstrip("/")) for file in self.expanded([row])]
        for n, file in enumerate(model.files):
            named += [(("files", n), f"{below}/{one.to}") for one in self.expanded([file])]
        if model.patches:
            from portside.patches.apply import written_files
        for number, step in enumerate(model.patches):
            paths = written_files(step, lambda path: self.file(path).read_bytes())
            named += [(("patches", number, step.kind), f"{below}/{path}") for path in paths]
        return named

    @cached_property
    def patched_sources(self) -> tuple[str, ...]:
        """The sources that are not migrated and that patches call by name, sorted: they are patched where they are."""
        if not self.model.patches:
            return ()
        from portside.patches.apply import named_folders

        named = named_folders(self.model.patches, lambda path: self.file(path).read_bytes())
        return tuple(sorted(named & self.unmigrated_sources))

    @property
    def tree_sources(self) -> tuple[str, ...]:
        """The sources that the migrated and patched trees are made of."""
        return (*self._migrated_sources, *self.patched_sources)

    @property
    def unmigrated_sources(self) -> set[str]:
        """The sources that no migration makes anything of."""
        return self.model.sources.keys() - set(self._migrated_sources)

    @property
    def _migrated_sources(self) -> tuple[str, ...]:
        return self.model.migration.sources if self.model.migration else ()

    def requests(self) -> dict[str, Any]:
        """What decides the lock: compared with what the lock says it was made for."""
        dump = self.model.model_dump(mode="json", by_alias=True)
        python = {s.recipe: s.python.model_dump(mode="json", by_alias=True) if s.python else None for s in self.stages}
        return {
            "base": {kind: base for kind, base in dump["base"].items() if base is not None},
            **{
                f"env.{s.recipe}": {"debian": list(s.debian), "python": python[s.recipe]}
                | ({"components": list(s.components)} if s.components and s.debian else {})
                | ({"archives": _without_urls(s.archives)} if s.archives and s.debian else {})
                | ({"activate": list(s.activate)} if s.activate else {})
                | ({"install": [step.model_dump(mode="json") for step in s.install]} if s.install else {})
                for s in self.stages
            },
            **{f"sources.{name}": source for name, source in dump["sources"].items()},
            **{f"weights.{name}": _without_place(weights) for name, weights in dump["weights"].items()},
            **{f"data.{name}": data for name, data in dump["data"].items()},
        }


def _without_urls(archives: Mapping[str, DebianArchive]) -> dict[str, Any]:
    """What a lock keeps of archives: not where they are."""
    return {name: asked.model_dump(mode="json", exclude={"url"}) for name, asked in archives.items()}


def _without_place(weights: dict[str, Any]) -> dict[str, Any]:
    """What is asked for; where links to it are put changes nothing of it."""
    return {key: value for key, value in weights.items() if key != "to"}
