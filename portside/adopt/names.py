"""What the names of an archive's images mean here: whose image they say it is, and what an engine can call it."""

import re
from collections.abc import Iterable

from portside.common.values import ImageName
from portside.recipe.models import LAYERS

# As engines read a name: nothing, `localhost/` (Podman) and `docker.io/` (Docker) in front of it are the same place.
_RECIPES = re.compile(
    r"(?:(?:localhost|(?:(?:index|registry-1)\.)?docker\.io)/)?portside/([a-z0-9-]{1,200})(?::[^/@]*)?(?:@.*)?"
)
_IN_STORE = re.compile(rf"([a-z0-9-]{{1,200}}):(?:{'|'.join(LAYERS)})")
_WORD = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
# The grammar of references (github.com/distribution/reference), without a digest.
_USABLE = re.compile(
    rf"(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]+)?/)?{_WORD}(?:/{_WORD})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?"
)


def recipe_meant(name: str) -> str | None:
    """The recipe whose image a name says it is, in an engine or in the store's layout; None for any other name.

    `portside/minilm:env`, `docker.io/portside/minilm@sha256:…` and `Localhost/Portside/MiniLM` mean the recipe minilm,
    and so does `minilm:env`, which is what the store calls it.
    """
    found = _RECIPES.fullmatch(name.lower()) or _IN_STORE.fullmatch(name.lower())
    return found[1] if found else None


def usable(names: Iterable[str]) -> list[ImageName]:
    """The names that an engine can give an image. A digest behind a tag is left out; without a tag there is no name."""
    found = []
    for name in names:
        plain, _, digest = name.partition("@")
        if _USABLE.fullmatch(plain) and (not digest or ":" in plain.rpartition("/")[2]):
            found.append(ImageName(plain))
    return list(dict.fromkeys(found))
