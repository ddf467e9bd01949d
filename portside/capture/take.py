"""From a working folder to the recipe: what was edited becomes its lines, proven before anything is written."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from portside.capture.edits import Edits, Sorted, read_edits, sort_edits
from portside.capture.env_lines import last_command, write_packages, write_target
from portside.capture.installed import installed
from portside.capture.new_steps import NewStep, StepMaker
from portside.capture.offers import find_offers, taken
from portside.capture.proof import Rebuilt, differing, rebuild, staged
from portside.capture.rows import RowMaker, Rows, write_rows
from portside.capture.splice import RecipeText
from portside.common.progress import live, step
from portside.common.values import FileName
from portside.develop.code import code_key, source_folders
from portside.develop.repository import BASE
from portside.develop.work_folder import WorkFolder, by_origin, find_folder
from portside.engines import Engine
from portside.errors import EngineError, LockError, MigrationError, RecipeError
from portside.lock.file import read_lock
from portside.lock.models import Lock
from portside.patches.python import compile_problem
from portside.patches.workspace import SourceFolders
from portside.plan.parts import plan
from portside.project import Project
from portside.recipe import Recipe
from portside.recipe.pending import NewFile, change_recipe


@dataclass(frozen=True)
class Captured:
    """What a capture makes of a recipe. before, after: its text. files: what becomes of the recipe's files, by path
    below `recipes/`. left_out: paths that no line can say, with why. notes: what a person should know."""

    recipe: str
    before: str
    after: str
    steps: tuple[NewStep, ...] = ()
    rows: Rows = field(default_factory=Rows)
    files: Mapping[str, NewFile | None] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        return not self.files

    def diff(self) -> str:
        """How the recipe's text changes."""
        name = f"recipes/{self.recipe}.yaml"
        lines = difflib.unified_diff(
            self.before.splitlines(keepends=True), self.after.splitlines(keepends=True), f"a/{name}", f"b/{name}"
        )
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def capture(
    project: Project,
    name: str,
    folder: str | None = None,
    *,
    dry_run: bool = False,
    leave_out: bool = False,
    take_offers: bool = False,
    target: str | None = None,
    engine_of: Callable[[], Engine] | None = None,
) -> Captured:
    """Make the recipe give what the working folder has; of a chain of `extends` only the topmost is written.

    Nothing is written where the recipe would give anything else. leave_out: what no line can say stays in the folder
    alone. take_offers: say in earlier steps, and in one step for all, what can be said there. target: the name of a run
    target to make of the last command. engine_of: gives the engine that the folder's container is in; None: nobody
    looks what was installed there.

    Raises RecipeError that names all paths that cannot be said, MigrationError where a build would refuse the code or
    the proof fails.
    """
    work = find_folder(project.root, name, folder)
    if not work.exists():
        raise RecipeError(f"there is no working folder {work.path}", f"Make one: invoke develop --recipe {name}")
    with project.store.lock(FileName(f"capture-{name}")), work.locked(), live():
        return _Capture(project, work, project.recipe(name), leave_out, take_offers, target, engine_of).run(dry_run)


