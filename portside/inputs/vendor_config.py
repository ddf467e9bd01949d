"""What a base takes over from the config of a vendor's image (OCI image-spec, config.md), however the image came."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

from portside.common.progress import say
from portside.common.values import shown_value
from portside.errors import InputError
from portside.lock.packages import LATEST, is_variable


def check_platform(name: str, config: Mapping[str, Any], architecture: str, kind: str) -> None:
    """Raise InputError for an image of another platform. name: of the image, for people, here and below. kind: of the
    base."""
    platform = f"{config.get('os')}/{config.get('architecture')}"
    if platform != f"linux/{architecture}":
        raise InputError(
            f"{name} is for {platform}, the recipe says linux/{architecture}",
            f"If this is the image, say so: base.{kind}.architecture. Else name another.",
        )


def environment(name: str, config: Mapping[str, Any]) -> dict[str, str]:
    """The image's variables, without those that a lock and a Dockerfile cannot say: that is told."""
    settings = config.get("config")
    lines = settings.get("Env") if isinstance(settings, dict) else None
    texts = [line for line in lines if isinstance(line, str)] if isinstance(lines, list) else []
    pairs = sorted(line.partition("=")[::2] for line in texts)
    kept = {key: value for key, value in pairs if is_variable(key, value)}
    if others := sorted({ascii(key) for key, _ in pairs if key not in kept}):
        say(f"{name}: left out: variables with odd names, or with line breaks in their values: {', '.join(others)}")
    return kept


def created(name: str, config: Mapping[str, Any]) -> int:
    """Seconds of an RFC 3339 time; fractions, which Python 3.10 reads only with 3 or 6 digits, are cut off.

    An image of OCI may have no date (image-spec, config.md: OPTIONAL): then 0. Raises InputError for what is no date.
    """
    date = config.get("created")
    if date is None:
        return 0
    found = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)", str(date))
    if found is not None:
        zone = "+00:00" if found[2] == "Z" else found[2]
        with suppress(ValueError, OverflowError):
            seconds = datetime.fromisoformat(found[1] + zone).astimezone(timezone.utc).timestamp()
            if seconds <= LATEST:
                return max(0, int(seconds))
    raise InputError(f"{name}: the image has no proper date: {shown_value(date)}")
