"""A vendor's image as base: out of a file of `docker save`, its layers as they are."""

import json
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from portside.archive.read import ArchiveImage, read_archive
from portside.common.progress import say
from portside.common.values import Sha256
from portside.errors import InputError
from portside.lock.models import LINE, REFERENCE, VARIABLE, ArchiveBase, ArchiveLayer
from portside.store import Store


def _other_file(recipe: str) -> str:
    return f"It is not the locked file; if it is meant, lock it: invoke lock --recipe {recipe} --update base"


def read_vendor_image(path: Path, base: ArchiveBase, store: Store) -> ArchiveBase:
    """Put the layers of the image in `path` into the store, and give the base as the lock should have it.

    base: as it is locked; what it says already must be true. Raises InputError for a file that is no image of
    `docker save`, that is damaged, that holds several images, or that differs from the lock.
    """
    size = path.stat().st_size
    if base.size is not None and base.size != size:
        raise InputError(f"{path} has {size} bytes, the lock says {base.size}", _other_file)

    def check(sha256: Sha256) -> None:
        if base.sha256 is not None and base.sha256 != sha256:
            raise InputError(f"{path} has sha256 {sha256}, the lock says {base.sha256}", _other_file)

    archive = read_archive(path, store, check)
    if len(archive.images) != 1:
        raise InputError(f"{path} holds {len(archive.images)} images, one is expected", "Save the one image alone.")
    [image] = archive.images
    found = base.model_copy(update={**_facts(path, image, base), "size": size, "sha256": archive.sha256})
    if base.layers and found != base:
        raise InputError(f"{path} is not what the lock says about it", _other_file)
    return found


def _facts(path: Path, image: ArchiveImage, base: ArchiveBase) -> dict[str, Any]:
    config = json.loads(image.config)
    platform = f"{config.get('os')}/{config.get('architecture')}"
    if platform != f"linux/{base.architecture}":
        raise InputError(f"{path} is for {platform}, the recipe says linux/{base.architecture}")
    names = [name for name in image.names if re.fullmatch(REFERENCE, name)]
    return {
        "reference": names[0] if names else None,
        "epoch": _epoch(path, str(config.get("created"))),
        "env": _environment(path, config.get("config")),
        "layers": tuple(ArchiveLayer(diff_id=blob.digest, size=blob.size) for blob in image.layers),
    }


def _environment(path: Path, config: Any) -> dict[str, str]:
    """The image's variables, without those that a lock and a Dockerfile cannot say: that is told."""
    lines = config.get("Env") if isinstance(config, dict) else None
    texts = [line for line in lines if isinstance(line, str)] if isinstance(lines, list) else []
    pairs = sorted(line.partition("=")[::2] for line in texts)
    kept = {name: value for name, value in pairs if re.fullmatch(VARIABLE, name) and re.fullmatch(LINE, value)}
    if others := sorted({ascii(name) for name, _ in pairs if name not in kept}):
        say(f"{path}: left out: variables with odd names, or with line breaks in their values: {', '.join(others)}")
    return kept


def _epoch(path: Path, created: str) -> int:
    """Seconds of an RFC 3339 time; fractions, which Python 3.10 reads only with 3 or 6 digits, are cut off."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)", created)
    if found is None:
        raise InputError(f"{path}: the image has no proper date: {created!r}")
    zone = "+00:00" if found[2] == "Z" else found[2]
    return max(0, int(datetime.fromisoformat(found[1] + zone).astimezone(timezone.utc).timestamp()))
