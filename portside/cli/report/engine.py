"""What of Portside's is in an engine, for people and as JSON."""

from collections.abc import Iterator
from typing import Any

from portside.build.in_engine import InEngine, shown
from portside.common.progress import human_bytes
from portside.engines import EngineImage


def left_lines(left: InEngine) -> Iterator[str]:
    """A line for each thing that may go; cache records count together."""
    for kind, images in (("temporary image", left.temporary), ("unnamed image", left.unnamed)):
        for image in images:
            yield _line(kind, left.own_bytes(image), shown(image))
    for container in left.containers:
        yield f"{'container':16} {'':>10}  {container.id[:12]} of a check that has ended"
    if left.cache:
        yield _line("build cache", sum(record.size for record in left.cache), f"{len(left.cache)} record(s)")


def _line(kind: str, size: int, text: str) -> str:
    return f"{kind:16} {human_bytes(size):>10}  {text}"


def left_report(left: InEngine, removed: bool, stays: list[str]) -> dict[str, Any]:
    """stays: why something is still there."""
    return {
        "removed": removed,
        "bytes": left.free_bytes,
        "temporary": [_image(left, image) for image in left.temporary],
        "unnamed": [_image(left, image) for image in left.unnamed],
        "containers": [container.id for container in left.containers],
        "cache": [{"id": record.id, "bytes": record.size, "text": record.text} for record in left.cache],
        "stays": stays,
    }


def _image(left: InEngine, image: EngineImage) -> dict[str, Any]:
    return {"id": image.id, "names": list(image.names), "bytes": left.own_bytes(image)}
