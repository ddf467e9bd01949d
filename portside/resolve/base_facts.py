"""What a lock says of a base that only the base's files tell: its interpreter, and what its scripts set."""

from collections.abc import Callable, Mapping
from functools import cached_property

from portside.common.progress import human_bytes, say, step
from portside.engines import Engine
from portside.errors import MissingInputError
from portside.fetch.fetcher import Fetcher
from portside.fetch.folders import ManualInput
from portside.fetch.manual import missing_text, remedy
from portside.inputs.entry_points import sourced
from portside.inputs.kinds import BASES
from portside.layers.image_files import ImageFiles
from portside.lock.bases import LockedBase
from portside.lock.models import Lock
from portside.lock.packages import LockedActivation, LockedEnv, LockedInterpreter, PackageSet
from portside.recipe import Recipe
from portside.recipe.python_packages import Python
from portside.recipe.stages import Stage
from portside.resolve import base_python
from portside.resolve.activation import activate

Wanted = Mapping[tuple[str, str], ManualInput]
"""What the recipe looks for in folders, by kind and place."""


def unseen_base(base: LockedBase, wanted: Wanted, fetcher: Fetcher, recipe: Recipe) -> LockedBase:
    """A base that a person brings, as the lock should have it, when nobody has seen it so far and a stage says what
    only it tells. Raises MissingInputError that says where to put it."""
    if base.layers or not any(stage.reads_base for stage in recipe.stages):
        return base
    [file] = [file for file in wanted.values() if file.kind == "base"]
    try:
        return fetcher.archive(base, file)
    except MissingInputError:
        text = missing_text(recipe, [file])
        raise MissingInputError(
            f"{text}\nThe lock says what only the base tells: the packages and the interpreter that it has, or "
            "what its scripts set.",
            remedy(recipe, fetcher.config, f"then invoke lock --recipe {recipe.name}"),
        ) from None


class BaseFacts:
    """Reads one base. What a lock has of the very same base is not read again.

    before: the lock so far, None where nothing of it stays. engine: gives what runs the base's scripts.
    """

    def __init__(
        self,
        recipe: Recipe,
        base: LockedBase,
        before: Lock | None,
        wanted: Wanted,
        fetcher: Fetcher,
        engine: Callable[[], Engine],
    ) -> None:
        self._recipe = recipe
        self._base = base
        self._before = before if before is not None and before.base == base else None
        self._wanted = wanted
        self._fetcher = fetcher
        self._engine = engine

    def interpreter(
        self, wanted: Python, stage: str, below: LockedEnv, activation: LockedActivation | None
    ) -> LockedInterpreter | None:
        """Of a stage. below: the sets below its own. activation: what its scripts set, PYTHONPATH for one. Raises
        RecipeError."""
        base_python.check_below(wanted, below.python, stage)
        sets = [s.python for s in self._known(stage, below) if s.python is not None and s.activation == activation]
        known = [python.interpreter for python in sets if python.interpreter is not None]
        found = next((its for its in known if its.path == wanted.interpreter), None)
        base = self._base
        environment = activation.on(base.env) if activation is not None else base.env
        return base_python.interpreter(wanted, found, lambda: self.files, environment, base.architecture)

    def activation(self, stage: Stage, below: LockedEnv) -> LockedActivation | None:
        """What the scripts of a stage set, None where it names none. below: the sets below its own. Raises RecipeError,
        EngineError."""
        if not stage.activate:
            return None
        known = [s.activation for s in self._known(stage.recipe, below) if s.activation is not None]
        found = next((one for one in known if one.scripts == stage.activate), None)
        if found is not None:
            return found
        return activate(stage.activate, self._base, self.files, self._fetcher.store, self._engine, self._recipe)

    def _known(self, stage: str, below: LockedEnv) -> list[PackageSet]:
        own = self._before.env.of(stage) if self._before is not None else None
        return [*below.sets, *([own] if own else [])]

    def say_sourced(self) -> None:
        """Propose for `env.activate` what the base's entry point sources and no stage does."""
        files = self.files if "files" in vars(self) else None  # only to look, nothing is brought and read
        layers = [layer.diff_id for layer in self._base.layers]
        named = {line.split()[0] for stage in self._recipe.stages for line in stage.activate}
        found = [path for path in sourced(layers, files) if path not in named]
        if found:
            say(
                f"The base's entry point sources {', '.join(found)}, and Portside's images have none. For what that "
                f"sets: env.activate: [{', '.join(found)}]"
            )

    @cached_property
    def files(self) -> ImageFiles:
        """The files of the base; layers that the store lacks are brought first."""
        base, store = self._base, self._fetcher.store
        lacking = [layer for layer in base.layers if not store.layout.has(layer.diff_id, layer.size)]
        bring = BASES[base.kind].bring
        if lacking and bring is not None:
            size = sum(base.bytes_for(layer.diff_id) for layer in lacking)
            say(f"The lock needs files of the base: {len(lacking)} layer(s) are brought, {human_bytes(size)}")
            bring(base, self._fetcher)
        elif lacking:
            [file] = [file for file in self._wanted.values() if file.kind == "base"]
            self._fetcher.archive(base, file)
        with step("Reading the base's files"):
            return ImageFiles.of(store.layout.tar(layer.diff_id) for layer in base.layers)