class _Capture:
    def __init__(
        self,
        project: Project,
        work: WorkFolder,
        recipe: Recipe,
        leave_out: bool,
        take_offers: bool,
        target: str | None,
        engine_of: Callable[[], Engine] | None,
    ) -> None:
        self._project = project
        self._work = work
        self._recipe = recipe
        self._lock = locked_sources(recipe)
        self._leave_out = leave_out
        self._take_offers = take_offers
        self._target = target
        self._engine_of = engine_of
        self._state = work.state()

    def run(self, dry_run: bool) -> Captured:
        before = read_recipe(self._recipe)
        with step(f"Reading what was edited in {self._work.path}"):
            edits = read_edits(self._work, self._state)
        if code_key(plan(self._recipe, self._lock)) != self._state.key:
            return self._found_done(edits, before, dry_run)
        placed = self._sorted(edits)
        text = RecipeText(before, str(self._recipe.path))
        notes = self._notes(edits, placed)
        offers = find_offers(edits, placed, self._work.repository, self._recipe, text)
        if not self._take_offers:
            notes += [f"offered (--take-offers): {offer.title}" for offer in offers]
            offers = []
        steps, rows = self._lines(taken(edits, offers, self._work.repository), placed, text)
        for offer in offers:
            if offer.at is not None:
                text.replace(("patches", *offer.at), offer.value)
        steps = [*(NewStep(offer.value) for offer in offers if offer.at is None), *steps]
        unsaid = {**placed.unsaid, **rows.unsaid, **self._installed(text, notes)}
        if unsaid and not self._leave_out:
            raise _cannot_be_said(self._work, unsaid)
        text.append(("patches",), [one.value for one in steps])
        write_rows(rows, text)
        own = {path: new for one in steps for path, new in one.files.items()} | rows.changed
        files = {f"{self._recipe.name}/{path}": new for path, new in own.items()}
        if text.text != before:
            files[f"{self._recipe.name}.yaml"] = NewFile(text.text.encode())
        captured = Captured(self._recipe.name, before, text.text, tuple(steps), rows, files, unsaid, tuple(notes))
        if captured.nothing:
            return captured
        rebuilt = self._proven(captured, edits, [*unsaid, *placed.migrated_already])
        if not dry_run:
            change_recipe(self._recipe.root, self._recipe.name, files)
            self._settle(rebuilt, edits, [*unsaid, *placed.migrated_already])
        return captured

    def _sorted(self, edits: Edits) -> Sorted:
        origins = self._state.origin_of()
        placed = sort_edits(edits, self._recipe, origins)
        # A build refuses a new file that is to be Python and is none, unless it is one of `files`.
        unfit = {
            path
            for path in placed.patched
            if path.endswith(".py")
            and path in edits.new
            and path not in edits.old
            and compile_problem(self._work.repository.blob(edits.new[path][1])) is not None
        }
        if not unfit:
            return placed
        return replace(placed, patched=placed.patched - unfit, files=(*placed.files, *sorted(unfit)))

    def _lines(self, edits: Edits, placed: Sorted, text: RecipeText) -> tuple[list[NewStep], Rows]:
        recipe, repository = self._recipe, self._work.repository
        taken = {entry.path for entry in recipe.folder_tree() if entry.kind != "dir"}
        names = {step.name for step in recipe.model.patches if step.name}
        suffix = recipe.ruleset.suffix if recipe.model.migration else ""
        folders = SourceFolders({name: f"{name}{suffix}" for name in source_folders(recipe)}, recipe.unmigrated_sources)
        steps = StepMaker(edits, placed, repository, folders, names, taken).steps()
        rows = RowMaker(recipe, edits, repository, text, taken).rows(placed.files)
        return steps, rows

    def _installed(self, text: RecipeText, notes: list[str]) -> dict[str, str]:
        """Say in the text what was installed and run in the container; gives what cannot be said, with why."""
        unsaid = {}
        if self._engine_of is not None and self._state.container is not None:
            try:
                new = installed(self._engine_of(), self._work)
            except EngineError as error:
                notes.append(f"nobody looked at what is installed in the container: {error.problem}")
            else:
                before = text.text
                unsaid = write_packages(new, text, self._recipe)
                if text.text != before:
                    notes.append(f"env has other packages now, so lock it: invoke lock --recipe {self._recipe.name}")
        if self._target is not None:
            write_target(self._target, self._work, self._state, text, self._recipe)
        elif (row := last_command(self._work, self._state)) is not None and row["target"] is None:
            notes.append(f"run last: {row['command']} (--target NAME makes a run target of it)")
        return unsaid

    def _notes(self, edits: Edits, placed: Sorted) -> list[str]:
        notes = []
        if edits.rewritten:
            notes.append("the history was rewritten since the code was laid out: all that was edited is one patch")
        if edits.ignored:
            shown = ", ".join(edits.ignored[:5]) + (" …" if len(edits.ignored) > 5 else "")
            notes.append(f"ignored by .gitignore, and so not taken: {shown} (git add --force takes one)")
        if placed.migrated_already:
            shown = ", ".join(placed.migrated_already[:5])
            notes.append(f"{shown}: the source stays as upstream has it; its migrated code is taken")
        return notes

    def _proven(self, captured: Captured, edits: Edits, but: Sequence[str]) -> Rebuilt:
        """Raises MigrationError where the recipe gives something else than the folder has."""
        with step("Making the code anew from the recipe"), staged(self._recipe, captured.files) as new:
            rebuilt = rebuild(new, self._lock, self._project.store, self._state.install())
        others = self._different(rebuilt, edits, but)
        if others:
            raise MigrationError(
                "the recipe that would be written gives something else than the working folder has:\n"
                + "\n".join(f"  {other}" for other in others[:20]),
                "Nothing was written. Say these by hand in the recipe, or undo them in the folder.",
            )
        return rebuilt

    def _different(self, rebuilt: Rebuilt, edits: Edits, but: Sequence[str]) -> list[str]:
        return differing(rebuilt, self._work.repository, edits.now, self._state.sources, set(but))

    def _found_done(self, edits: Edits, before: str, dry_run: bool) -> Captured:
        """The recipe is another one than the folder was laid out from: a capture was killed at its end, or edited."""
        rebuilt = rebuild(self._recipe, self._lock, self._project.store, self._state.install())
        if self._different(rebuilt, edits, ()):
            raise RecipeError(
                f"the recipe '{self._recipe.name}' has changed since {self._work.path} was laid out",
                f"Build it and bring its changes into the folder first: invoke build --recipe {self._recipe.name} && "
                f"invoke develop --recipe {self._recipe.name}",
            )
        if not dry_run:
            self._settle(rebuilt, edits, ())
        return Captured(self._recipe.name, before, before)

    def _settle(self, rebuilt: Rebuilt, edits: Edits, but: Sequence[str]) -> None:
        """Let the folder's base be what the recipe gives now."""
        repository = self._work.repository
        head = repository.word("rev-parse", "HEAD")
        tree = repository.with_changes(edits.now, {path: edits.old.get(path) for path in but}) if but else edits.now
        name = self._recipe.name
        repository.set_ref(BASE, repository.commit_tree(tree, head, f"{name} as its recipe has it"))
        hidden = () if self._state.sources else source_folders(rebuilt.recipe)
        origins = {p: o for p, o in rebuilt.code.origins.items() if p.partition("/")[0] not in hidden}
        self._work.keep(replace(self._state, key=code_key(rebuilt.plan), head=head, origins=by_origin(origins)))


def read_recipe(recipe: Recipe) -> str:
    return recipe.path.read_bytes().decode("utf-8")


def locked_sources(recipe: Recipe) -> Lock:
    """The recipe's lock, which may know nothing of packages that were asked for since. Raises LockError where there is
    none, or its sources are others."""
    lock = read_lock(recipe.lock_path)
    if lock is None:
        raise LockError(f"{recipe.name} is not locked", f"Lock it: invoke lock --recipe {recipe.name}")
    asked = recipe.requests()
    kinds = ("base", "sources.", "weights.")
    if any(lock.requests.get(k) != asked.get(k) for k in asked.keys() | lock.requests.keys() if k.startswith(kinds)):
        raise LockError(
            f"{recipe.lock_path} belongs to another version of the recipe", f"invoke lock --recipe {recipe.name}"
        )
    return lock


def _cannot_be_said(work: WorkFolder, unsaid: Mapping[str, str]) -> RecipeError:
    lines = [f"  {path}: {why}" for path, why in sorted(unsaid.items())]
    return RecipeError(
        "\n".join(["what was edited there cannot be said in a recipe:", *lines]),
        f"Nothing was written. Undo them (git -C {work.path} checkout {BASE} -- PATH), or take the rest: --leave-out",
    )
