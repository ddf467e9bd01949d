"""What tests leave in the Docker daemon goes when they end: theirs, by the notes of their stores and their recipes'
labels, and nobody else's, who may build meanwhile."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from portside.build.cache import FOLDER, CacheNotes, about_build, made_by
from portside.engines import Engine, open_engine
from portside.engines.base import RECIPE_LABEL
from portside.errors import EngineError


def unnamed_images(recipes: Collection[str]) -> set[str]:
    """The IDs of what no name leads to any more, of recipes of these names."""
    return {
        image.id
        for image in open_engine("docker").images()
        if not image.names and image.labels.get(RECIPE_LABEL) in recipes
    }


def remove_unnamed(recipes: Collection[str], but: Collection[str] = ()) -> None:
    """Remove them. but: those that were there before the tests."""
    engine = open_engine("docker")
    for image in sorted(unnamed_images(recipes) - set(but)):
        with suppress(EngineError):  # somebody has a container of it
            engine.remove_image(image)


def remove_cache(folder: Path) -> None:
    """Remove the cache records that the stores below a folder have noted."""
    engine = None
    for notes in sorted(folder.rglob(FOLDER)):
        engine = engine or open_engine("docker")
        CacheNotes(engine, notes.parent).remove_all()


@contextmanager
def forgotten_build(engine: Engine, context: Path) -> Iterator[None]:
    """Remove the cache records of what is built inside, which no store notes. context: the folder that is built."""
    cache = engine.cache
    since = cache.now() if cache else None
    try:
        yield
    finally:
        if cache and since is not None:
            made = about_build("plain", since, context, (context / "Dockerfile").read_text(encoding="utf-8"))
            cache.remove(made_by(cache.records(), replace(made, until=cache.now())))
