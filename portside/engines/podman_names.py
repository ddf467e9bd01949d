"""What Podman calls images: a short name that was built or loaded here is `localhost/NAME`."""

import json
import re
from typing import Any

from portside.engines.podman_cli import Podman

LOCAL = "localhost/"

_ID = re.compile(r"(sha256:)?[0-9a-f]{64}")


def full_name(ref: str) -> str:
    """`portside/minilm:env` -> `localhost/portside/minilm:env`; IDs and names with a registry's host stay as they are.

    Said in full, a name never means an image of a registry that Podman is set up to look into.
    """
    if _ID.fullmatch(ref):
        return ref
    repository, slash, _ = ref.partition("/")
    has_host = slash and ("." in repository or ":" in repository or repository == "localhost")
    name = ref if has_host else LOCAL + ref
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def listed(podman: Podman, *command: str) -> list[dict[str, Any]]:
    """The rows of a podman command that lists things."""
    rows: list[dict[str, Any]] = json.loads(podman.call("listing", *command, "--format", "json") or "[]") or []
    return rows
