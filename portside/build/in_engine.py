"""What of Portside's is in an engine: what somebody may need, and what nobody does."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from portside.build.cache import CacheNotes
from portside.build.temporary import Temporaries, held_names
from portside.common.process import has_ended
from portside.engines import CacheRecord, Container, Engine, EngineImage
from portside.engines.base import BUILD_LABEL, PROCESS_LABEL
from portside.errors import PortsideError


@dataclass(frozen=True)
class InEngine:
    """kept: images that have a name, or that somebody built on a recipe's, or that a build needs now. temporary: of
    builds that have ended. unnamed: of recipes, whose names others have taken. containers: of checks that have ended.
    cache: the records that this store has noted as its builds'. other_cache: the bytes of all other records.
    """

    kept: tuple[EngineImage, ...]
    temporary: tuple[EngineImage, ...]
    unnamed: tuple[EngineImage, ...]
    containers: tuple[Container, ...]
    cache: tuple[CacheRecord, ...]
    other_cache: int

    @property
    def images(self) -> tuple[EngineImage, ...]:
        """Those that may go."""
        return self.temporary + self.unnamed

    def own_bytes(self, image: EngineImage) -> int:
        """The bytes of its layers that no kept image has."""
        kept = _layers(self.kept)
        return sum(size for chain, size in image.layers if chain not in kept)

    @property
    def free_bytes(self) -> int:
        """About what is free when all of it is gone."""
        kept = _layers(self.kept)
        layers = sum(size for chain, size in _layers(self.images).items() if chain not in kept)
        return layers + sum(record.size for record in self.cache)

    @property
    def image_bytes(self) -> int:
        """Of all images together, each layer once."""
        return sum(_layers(self.kept + self.images).values())


def look(engine: Engine, home: Path) -> InEngine:
    """What is there now; nothing is changed. home: the store, which has noted builds and cache records.

    Raises EngineError, or StoreError for a damaged note.
    """
    held = held_names(home)
    kept: list[EngineImage] = []
    temporary: list[EngineImage] = []
    unnamed: list[EngineImage] = []
    for image in sorted(engine.images(), key=lambda image: (image.names, image.id)):
        if BUILD_LABEL in image.labels:
            (temporary if _is_over(image, held) else kept).append(image)
        else:
            (unnamed if image.is_recipes and not image.names else kept).append(image)
    containers = [item for item in engine.containers() if has_ended(item.labels.get(PROCESS_LABEL, ""))]
    cache, others = CacheNotes(engine, home).records()
    other_bytes = sum(record.size for record in others)
    return InEngine(tuple(kept), tuple(temporary), tuple(unnamed), tuple(containers), tuple(cache), other_bytes)


def _is_over(image: EngineImage, held: set[str]) -> bool:
    """Whether the build of a temporary image has ended. Of another machine's, and an older version's, it is not known
    as long as the image has a name that a build can go by."""
    if held.intersection(image.names):
        return False
    ended = has_ended(image.labels.get(PROCESS_LABEL, ""))
    return ended is True or (ended is None and not image.names)


def remove(engine: Engine, home: Path, left: InEngine) -> list[str]:
    """Remove what may go; gives for each thing that stays why. What somebody needs meanwhile, the engine keeps."""
    stays: list[str] = []

    def attempt(what: str, work: Callable[[], object]) -> None:
        try:
            work()
        except PortsideError as error:
            stays.append(f"{what} stays: {error.problem}")

    attempt("what killed builds left", Temporaries(engine, home).remove_abandoned)
    attempt("build cache", CacheNotes(engine, home).remove_all)
    for container in left.containers:
        attempt(f"container {container.id[:12]}", partial(engine.remove_container, container.id))
    waiting = list(left.images)
    while waiting:  # an image that others stand on goes after them
        rest = [image for image in waiting if not _is_removed(engine, image)]
        if len(rest) == len(waiting):
            for image in rest:
                attempt(f"image {shown(image)}", partial(_remove, engine, image))
            break
        waiting = rest
    return stays


def _is_removed(engine: Engine, image: EngineImage) -> bool:
    with suppress(PortsideError):
        _remove(engine, image)
        return True
    return False


def _remove(engine: Engine, image: EngineImage) -> None:
    for name in image.names or (image.id,):
        engine.remove_image(name)


def shown(image: EngineImage) -> str:
    """What a person is told of an image as."""
    title = image.labels.get("org.opencontainers.image.title", "")
    return " ".join([*(image.names or (image.id.removeprefix("sha256:")[:12],)), *([title] if title else [])])


def _layers(images: Iterable[EngineImage]) -> dict[str, int]:
    return {chain: size for image in images for chain, size in image.layers}
