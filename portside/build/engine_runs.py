"""Run parts executed in the engine: it gets the image below, under a name of its own, and builds on it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from portside.build.run_places import Steps
from portside.build.temporary import Temporaries
from portside.common.progress import transfer
from portside.engines import Builder, ImageToBuild
from portside.image.built import to_load
from portside.layers.raw import LayerSource


class EngineRuns:
    """A RunPlace. home: the store that notes the temporary names.

    At the end of its `with` block the images are removed that the engine needed on the way. Not before: while they are
    there, the engine keeps the layers that the finished images are made of.
    """

    def __init__(self, engine: Builder, home: Path) -> None:
        self._engine = engine
        self._temporary = Temporaries(engine, home)

    def __enter__(self) -> "EngineRuns":
        self._temporary.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._temporary.__exit__(*error)

    @property
    def name(self) -> str:
        return self._engine.name

    def describe(self) -> str:
        return self._engine.describe()

    def runs(self, architecture: str) -> bool:
        return self._engine.runs(architecture)

    @contextmanager
    def executed(self, steps: Steps, log: Callable[[str], None]) -> Iterator[Sequence[LayerSource]]:
        engine = self._engine
        names = self._temporary.new(steps.part.key)
        parent = steps.parent(names.token)
        text = steps.dockerfile(names.parent)
        dockerfile = steps.folder / "Dockerfile"
        dockerfile.write_text(text, encoding="utf-8")
        engine.load(to_load(parent, steps.store, [names.parent], f"what {steps.name} is built on"), transfer)
        image = ImageToBuild(
            steps.context,
            dockerfile,
            names.result,
            steps.no_cache,
            steps.architecture,
            (names.holder,),
            steps.name,
        )
        with self._temporary.building(names, f"{steps.plan.recipe.name}/{steps.name}", steps.context, text):
            engine.build(image, log)
        steps.check_parent(engine.diff_ids(names.result, steps.name), parent)
        with engine.new_layers(names.result, len(parent.layers), steps.name) as sources:
            yield sources
