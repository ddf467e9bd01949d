"""What the command line of `invoke new` says, checked before anything is brought."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portside.accelerators.load import accelerator_names
from portside.common.values import ImageAddress, RepositoryName, shown_value, told
from portside.draft.facts import facts
from portside.errors import RecipeError, did_you_mean


@dataclass(frozen=True)
class DraftOptions:
    """What the command line says, checked. weights: hub, name and revision. dockerfile: a path."""

    name: str
    accelerator: str
    base: dict[str, Any] | None
    weights: tuple[str, str, str] | None
    dockerfile: str | None = None


def check_asked(
    name: str,
    root: Path,
    accelerator: str | None = None,
    base: str | None = None,
    weights: str | None = None,
    dockerfile: str | None = None,
) -> DraftOptions:
    """Raises RecipeError for what cannot be, before anything is brought. root: of the project."""
    known = accelerator_names(root=root)
    wanted = facts("bases")["aliases"].get(accelerator, accelerator) if accelerator else "cpu"
    if wanted not in known:
        more = [*known, *facts("bases")["aliases"]]
        raise RecipeError(
            f"--accelerator: no accelerator '{accelerator}'",
            f"{did_you_mean(str(accelerator), more)}Known: {', '.join(known)}; docs/accelerators.md: how to add one.",
        )
    return DraftOptions(name, wanted, _base(base), _weights(weights), dockerfile)


def _base(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    kind, _, rest = text.partition(":")
    if kind == "debian" and re.fullmatch(r"[a-z]+", rest):
        return {"debian": {"suite": rest}}
    if kind == "archive" or re.search(r"\.(tar|tgz|tar\.\w+)$", text):
        file = (rest if kind == "archive" else text).rpartition("/")[2]
        return {"archive": {"file": file, "origin": "say where people get it"}}
    address = rest if kind == "image" else text
    told(ImageAddress, address, "--base", RecipeError, "Say debian:SUITE, archive:FILE, or an image: ubuntu:22.04.")
    return {"image": address}


def _weights(text: str | None) -> tuple[str, str, str] | None:
    if text is None:
        return None
    hub, colon, rest = text.partition(":")
    name, _, revision = rest.partition("@")
    if not colon or hub not in ("huggingface", "modelscope"):
        raise RecipeError(
            f"--weights: expected a hub and a name, found {shown_value(text)}",
            "Such as --weights huggingface:THUDM/chatglm2-6b, or modelscope:…, with @REVISION behind it if need be.",
        )
    told(RepositoryName, name, "--weights", RecipeError, "Such as --weights huggingface:THUDM/chatglm2-6b")
    return hub, name, revision
