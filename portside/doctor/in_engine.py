"""What of Portside's an engine keeps, and what of that nobody needs."""

from pathlib import Path

from portside.build.in_engine import look
from portside.common.progress import human_bytes
from portside.doctor.findings import Finding
from portside.engines import Engine
from portside.errors import PortsideError


def examine_left(engine: Engine, home: Path) -> Finding:
    """home: the store's folder, which need not be there."""
    try:
        left = look(engine, home)
    except PortsideError as error:
        return Finding("problem", "in the engine", error.problem, error.solution)
    count = len(left.kept) + len(left.images)
    text = f"{human_bytes(left.image_bytes)} in {count} image(s) of recipes"
    text += f", {human_bytes(sum(record.size for record in left.cache))} in this store's build cache"
    if left.other_cache:
        text += f" ({human_bytes(left.other_cache)} in others')"
    if not (left.images or left.containers or left.cache):
        return Finding("ok", "in the engine", text)
    text += f"; about {human_bytes(left.free_bytes)} of it can go"
    return Finding("ok", "in the engine", text, "See which: invoke clean --engine")
